package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/structpb"
)

// visit is one HTTP request as Envoy tells of it: header lines and attributes, and what the gRPC stream itself carries.
type visit struct {
	headers    map[string]string
	attributes map[string]string
	initial    []string // pairs
	answered   bool     // the stream begins with the response's headers
}

func (v visit) message(t *testing.T) *extprocv3.ProcessingRequest {
	t.Helper()
	attributes := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for name, value := range v.attributes {
		attributes.Fields[name] = structpb.NewStringValue(value)
	}
	m := &extprocv3.ProcessingRequest{Attributes: map[string]*structpb.Struct{"envoy.filters.http.ext_proc": attributes}}
	h := &extprocv3.HttpHeaders{Headers: &corev3.HeaderMap{}}
	for name, value := range v.headers {
		h.Headers.Headers = append(h.Headers.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
	}
	if v.answered {
		m.Request = &extprocv3.ProcessingRequest_ResponseHeaders{ResponseHeaders: h}
	} else {
		m.Request = &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: h}
	}
	return m
}

// pay sends the visit, and takes whatever is answered.
func (v visit) pay(t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(t.Context(), v.initial...)
	stream, err := extprocv3.NewExternalProcessorClient(conn).Process(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(v.message(t)); err != nil {
		t.Fatal(err)
	}
	_ = stream.CloseSend()
	for {
		if _, err := stream.Recv(); err != nil {
			return // a status of ours, or the end
		}
	}
}

// series returns the names and labels of all series of ours.
func (r *running) series() (all []string) {
	r.t.Helper()
	_, body := r.http("GET", "/metrics")
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "corsproc_") {
			all = append(all, line[:strings.LastIndexByte(line, ' ')])
		}
	}
	slices.Sort(all)
	return all
}

// TestNoClientMakesSeries sends 5,000 values of everything that somebody else chooses, and looks for new series. Which
// label could have held one of them is said beside each.
func TestNoClientMakesSeries(t *testing.T) {
	t.Parallel()
	const many = 5000
	const origin = "https://shop.example.com"
	r := start(t, strings.Replace(somePolicies, "policies:\n", "policies:\n  other:\n    allow_origins: [https://other.example.com]\n", 1)+
		"    candidates: [other]\n    routes: [{prefix: /orders/, policies: [other]}]\n", nil)
	conn := r.connect()
	usual := map[string]string{":method": "GET", ":scheme": "https", ":authority": "api.example.com", ":path": "/", "origin": origin}
	request := func(more ...string) visit {
		v := visit{headers: map[string]string{}}
		for name, value := range usual {
			v.headers[name] = value
		}
		for i := 0; i < len(more); i += 2 {
			v.headers[more[i]] = more[i+1]
		}
		return v
	}
	preflight := func(more ...string) visit {
		return request(append([]string{":method", "OPTIONS", "access-control-request-method", "PUT"}, more...)...)
	}
	answered := func(attribute, value string) visit {
		return visit{answered: true, headers: map[string]string{":status": "401"}, attributes: map[string]string{
			"xds.virtual_host_name": "api", "request.method": "GET", "request.scheme": "https", "request.host": "api.example.com",
			"request.path": "/", "request.headers['origin']": origin, attribute: value,
		}}
	}
	named := func(attribute, value string) visit {
		v := request()
		v.attributes = map[string]string{attribute: value}
		return v
	}
	decided := 0
	for _, test := range []struct {
		what  string
		label string // the one that could hold it
		visit func(odd string) visit
	}{
		{"origins", "policy", func(odd string) visit { return request("origin", "https://"+odd+".example") }},
		{"malformed origins", "reason", func(odd string) visit { return request("origin", "no origin: "+odd) }},
		{"hosts", "virtual_host", func(odd string) visit { return request(":authority", odd+".example.com") }},
		{"hosts of no request", "virtual_host", func(odd string) visit { return answered("request.host", odd) }},
		{"paths", "virtual_host", func(odd string) visit { return request(":path", "/orders/"+odd+"%2f..") }},
		{"methods", "kind", func(odd string) visit { return request(":method", strings.ToUpper(odd)) }},
		{"methods asked for", "reason", func(odd string) visit { return preflight("access-control-request-method", odd) }},
		{"headers asked for", "reason", func(odd string) visit { return preflight("access-control-request-headers", odd) }},
		{"schemes", "kind", func(odd string) visit { return request(":scheme", odd) }},
		{"upgrades", "kind", func(odd string) visit { return request("upgrade", odd) }},
		{"fetch sites", "kind", func(odd string) visit { return request("sec-fetch-site", odd) }},
		{"names of virtual hosts", "virtual_host", func(odd string) visit { return named("xds.virtual_host_name", odd) }},
		{"names of routes", "virtual_host", func(odd string) visit { return named("xds.route_name", odd) }},
		{"names of policies", "policy", func(odd string) visit {
			return named("xds.route_metadata.filter_metadata['corsproc']['policies']", odd)
		}},
		{"methods of local replies", "kind", func(odd string) visit { return answered("request.method", odd) }},
		{"header names", "phase", func(odd string) visit { return request("x-"+odd, odd) }},
		{"traces", "trace_id", func(odd string) visit {
			v := request()
			v.initial = []string{"traceparent", "00-" + odd, "tracestate", odd + "=1", "x-" + odd, odd}
			return v
		}},
	} {
		t.Run(test.what, func(t *testing.T) {
			// What these requests count as shows with the first few of them.
			for i := range 4 {
				test.visit(fmt.Sprintf("known%d", i)).pay(t, conn)
			}
			before := r.series()
			decided += 4 + many
			for i := range many {
				test.visit(fmt.Sprintf("odd%dx%x", i, i*7919)).pay(t, conn)
			}
			if after := r.series(); !slices.Equal(before, after) {
				t.Errorf("the label %q, or another, holds what a client chose:\n%s", test.label,
					strings.Join(slices.DeleteFunc(after, func(s string) bool { return slices.Contains(before, s) }), "\n"))
			}
		})
	}
	r.has(fmt.Sprintf("corsproc_decision_duration_seconds_count %d", decided))
}
