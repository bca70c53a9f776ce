// Command stock is the measure of the benchmark: an ext_proc service as one writes it with grpc-go and the generated
// types, everything at its default, that does nothing. What corsproc costs is told as a share of what this costs.
//
// It listens on a free port of the loopback and prints the address.
package main

// Tested by envoy/bench/bench_test.go.

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	s := grpc.NewServer()
	extprocv3.RegisterExternalProcessorServer(s, nothing{})
	checks := health.NewServer() // Envoy's cluster checks it as it checks corsproc
	checks.SetServingStatus(extprocv3.ExternalProcessor_ServiceDesc.ServiceName, healthv1.HealthCheckResponse_SERVING)
	healthv1.RegisterHealthServer(s, checks)
	fmt.Fprintln(os.Stdout, listener.Addr())
	log.Fatal(s.Serve(listener))
}

// nothing lets every request and response pass as it is.
type nothing struct {
	extprocv3.UnimplementedExternalProcessorServer
}

func (nothing) Process(stream extprocv3.ExternalProcessor_ProcessServer) error {
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) || status.Code(err) == codes.Canceled {
			return nil
		}
		if err != nil {
			return err
		}
		reply := &extprocv3.ProcessingResponse{}
		switch request.GetRequest().(type) {
		case *extprocv3.ProcessingRequest_RequestHeaders:
			reply.Response = &extprocv3.ProcessingResponse_RequestHeaders{RequestHeaders: &extprocv3.HeadersResponse{}}
		case *extprocv3.ProcessingRequest_ResponseHeaders:
			reply.Response = &extprocv3.ProcessingResponse_ResponseHeaders{ResponseHeaders: &extprocv3.HeadersResponse{}}
		default:
			return status.Errorf(codes.InvalidArgument, "a message of type %T", request.GetRequest())
		}
		if err := stream.Send(reply); err != nil {
			return err
		}
	}
}
