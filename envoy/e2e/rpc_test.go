//go:build unix

package e2e

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"github.com/chromedp/chromedp"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_web/v3" // read by name
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// The official clients of gRPC-Web and of Connect, as testdata/rpc/README.md says.
var (
	//go:embed testdata/rpc/grpc-web.js
	grpcWebClient string
	//go:embed testdata/rpc/connect.js
	connectClient string
)

const grpcWebFilter = `
- name: envoy.filters.http.grpc_web
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.grpc_web.v3.GrpcWeb
`

// rpcPolicies allow pages on any port of app.localhost to call, each host's in another way.
const rpcPolicies = `policies:
  grpc-web: {allow_origins: ["http://app.localhost:*"], allow_headers: ["@grpc-web"], expose_headers: ["@grpc-web"]}
  connect: {allow_origins: ["http://app.localhost:*"], allow_headers: ["@connect"], expose_headers: ["@connect"]}
  unread: {allow_origins: ["http://app.localhost:*"], allow_headers: ["@grpc-web"]}
  unsent: {allow_origins: ["http://app.localhost:*"], allow_headers: [Content-Type], expose_headers: ["@grpc-web"]}
virtual_hosts:
  - {domains: [grpc-web.localhost], policies: [grpc-web]}
  - {domains: [connect.localhost], policies: [connect]}
  - {domains: [unread.localhost], policies: [unread]}
  - {domains: [unsent.localhost], policies: [unsent]}
`

// rpcCalls are what a page calls, and what the client says; a star stands for the rest. SOON is a minute from now.
var rpcCalls = []struct{ name, call, want string }{
	{"gRPC-Web", `callGRPCWeb("http://grpc-web.localhost/test.Echo/Say", "hello")`, "hello"},
	{"gRPC-Web as text", `callGRPCWeb("http://grpc-web.localhost/test.Echo/Say", "hello", {format: "text"})`, "hello"},
	{"gRPC-Web with a deadline", `callGRPCWeb("http://grpc-web.localhost/test.Echo/Say", "hello", {metadata: {deadline: SOON}})`, "hello"},
	{"gRPC-Web, an error", `callGRPCWeb("http://grpc-web.localhost/test.Echo/Say", "missing")`, "error 5 no such thing"},
	{"gRPC-Web, an error in the headers alone", `callGRPCWeb("http://grpc-web.localhost/test.Echo/TrailersOnly", "hello")`, "error 7 not for you"},
	{"gRPC-Web, an error of Envoy's", `callGRPCWeb("http://grpc-web.localhost/test.Echo/Down", "hello")`, "error 14 *"},
	{"gRPC-Web that may not read the status", `callGRPCWeb("http://unread.localhost/test.Echo/TrailersOnly", "hello")`, "error 2 Incomplete response"},
	{"gRPC-Web that may not send its headers", `callGRPCWeb("http://unsent.localhost/test.Echo/Say", "hello")`, "error 2 *"},

	{"Connect", `callConnect("http://connect.localhost", "say", "hello")`, "hello"},
	{"Connect with a deadline", `callConnect("http://connect.localhost", "say", "hello", {timeoutMs: 60000})`, "hello"},
	{"Connect, an error", `callConnect("http://connect.localhost", "say", "missing")`, "error 5 [not_found] no such thing"},
	{"Connect that may not send its headers", `callConnect("http://unsent.localhost", "say", "hello")`, "error 2 [unknown] Failed to fetch"},
	{"Connect over gRPC-Web", `callConnectGRPCWeb("http://connect.localhost", "say", "hello")`, "hello"},
	{"Connect over gRPC-Web with a deadline", `callConnectGRPCWeb("http://connect.localhost", "say", "hello", {timeoutMs: 60000})`, "hello"},
	{"Connect over gRPC-Web, an error in the headers alone", `callConnectGRPCWeb("http://connect.localhost", "trailersOnly", "hello")`, "error 7 [permission_denied] not for you"},
}

// TestRPCClients calls through Envoy's gRPC-Web filter with the clients that people use, from a page of another origin.
func TestRPCClients(t *testing.T) {
	upstream := newRPCUpstream(t)
	g := start(t, setup{
		policies: rpcPolicies, after: grpcWebFilter,
		virtualHosts: `[{name: local, domains: ["*"], routes: [
			{match: {path: /test.Echo/Down}, route: {cluster: down}}, {match: {prefix: /}, route: {cluster: echo}}]}]`,
		edit: func(c *bootstrap.Config) {
			service, err := c.Cluster(bootstrap.ClusterName)
			if err != nil {
				t.Fatal(err)
			}
			echo, err := c.Cluster("echo")
			if err != nil {
				t.Fatal(err)
			}
			echo.TypedExtensionProtocolOptions = service.TypedExtensionProtocolOptions // HTTP/2
			down := proto.CloneOf(echo)
			down.Name, down.LoadAssignment.ClusterName = "down", "down"
			c.Bootstrap.StaticResources.Clusters = append(c.Bootstrap.StaticResources.Clusters, down)
			if err := c.SetEndpoint("echo", addressOf(t, upstream)); err != nil {
				t.Fatal(err)
			}
			if err := c.SetEndpoint("down", bootstrap.Address{IP: "127.0.0.1", Port: closedPort(t)}); err != nil {
				t.Fatal(err)
			}
		},
	})
	_, port, err := net.SplitHostPort(g.address)
	if err != nil {
		t.Fatal(err)
	}
	b := newTab(t)
	b.do("opening the page", chromedp.Navigate("http://"+strings.Replace(newAppPage(t), "127.0.0.1", "app.localhost", 1)))
	for _, c := range rpcCalls {
		call := strings.NewReplacer(".localhost", ".localhost:"+port, "SOON", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli())).Replace(c.call)
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](call+`.then((text) => String(text), (e) => "error " + e.code + " " + e.message)`, chromedp.EvalAwaitPromise))
		cancel()
		switch start, any := strings.CutSuffix(c.want, "*"); {
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case any && !strings.HasPrefix(got, start), !any && got != c.want:
			t.Errorf("%s: the client says %q, want %q", c.name, got, c.want)
		}
	}
}

// newAppPage serves a page that has the clients, and returns its address.
func newAppPage(t *testing.T) string {
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><title>calls</title><script>%s</script><script>%s</script>", grpcWebClient, connectClient)
	}))
}

// newRPCUpstream serves test.Echo to gRPC and Connect, and returns its address.
func newRPCUpstream(t *testing.T) string {
	service := connect.NewServer()
	service.Register(connect.Method{
		Spec: connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: "/test.Echo/Say"},
		Handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
			var asked wrapperspb.StringValue
			if err := stream.Receive(&asked); err != nil {
				return err
			}
			if asked.Value == "missing" {
				return connect.NewError(connect.CodeNotFound, "no such thing")
			}
			return stream.Send(&asked)
		},
	})
	mux := http.NewServeMux()
	connecthttp.Mount(mux, service)
	// What gRPC calls Trailers-Only: the status is among the headers, and nothing follows.
	mux.HandleFunc("/test.Echo/TrailersOnly", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "7")
		w.Header().Set("Grpc-Message", "not for you")
	})
	return serve(t, mux)
}

// serve serves HTTP/1.1 and HTTP/2 without TLS until the test ends.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return listener.Addr().String()
}
