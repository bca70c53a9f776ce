package extproc

// Tested by facts_test.go and fuzz_test.go.

import (
	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of the fields that are read, as envoy/service/ext_proc/v3/external_processor.proto has them. The tests hold
// them against the generated types.
const (
	processingRequestHeaders   = 2
	processingResponseHeaders  = 3
	processingResponseTrailers = 7 // the last of the phases
	processingMetadata         = 8
	processingAttributes       = 9
	processingObservability    = 10
	processingProtocol         = 11
	protocolRequestBodyMode    = 1
	protocolResponseBodyMode   = 2
	httpHeadersMap             = 1
	headerMapHeaders           = 1
	headerValueKey             = 1
	headerValueValue           = 2
	headerValueRaw             = 3
	entryKey                   = 1
	entryValue                 = 2
	structFields               = 1
	valueText                  = 3
)

// fullDuplex says of which bodies Envoy keeps no copy, so that what we do not hand back is lost.
type fullDuplex struct{ request, response bool }

func (f fullDuplex) any() bool { return f.request || f.response }

func isFullDuplex(mode modev3.ProcessingMode_BodySendMode) bool {
	return mode == modev3.ProcessingMode_FULL_DUPLEX_STREAMED || mode == modev3.ProcessingMode_GRPC
}

// inbound is what is needed of a message about headers that is written as Envoy writes it. Its slices point into the message.
// All other messages go through the generated types, and so do these where they are written in another way that protobuf
// allows.
type inbound struct {
	phase      Phase
	observed   bool       // Envoy only lets us watch
	fullDuplex fullDuplex // which bodies Envoy hands over; the first message of a stream announces it
	headers    []byte     // the HeaderMap
	attributes []byte     // the Struct of attributes
}

// read reads a message. It returns errUnusual for one that it leaves to the generated types, the malformed ones among
// them.
func (in *inbound) read(message []byte) error {
	*in = inbound{}
	var headers, protocol []byte
	var attributes, observed bool
	f := fields{rest: message}
	for f.next() {
		switch {
		case f.is(processingRequestHeaders) && headers == nil:
			in.phase, headers = PhaseRequestHeaders, f.value
		case f.is(processingResponseHeaders) && headers == nil:
			in.phase, headers = PhaseResponseHeaders, f.value
		case f.number <= processingResponseTrailers:
			return errUnusual // another phase, or a second one
		case f.is(processingMetadata) && len(f.value) == 0:
			// Envoy sends it also where its configuration forwards none.
		case f.is(processingAttributes) && !attributes:
			attributes = true
			var ok bool
			if in.attributes, ok = ownAttributes(f.value); !ok {
				return errUnusual
			}
		case f.is(processingProtocol) && protocol == nil:
			protocol = f.value
		case f.number == processingObservability && f.wireType == protowire.VarintType && !observed:
			observed, in.observed = true, f.varint != 0
		case f.number <= processingProtocol:
			return errUnusual
		case f.wireType != protowire.VarintType:
			return errUnusual // flow control, and what later versions add
		}
	}
	if f.broken || headers == nil || !in.readProtocol(protocol) {
		return errUnusual
	}
	return in.readHeaders(headers)
}

// readHeaders finds the map in an HttpHeaders message.
func (in *inbound) readHeaders(headers []byte) error {
	found := false
	f := fields{rest: headers}
	for f.next() {
		switch {
		case f.is(httpHeadersMap) && !found:
			found, in.headers = true, f.value
		case f.wireType != protowire.VarintType: // whether a body follows is one
			return errUnusual
		}
	}
	if f.broken {
		return errUnusual
	}
	return nil
}

func (in *inbound) readProtocol(config []byte) bool {
	f := fields{rest: config}
	for f.next() {
		if f.wireType != protowire.VarintType {
			return false
		}
		mode := modev3.ProcessingMode_BodySendMode(f.varint)
		switch f.number {
		case protocolRequestBodyMode:
			in.fullDuplex.request = isFullDuplex(mode)
		case protocolResponseBodyMode:
			in.fullDuplex.response = isFullDuplex(mode)
		}
	}
	return !f.broken
}

// entry splits an entry of a map into its key and its value. It reports whether the entry holds exactly these two.
func entry(field []byte) (key, value []byte, ok bool) {
	f := fields{rest: field}
	if !f.next() || !f.is(entryKey) {
		return nil, nil, false
	}
	key = f.value
	if !f.next() || !f.is(entryValue) {
		return nil, nil, false
	}
	return key, f.value, len(f.rest) == 0
}

// ownAttributes returns the attributes in an entry of the map of attributes, where they stand under the key of Envoy's
// filter.
func ownAttributes(field []byte) ([]byte, bool) {
	key, value, ok := entry(field)
	return value, ok && string(key) == filterName
}
