package extproc

// Tested by exchange_test.go and envoy_test.go.

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy"
)

// The numbers of the fields that are written, as envoy/service/ext_proc/v3/external_processor.proto has them. The tests
// read every reply with the generated types.
const (
	replyRequestHeaders  = 1
	replyResponseHeaders = 2
	replyImmediate       = 7
	replyMetadata        = 8

	headersResponseCommon = 1
	commonHeaderMutation  = 2
	mutationSetHeaders    = 1
	immediateStatus       = 1
	immediateHeaders      = 2
	immediateBody         = 3
	immediateDetails      = 5
	httpStatusCode        = 1
	optionHeader          = 1
	optionAction          = 3
)

// manyHeaders is room for all headers of an answer; more would only cost an allocation.
const manyHeaders = 12

// appendGoOn lets the request go on unchanged. The reply is an empty HeadersResponse and not an empty message: without a
// phase of its own a reply is an error to Envoy.
func appendGoOn(out []byte, d *policy.Decision) []byte {
	out, at := begin(out, replyRequestHeaders)
	return appendMetadata(finish(out, at), d)
}

// appendPass lets request and response go on unchanged. It also tells Envoy not to ask about the response. Envoy obeys that if
// its configuration has allow_mode_override, and otherwise ignores it; the end of the stream tells every Envoy. If bodies
// are handed over, the stream does not end, and its modes stay as they are.
func appendPass(out []byte, d *policy.Decision, bodies fullDuplex) []byte {
	out = appendGoOn(out, d)
	if bodies.any() {
		return out
	}
	return append(out, skipResponse...)
}

// appendImmediate answers the request instead of the upstream. Envoy adds the headers of its routes to the answer before
// it reads these mutations (response_headers_to_add), CORS headers too: they are removed as those of upstreams are.
func appendImmediate(out []byte, d *policy.Decision) []byte {
	var scratch [manyHeaders]policy.Header
	code, headers, body := d.AppendImmediate(scratch[:0])
	out, immediate := begin(out, replyImmediate)
	out, status := begin(out, immediateStatus)
	out = protowire.AppendVarint(protowire.AppendTag(out, httpStatusCode, protowire.VarintType), uint64(code))
	out = finish(out, status)
	out, mutation := begin(out, immediateHeaders)
	out = finish(append(appendOptions(out, headers), removed...), mutation)
	if body != "" {
		out = appendText(out, immediateBody, body)
	}
	out = appendText(out, immediateDetails, d.Details())
	return appendMetadata(finish(out, immediate), d)
}

// appendAdjust replaces all CORS headers of a response, of which u are lines. Envoy removes first and then sets, so a header
// that stands in both lists is set.
func appendAdjust(out []byte, d *policy.Decision, u *upstream) []byte {
	var scratch [manyHeaders]policy.Header
	set := d.AppendFixed(scratch[:0])
	out, response := begin(out, replyResponseHeaders)
	out, common := begin(out, headersResponseCommon)
	out, mutation := begin(out, commonHeaderMutation)
	out = appendExposed(appendOptions(out, set), d, u.exposed)
	out = appendVary(out, d, u.vary)
	out = append(out, removed...)
	return finish(finish(finish(out, mutation), common), response)
}

// appendLeave leaves a response as it is.
func appendLeave(out []byte) []byte {
	out, at := begin(out, replyResponseHeaders)
	return finish(out, at)
}

// appendVary sets Vary, where it has to change.
func appendVary(out []byte, d *policy.Decision, lines []string) []byte {
	before := len(out)
	out, option, header, value := beginOption(out, policy.HeaderVary)
	out, changed := d.AppendVary(out, lines)
	if !changed {
		return out[:before]
	}
	return finishOption(finish(out, value), header, option)
}

// appendExposed sets Access-Control-Expose-Headers, where that depends on the response.
func appendExposed(out []byte, d *policy.Decision, lines []string) []byte {
	if !d.ExposesUpstream() {
		return out
	}
	before := len(out)
	out, option, header, value := beginOption(out, policy.HeaderExposed)
	out, some := d.AppendExposed(out, lines)
	if !some {
		return out[:before]
	}
	return finishOption(finish(out, value), header, option)
}

// beginOption begins the setting of a header, whose value comes next.
func beginOption(out []byte, name string) (begun []byte, option, header, value int) {
	out, option = begin(out, mutationSetHeaders)
	out, header = begin(out, optionHeader)
	out = appendText(out, headerValueKey, name)
	out, value = begin(out, headerValueRaw)
	return out, option, header, value
}

// appendOptions sets headers, which replace those that are there. Envoy reads raw_value alone; value would set an empty
// header. There are two ways to say "replace": append left unset, which Envoy reads, and the action, which other proxies
// read. Both are there. An append that is set beside an action would be refused by Envoy's general header parser.
func appendOptions(out []byte, headers []policy.Header) []byte {
	for _, h := range headers {
		var option, header int
		out, option = begin(out, mutationSetHeaders)
		out, header = begin(out, optionHeader)
		out = appendText(out, headerValueKey, h.Name)
		out = appendText(out, headerValueRaw, h.Value)
		out = finishOption(out, header, option)
	}
	return out
}

// finishOption ends the setting of a header, which replaces what is there.
func finishOption(out []byte, header, option int) []byte {
	return finish(append(finish(out, header), overwrite...), option)
}

// What is the same in every reply is encoded once.
var (
	overwrite = protowire.AppendVarint(protowire.AppendTag(nil, optionAction, protowire.VarintType),
		uint64(corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD))
	removed      = encoded(&extprocv3.HeaderMutation{RemoveHeaders: policy.ResponseHeaders[:]})
	skipResponse = encoded(&processingResponse{ModeOverride: &modev3.ProcessingMode{ResponseHeaderMode: modev3.ProcessingMode_SKIP}})
)

func encoded(m proto.Message) []byte {
	message, err := proto.Marshal(m)
	if err != nil {
		panic(err) // a constant that cannot be encoded is a bug
	}
	return message
}
