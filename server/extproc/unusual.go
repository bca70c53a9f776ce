package extproc

import (
	"strings"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
)

// A message of Envoy's and the reply to it, as the generated types have them: for every message that
// [inbound] leaves alone.
type (
	processingRequest  = extprocv3.ProcessingRequest
	processingResponse = extprocv3.ProcessingResponse
)

// unmarshal reads a message that is written in any way that protobuf allows.
//
// Envoy copies header values into attributes as they are, also if they are no UTF-8, and the generated types refuse those.
// Then one byte in an Origin would end the stream with an error. If Envoy fails open, a request that was to be stopped would
// go on, or an answer would keep the upstream's CORS headers. So each byte of a text that is no UTF-8 is read as DEL. HTTP
// allows that nowhere, and an origin with it is malformed. Headers are bytes and stay as they are.
func unmarshal(message []byte) (*processingRequest, error) {
	m := new(processingRequest)
	err := proto.Unmarshal(message, m)
	if err == nil {
		return m, nil
	}
	repaired := append([]byte(nil), message...)
	repair(repaired, m.ProtoReflect().Descriptor(), 0)
	return m, proto.Unmarshal(repaired, m)
}

// deepest bounds the nesting that is repaired. An attribute's text is at depth 4, and forwarded metadata nests as Envoy's
// configuration has it. What is deeper than this attacks the stack.
const deepest = 64

// repair makes UTF-8 of the string fields of an encoded message, where they stand. It leaves alone what it cannot read.
func repair(message []byte, d protoreflect.MessageDescriptor, depth int) {
	for len(message) > 0 && depth < deepest {
		number, typ, size := protowire.ConsumeTag(message)
		if size < 0 {
			return
		}
		message = message[size:]
		if size = protowire.ConsumeFieldValue(number, typ, message); size < 0 {
			return
		}
		if f := d.Fields().ByNumber(number); f != nil && typ == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message)
			switch f.Kind() {
			case protoreflect.StringKind:
				repairText(value)
			case protoreflect.MessageKind:
				repair(value, f.Message(), depth+1)
			}
		}
		message = message[size:]
	}
}

func repairText(text []byte) {
	const del = 0x7f
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			text[i] = del
		}
		i += size
	}
}

// rewritten returns a message about headers as Envoy would have written it, without what is not read. Other clients of the
// protocol may write names in upper case, use value instead of raw_value, or send attributes under keys of their own.
func rewritten(m *processingRequest) ([]byte, error) {
	usual := &processingRequest{ObservabilityMode: m.GetObservabilityMode(), ProtocolConfig: m.GetProtocolConfig()}
	if a := ownStruct(m); a != nil {
		usual.Attributes = map[string]*structpb.Struct{filterName: a}
	}
	if h := m.GetRequestHeaders(); h != nil {
		usual.Request = &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: usualHeaders(h)}
	} else {
		usual.Request = &extprocv3.ProcessingRequest_ResponseHeaders{ResponseHeaders: usualHeaders(m.GetResponseHeaders())}
	}
	if c := usual.ProtocolConfig; c != nil {
		usual.ProtocolConfig = &extprocv3.ProtocolConfiguration{RequestBodyMode: c.GetRequestBodyMode(), ResponseBodyMode: c.GetResponseBodyMode()}
	}
	return proto.Marshal(usual)
}

// usualHeaders writes header names in lower case and values as raw_value. Several lines of a field are one list (RFC
// 9110, section 5.2); those that Envoy joins are joined. Where only one line is legitimate, as with
// Access-Control-Request-Private-Network, the list is a value that nobody accepts.
func usualHeaders(h *extprocv3.HttpHeaders) *extprocv3.HttpHeaders {
	usual := &corev3.HeaderMap{}
	joined := map[string][]string{}
	for _, h := range h.GetHeaders().GetHeaders() {
		name, value := lowerASCII(h.GetKey()), h.GetRawValue()
		if len(value) == 0 {
			value = []byte(h.GetValue())
		}
		switch {
		case name == "" || !isEnvoyName([]byte(name)):
			// Nothing that is read is called so.
		case name == "upgrade", name == "access-control-request-private-network":
			joined[name] = append(joined[name], string(value))
		default:
			usual.Headers = append(usual.Headers, &corev3.HeaderValue{Key: name, RawValue: value})
		}
	}
	for name, lines := range joined {
		if value := strings.Join(lines, ","); value != "" {
			usual.Headers = append(usual.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
		}
	}
	return &extprocv3.HttpHeaders{Headers: usual}
}

// lowerASCII folds ASCII alone: to Unicode the Kelvin sign is a k, in a header name it is nothing.
func lowerASCII(name string) string {
	b := []byte(name)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// ownStruct returns the attributes of a message. Another proxy may send them under another key than Envoy; of several the
// first in alphabetical order counts, so that the answer does not depend on the order of a map.
func ownStruct(m *processingRequest) *structpb.Struct {
	all := m.GetAttributes()
	own, ok := all[filterName]
	if !ok {
		var key string
		for k, s := range all {
			if own == nil || k < key {
				own, key = s, k
			}
		}
	}
	if own == nil {
		return nil
	}
	usual := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(own.GetFields()))}
	for name, value := range own.GetFields() {
		if _, isText := value.GetKind().(*structpb.Value_StringValue); !isText {
			value = structpb.NewNullValue() // whatever it is, it is no text
		}
		usual.Fields[name] = value
	}
	return usual
}

// unchanged returns the reply of the message's own phase that changes nothing, and nil to a message without a phase. To a
// body that Envoy hands over it is the body itself.
func unchanged(m *processingRequest, bodies fullDuplex) *processingResponse {
	switch part := m.GetRequest().(type) {
	case *extprocv3.ProcessingRequest_RequestBody:
		return &processingResponse{Response: &extprocv3.ProcessingResponse_RequestBody{RequestBody: body(part.RequestBody, bodies.request)}}
	case *extprocv3.ProcessingRequest_ResponseBody:
		return &processingResponse{Response: &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: body(part.ResponseBody, bodies.response)}}
	case *extprocv3.ProcessingRequest_RequestTrailers:
		return &processingResponse{Response: &extprocv3.ProcessingResponse_RequestTrailers{RequestTrailers: &extprocv3.TrailersResponse{}}}
	case *extprocv3.ProcessingRequest_ResponseTrailers:
		return &processingResponse{Response: &extprocv3.ProcessingResponse_ResponseTrailers{ResponseTrailers: &extprocv3.TrailersResponse{}}}
	}
	return nil
}

func body(b *extprocv3.HttpBody, handedOver bool) *extprocv3.BodyResponse {
	if !handedOver {
		return &extprocv3.BodyResponse{Response: &extprocv3.CommonResponse{}}
	}
	return &extprocv3.BodyResponse{Response: &extprocv3.CommonResponse{BodyMutation: &extprocv3.BodyMutation{
		Mutation: &extprocv3.BodyMutation_StreamedResponse{StreamedResponse: &extprocv3.StreamedBodyResponse{
			Body:                      b.GetBody(),
			EndOfStream:               b.GetEndOfStream(),
			EndOfStreamWithoutMessage: b.GetEndOfStreamWithoutMessage(),
			GrpcMessageCompressed:     b.GetGrpcMessageCompressed(),
		}},
	}}}
}
