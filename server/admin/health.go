package admin

// Tested by handler_test.go.

import (
	"context"

	"connectrpc.com/connect/v2"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/corsproc/corsproc/proto/corsproc/v1/corsprocv1connect"
)

// registerHealth adds gRPC's health service, so that `corsproc health` can ask this address too: in an image without a shell
// nothing else can ask a process that has no other. It answers for the process and for the admin service what /-/ready does.
// Watch is left out (UNIMPLEMENTED, as the protocol has it): the address has no answers without an end.
func registerHealth(server *connect.Server, ready func() bool) {
	server.Register(connect.Method{
		Spec: connect.Spec{
			StreamType: connect.StreamTypeUnary,
			Schema:     healthv1.File_grpc_health_v1_health_proto.Services().ByName("Health").Methods().ByName("Check"),
			Procedure:  healthv1.Health_Check_FullMethodName,
		},
		Handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
			var q healthv1.HealthCheckRequest
			if err := stream.Receive(&q); err != nil {
				return err
			}
			if s := q.GetService(); s != "" && s != corsprocv1connect.AdminServiceName {
				return connect.NewError(connect.CodeNotFound, "this address has no such service")
			}
			status := healthv1.HealthCheckResponse_NOT_SERVING
			if ready() {
				status = healthv1.HealthCheckResponse_SERVING
			}
			return stream.Send(&healthv1.HealthCheckResponse{Status: status})
		},
	})
}
