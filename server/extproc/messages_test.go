package extproc

import (
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// Makers of Envoy's messages, spelled the way Envoy spells them.

// headerMap makes a header map of "name: value" lines, as Envoy fills it: raw_value alone.
func headerMap(lines ...string) *corev3.HeaderMap {
	m := &corev3.HeaderMap{}
	for _, l := range lines {
		name, value := splitLine(l)
		m.Headers = append(m.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
	}
	return m
}

// splitLine cuts a line at its first colon behind the name; pseudo headers begin with one.
func splitLine(l string) (name, value string) {
	i := strings.Index(l[1:], ":") + 1
	return l[:i], strings.TrimPrefix(l[i+1:], " ")
}

func requestMessage(lines ...string) *processingRequest {
	return &processingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{
		RequestHeaders: &extprocv3.HttpHeaders{Headers: headerMap(lines...)},
	}}
}

func responseMessage(lines ...string) *processingRequest {
	return &processingRequest{Request: &extprocv3.ProcessingRequest_ResponseHeaders{
		ResponseHeaders: &extprocv3.HttpHeaders{Headers: headerMap(lines...)},
	}}
}

func requestBodyMessage(body string) *processingRequest {
	return &processingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{
		RequestBody: &extprocv3.HttpBody{Body: []byte(body), EndOfStream: true},
	}}
}

func responseBodyMessage(body string) *processingRequest {
	return &processingRequest{Request: &extprocv3.ProcessingRequest_ResponseBody{
		ResponseBody: &extprocv3.HttpBody{Body: []byte(body), EndOfStream: true},
	}}
}

func requestTrailersMessage() *processingRequest {
	return &processingRequest{Request: &extprocv3.ProcessingRequest_RequestTrailers{
		RequestTrailers: &extprocv3.HttpTrailers{Trailers: headerMap("x-checksum: 1")},
	}}
}

func responseTrailersMessage() *processingRequest {
	return &processingRequest{Request: &extprocv3.ProcessingRequest_ResponseTrailers{
		ResponseTrailers: &extprocv3.HttpTrailers{Trailers: headerMap("grpc-status: 0")},
	}}
}

// attrs are attributes by name. A string is what Envoy sends for all but numbers and truth values.
type attrs map[string]any

// with adds attributes to a message under a key of its attribute map.
func with(m *processingRequest, key string, a attrs) *processingRequest {
	s, err := structpb.NewStruct(a)
	if err != nil {
		panic(err)
	}
	if m.Attributes == nil {
		m.Attributes = map[string]*structpb.Struct{}
	}
	m.Attributes[key] = s
	return m
}

// replyKind names the phase and part that a reply answers.
func replyKind(r *processingResponse) string {
	switch r.GetResponse().(type) {
	case *extprocv3.ProcessingResponse_RequestHeaders:
		return "request_headers"
	case *extprocv3.ProcessingResponse_ResponseHeaders:
		return "response_headers"
	case *extprocv3.ProcessingResponse_RequestBody:
		return "request_body"
	case *extprocv3.ProcessingResponse_ResponseBody:
		return "response_body"
	case *extprocv3.ProcessingResponse_RequestTrailers:
		return "request_trailers"
	case *extprocv3.ProcessingResponse_ResponseTrailers:
		return "response_trailers"
	case *extprocv3.ProcessingResponse_ImmediateResponse:
		return "immediate_response"
	}
	return "nothing"
}

// messageKind names the phase and part of a message, as [replyKind] does of a reply.
func messageKind(m *processingRequest) string {
	switch m.GetRequest().(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		return "request_headers"
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		return "response_headers"
	case *extprocv3.ProcessingRequest_RequestBody:
		return "request_body"
	case *extprocv3.ProcessingRequest_ResponseBody:
		return "response_body"
	case *extprocv3.ProcessingRequest_RequestTrailers:
		return "request_trailers"
	case *extprocv3.ProcessingRequest_ResponseTrailers:
		return "response_trailers"
	}
	return "nothing"
}
