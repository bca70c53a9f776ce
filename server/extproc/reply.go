package extproc

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/corsproc/corsproc/policy"
)

// reply is what Envoy gets. Only this file and metadata.go make one.
type reply = extprocv3.ProcessingResponse

// manyHeaders is room for all headers of an answer; more would only cost an allocation.
const manyHeaders = 12

// goOn lets the request go on unchanged. The reply is an empty HeadersResponse and not an empty message: without a phase
// of its own a reply is an error to Envoy.
func (p *Prepared) goOn(d *policy.Decision) *reply {
	return &reply{
		Response:        &extprocv3.ProcessingResponse_RequestHeaders{RequestHeaders: &extprocv3.HeadersResponse{}},
		DynamicMetadata: p.metadata(d),
	}
}

// pass lets request and response go on unchanged. It also tells Envoy not to ask about the response, which counts only
// where Envoy's configuration allows it (allow_mode_override) and is ignored elsewhere; the end of the stream says the
// same to every Envoy. A stream that relays bodies does not end, and its modes stay as they are.
func (p *Prepared) pass(d *policy.Decision, relay relay) *reply {
	r := p.goOn(d)
	if !relay.any() {
		r.ModeOverride = &modev3.ProcessingMode{ResponseHeaderMode: modev3.ProcessingMode_SKIP}
	}
	return r
}

// immediate answers the request in the upstream's place.
func (p *Prepared) immediate(d *policy.Decision) *reply {
	var scratch [manyHeaders]policy.Header
	code, headers, body := d.AppendImmediate(scratch[:0])
	return &reply{
		Response: &extprocv3.ProcessingResponse_ImmediateResponse{ImmediateResponse: &extprocv3.ImmediateResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode(code)},
			Headers: &extprocv3.HeaderMutation{SetHeaders: options(headers)},
			Body:    []byte(body),
			Details: d.Details(),
		}},
		DynamicMetadata: p.metadata(d),
	}
}

// removed is the same in every mutation; it is only read.
var removed = policy.ResponseHeaders[:]

// mutation replaces the CORS headers of a response with these Vary lines, whoever set them. Envoy removes first and then
// sets, so a header that stands in both lists is set.
func mutation(d *policy.Decision, vary []string) *reply {
	var scratch [manyHeaders]policy.Header
	set := d.AppendResponse(scratch[:0], vary)
	return &reply{Response: &extprocv3.ProcessingResponse_ResponseHeaders{ResponseHeaders: &extprocv3.HeadersResponse{
		Response: &extprocv3.CommonResponse{
			HeaderMutation: &extprocv3.HeaderMutation{RemoveHeaders: removed, SetHeaders: options(set)},
		},
	}}}
}

func options(headers []policy.Header) []*corev3.HeaderValueOption {
	options := make([]*corev3.HeaderValueOption, len(headers))
	for i, h := range headers {
		options[i] = option(h)
	}
	return options
}

// option is the one place that makes a header to be set. Envoy reads raw_value alone (value would set an empty header)
// and, of the two ways to say "replace", only append, unset; other proxies read the action. Both say the same, and append
// must stay unset beside an action, or Envoy's general header parser would refuse it.
func option(h policy.Header) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: h.Name, RawValue: []byte(h.Value)},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}

// unchanged is the reply of the message's own kind that changes nothing, and nil to a message without a kind. For a body
// that is relayed it is the body itself.
func unchanged(m *message, relay relay) *reply {
	switch part := m.GetRequest().(type) {
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		return &reply{Response: &extprocv3.ProcessingResponse_ResponseHeaders{ResponseHeaders: &extprocv3.HeadersResponse{}}}
	case *extprocv3.ProcessingRequest_RequestBody:
		return &reply{Response: &extprocv3.ProcessingResponse_RequestBody{RequestBody: body(part.RequestBody, relay.request)}}
	case *extprocv3.ProcessingRequest_ResponseBody:
		return &reply{Response: &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: body(part.ResponseBody, relay.response)}}
	case *extprocv3.ProcessingRequest_RequestTrailers:
		return &reply{Response: &extprocv3.ProcessingResponse_RequestTrailers{RequestTrailers: &extprocv3.TrailersResponse{}}}
	case *extprocv3.ProcessingRequest_ResponseTrailers:
		return &reply{Response: &extprocv3.ProcessingResponse_ResponseTrailers{ResponseTrailers: &extprocv3.TrailersResponse{}}}
	}
	return nil
}

func body(b *extprocv3.HttpBody, relayed bool) *extprocv3.BodyResponse {
	if !relayed {
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
