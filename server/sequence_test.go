package server

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// choices are what a sequence is made of: bytes, and where they are used up, the first of everything.
type choices struct{ rest []byte }

// of returns a number below n.
func (c *choices) of(n int) int {
	if len(c.rest) == 0 {
		return 0
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	return int(b) % n
}

// sometimes is true once in n times.
func (c *choices) sometimes(n int) bool { return c.of(n) == n-1 }

func pick[T any](c *choices, all ...T) T { return all[c.of(len(all))] }

const (
	// maxSequenceMessage is the limit of messages that both transports are given.
	maxSequenceMessage = 4096
	// maxSequenceData bounds the DATA of a sequence: less than every window at its beginning, so that any order is valid.
	maxSequenceData = 60_000
	// maxSequenceSteps bounds a sequence.
	maxSequenceSteps = 40
)

// sequence is what a client sends behind its preface: frames that RFC 9113 and gRPC allow in that order, in parts. After each
// part the client looks at what has come.
type sequence struct {
	c       *choices
	parts   [][]byte
	steps   []string // what it is, in words
	streams []*sentStream

	out     bytes.Buffer
	framer  *http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
	sent    int // bytes of DATA, padding included
}

// sentStream is a stream of a sequence.
type sentStream struct {
	id     uint32
	health bool   // of health: at most one message is sent, together with END_STREAM
	closed bool   // END_STREAM is sent
	ended  bool   // the client is done with it
	unsent []byte // of messages that have begun
	strict bool   // unsent is sent in this part: a transport may tell what is wrong with it before it has come whole
}

func newSequence(c *choices) *sequence {
	q := &sequence{c: c}
	q.framer = http2.NewFramer(&q.out, nil)
	q.encoder = hpack.NewEncoder(&q.block)
	return q
}

func (q *sequence) say(format string, a ...any) { q.steps = append(q.steps, fmt.Sprintf(format, a...)) }

// look ends a part.
func (q *sequence) look() {
	for _, s := range q.streams {
		if s.strict {
			q.data(s, len(s.unsent))
		}
	}
	q.say("look")
	q.parts = append(q.parts, bytes.Clone(q.out.Bytes()))
	q.out.Reset()
}

// makeSequence makes a sequence of choices.
func makeSequence(c *choices) *sequence {
	q := newSequence(c)
	q.settings()
	for range 1 + q.c.of(maxSequenceSteps) {
		if len(q.c.rest) == 0 {
			break
		}
		q.step()
	}
	// At last everything is let out and ended, and there is one more stream.
	q.look()
	q.must(q.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}))
	q.must(q.framer.WriteWindowUpdate(0, 1<<20))
	for _, s := range q.streams {
		if !s.closed && !s.ended {
			q.data(s, len(s.unsent))
		}
	}
	q.look()
	for _, s := range q.streams {
		if !s.closed && !s.ended {
			q.end(s)
		}
	}
	q.look()
	for _, s := range q.streams {
		if s.health && !s.ended { // those that watch would never end
			q.reset(s)
		}
	}
	q.c.rest = nil
	last := q.open(processPath)
	last.unsent = framed(0, preflightMessage)
	q.data(last, len(last.unsent))
	q.look()
	return q
}

func (q *sequence) must(err error) {
	if err != nil {
		panic(err) // a bug of the test
	}
}

// step adds one thing that a client does.
func (q *sequence) step() {
	var open []*sentStream
	for _, s := range q.streams {
		if !s.ended && !s.closed {
			open = append(open, s)
		}
	}
	if len(open) == 0 || len(q.streams) < 12 && q.c.sometimes(5) {
		q.openAny()
		return
	}
	s := open[q.c.of(len(open))]
	switch q.c.of(12) {
	case 0, 1, 2, 3:
		q.message(s)
	case 4, 5:
		q.data(s, q.c.of(len(s.unsent)+1))
	case 6:
		q.data(s, len(s.unsent))
	case 7:
		q.end(s)
	case 8:
		if q.c.sometimes(2) { // where what has come before is known, a reset takes nothing away
			q.look()
			q.reset(s)
		}
	case 9:
		q.look()
	default:
		q.other(s)
	}
}

// openAny opens a stream of any kind.
func (q *sequence) openAny() {

	switch q.c.of(12) {
	default:
		q.open(processPath)
	case 6:
		q.open(healthv1.Health_Check_FullMethodName)
	case 7:
		q.open(healthv1.Health_Watch_FullMethodName)
	case 8:
		q.open(pick(q.c, "/grpc.health.v1.Health/Nothing", "/a.B/C", "/envoy.service.ext_proc.v3.ExternalProcessor/process", "/"))
	case 9:
		q.open(processPath, "content-type", pick(q.c, "application/json", "text/html", "application/grpcx", "application/grpc-web"))
	case 10:
		q.open(processPath, ":method", pick(q.c, "GET", "PUT", "OPTIONS"))
	case 11:
		q.open(processPath, "grpc-encoding", pick(q.c, "identity", "snappy", "br"))
	}
}

// open opens a stream with the usual headers, or others in their place.
func (q *sequence) open(path string, instead ...string) *sentStream {
	q.say("open %d %s %q", 2*len(q.streams)+1, path, instead)
	s := &sentStream{id: uint32(2*len(q.streams) + 1), health: strings.HasPrefix(path, "/grpc.health")}
	q.streams = append(q.streams, s)
	pseudo := [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", "corsproc"}}
	regular := [][2]string{{"te", "trailers"}, {"content-type", pick(q.c, "application/grpc", "application/grpc+proto", "application/grpc;x=y")}}
	for i := 0; i < len(instead); i += 2 {
		field := [2]string{instead[i], instead[i+1]}
		in := &regular
		if strings.HasPrefix(field[0], ":") {
			in = &pseudo
		}
		if at := slices.IndexFunc(*in, func(f [2]string) bool { return f[0] == field[0] }); at >= 0 {
			(*in)[at] = field
		} else {
			*in = append(*in, field)
		}
	}
	for range q.c.of(4) {
		regular = append(regular, pick(q.c, [2]string{"user-agent", "envoy"}, [2]string{"x-long", strings.Repeat("~", 100*q.c.of(256))},
			[2]string{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}, [2]string{"tracestate", "a=b"},
			[2]string{"x-empty", ""}, [2]string{"grpc-accept-encoding", "identity,gzip"}))
	}
	q.shuffle(pseudo)
	q.shuffle(regular)
	q.block.Reset()
	resized := q.c.sometimes(4)
	if resized {
		q.encoder.SetMaxDynamicTableSize(pick[uint32](q.c, 0, 100, 4096))
	}
	for i, f := range append(pseudo, regular...) {
		way := q.c.of(4)
		if i == 0 && resized { // the new size comes first in a block (RFC 7541, section 4.2), and the encoder writes it
			way = 0
		}
		q.field(way, f[0], f[1])
	}
	s.closed = q.c.sometimes(10)
	s.ended = s.closed && !s.health
	q.headers(s.id, q.block.Bytes(), s.closed)
	return s
}

func (q *sequence) shuffle(fields [][2]string) {
	for i := len(fields) - 1; i > 0; i-- {
		j := q.c.of(i + 1)
		fields[i], fields[j] = fields[j], fields[i]
	}
}

// field encodes a header in one of the ways that HPACK has.
func (q *sequence) field(way int, name, value string) {
	switch way {
	case 0:
		q.must(q.encoder.WriteField(hpack.HeaderField{Name: name, Value: value}))
	case 1:
		q.must(q.encoder.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: true}))
	case 2: // a literal that is not indexed, as it is (RFC 7541, section 6.2.2)
		q.block.WriteByte(0)
		for _, text := range []string{name, value} {
			q.block.Write(appendLength(nil, 0, len(text)))
			q.block.WriteString(text)
		}
	case 3: // the same with Huffman's code, however long it becomes
		q.block.WriteByte(0x10)
		for _, text := range []string{name, value} {
			code := hpack.AppendHuffmanString(nil, text)
			q.block.Write(appendLength(nil, 0x80, len(code)))
			q.block.Write(code)
		}
	}
}

// appendLength appends an integer with a prefix of seven bits (RFC 7541, section 5.1).
func appendLength(b []byte, first byte, n int) []byte {
	if n < 127 {
		return append(b, first|byte(n))
	}
	return binary.AppendUvarint(append(b, first|127), uint64(n-127))
}

// headers writes a block as one frame or several.
func (q *sequence) headers(id uint32, block []byte, ends bool) {
	p := http2.HeadersFrameParam{StreamID: id, EndStream: ends, PadLength: uint8(pick(q.c, 0, 0, 0, 7, 255))}
	if q.c.sometimes(4) {
		p.Priority = http2.PriorityParam{Weight: 3, StreamDep: uint32(q.c.of(2)) * 999}
	}
	cut := len(block)
	if q.c.sometimes(3) {
		cut = q.c.of(cut + 1)
	}
	const most = 16000
	cut = min(cut, most)
	p.BlockFragment, p.EndHeaders = block[:cut], cut == len(block)
	q.must(q.framer.WriteHeaders(p))
	for block = block[cut:]; !p.EndHeaders; {
		n := min(len(block), most)
		if q.c.sometimes(2) {
			n = min(n, q.c.of(100))
		}
		p.EndHeaders = n == len(block)
		q.must(q.framer.WriteContinuation(id, p.EndHeaders, block[:n]))
		if block = block[n:]; len(q.c.rest) == 0 && !p.EndHeaders { // all choices are the same from here on
			for len(block) > most {
				q.must(q.framer.WriteContinuation(id, false, block[:most]))
				block = block[most:]
			}
			q.must(q.framer.WriteContinuation(id, true, block))
			return
		}
	}
}

// data sends n bytes of what is begun on a stream, in frames of any length.
func (q *sequence) data(s *sentStream, n int) {
	for n > 0 && !s.health {
		part := min(n, 16000)
		if q.c.sometimes(3) {
			part = min(part, 1+q.c.of(40))
		}
		pad := pick(q.c, 0, 0, 0, 0, 1, 9)
		if q.sent += part + pad + 1; q.sent > maxSequenceData {
			return
		}
		q.say("data %d, %d bytes, %d of padding", s.id, part, pad)
		if pad > 0 {
			q.must(q.framer.WriteDataPadded(s.id, false, s.unsent[:part], make([]byte, pad)))
		} else {
			q.must(q.framer.WriteData(s.id, false, s.unsent[:part]))
		}
		s.unsent = s.unsent[part:]
		n -= part
	}
	s.strict = s.strict && len(s.unsent) > 0
}

// end half-closes a stream, perhaps in the middle of a message.
func (q *sequence) end(s *sentStream) {
	part := s.unsent[:min(len(s.unsent), 16000)]
	if q.c.sometimes(2) || q.sent+len(part) > maxSequenceData {
		part = nil
	}
	q.say("end %d, with %d bytes, %d unsent", s.id, len(part), len(s.unsent)-len(part))
	q.sent += len(part)
	q.must(q.framer.WriteData(s.id, true, part))
	s.closed, s.ended, s.strict = true, !s.health, false
}

func (q *sequence) reset(s *sentStream) {
	q.say("reset %d", s.id)
	q.must(q.framer.WriteRSTStream(s.id, pick(q.c, http2.ErrCodeCancel, http2.ErrCodeNo)))
	s.ended, s.closed, s.strict = true, true, false
}

// other sends a frame that asks for nothing.
func (q *sequence) other(s *sentStream) {
	switch q.c.of(7) {
	case 0:
		q.say("ping")
		q.must(q.framer.WritePing(q.c.sometimes(4), [8]byte{1}))
	case 1:
		id := pick(q.c, 0, s.id)
		q.say("window of %d", id)
		q.must(q.framer.WriteWindowUpdate(id, uint32(1+q.c.of(1000))))
	case 2:
		size := pick[uint32](q.c, 65535, 0, 10, 1<<20)
		q.look() // what is answered already does not wait for a window that becomes smaller
		q.say("initial window %d", size)
		q.must(q.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: size}))
	case 3:
		q.say("settings")
		q.settings()
	case 4:
		q.say("priority")
		q.must(q.framer.WritePriority(s.id, http2.PriorityParam{StreamDep: 99, Weight: 200}))
	case 5:
		q.say("a frame that nobody knows")
		q.must(q.framer.WriteRawFrame(0xb0, 0xff, s.id, []byte("new")))
	case 6:
		q.say("empty data %d", s.id)
		q.must(q.framer.WriteData(s.id, false, nil))
	}
}

func (q *sequence) settings() {
	q.must(q.framer.WriteSettings(slices.DeleteFunc([]http2.Setting{
		{ID: http2.SettingEnablePush, Val: 0},
		{ID: http2.SettingHeaderTableSize, Val: pick[uint32](q.c, 4096, 0, 100, 65536)},
		{ID: http2.SettingMaxFrameSize, Val: pick[uint32](q.c, 16384, 1<<24-1)},
		{ID: http2.SettingMaxConcurrentStreams, Val: 0},
		{ID: http2.SettingMaxHeaderListSize, Val: 1 << 20},
		{ID: 0xf00d, Val: 7},
	}, func(http2.Setting) bool { return q.c.sometimes(3) })...))
}

var preflightMessage = headersMessage(":method", "OPTIONS", ":path", "/", ":scheme", "https", ":authority", "api.example.com",
	"origin", "https://shop.example.com", "access-control-request-method", "PUT")

// message begins one more message on a stream. Nothing of it is sent yet.
func (q *sequence) message(s *sentStream) {
	if s.health && len(s.unsent) > 0 {
		return
	}
	flag := byte(0)
	var m proto.Message
	what := pick(q.c, "GET", "GET", "preflight", "response", "response", "body", "trailers", "response body", "watched", "named",
		"nothing", "health", "rubbish", "compressed", "another flag", "too large", "too large to be")
	switch what {
	case "GET", "compressed", "another flag":
		m = headersMessage(":method", "GET", ":path", "/", ":scheme", "https", ":authority", "api.example.com",
			"origin", pick(q.c, "https://shop.example.com", "https://evil.example", "null"))
		if what != "GET" {
			flag, s.strict = 1, true
		}
		if what == "another flag" {
			flag = byte(2 + q.c.of(200))
		}
	case "preflight":
		m = preflightMessage
	case "response":
		m = responseMessage()
	case "body":
		m = &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{RequestBody: &extprocv3.HttpBody{Body: make([]byte, 10*q.c.of(256))}}}
	case "response body":
		m = &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseBody{ResponseBody: &extprocv3.HttpBody{Body: []byte("x"), EndOfStream: true}}}
	case "trailers":
		m = &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestTrailers{RequestTrailers: &extprocv3.HttpTrailers{}}}
	case "watched":
		watched := responseMessage()
		watched.ObservabilityMode = true
		m = watched
	case "named":
		named := headersMessage(":method", "GET", ":path", "/", ":scheme", "https", ":authority", "x.example", "origin", "https://shop.example.com")
		named.Attributes = map[string]*structpb.Struct{"envoy.filters.http.ext_proc": {Fields: map[string]*structpb.Value{
			"xds.virtual_host_name": structpb.NewStringValue("api")}}}
		m = named
	case "nothing":
		m = &extprocv3.ProcessingRequest{}
	case "health":
		m = &healthv1.HealthCheckRequest{Service: pick(q.c, "", "envoy.service.ext_proc.v3.ExternalProcessor", "unknown")}
	}
	wire := []byte("\xff\xff rubbish")
	switch {
	case m != nil:
		var err error
		wire, err = proto.Marshal(m)
		q.must(err)
	case what == "too large":
		wire = make([]byte, maxSequenceMessage+1)
	}
	q.say("message %d: %s, %d bytes", s.id, what, len(wire))
	s.unsent = append(s.unsent, flag)
	if what == "too large to be" { // and nothing of it but its beginning
		s.unsent = binary.BigEndian.AppendUint32(s.unsent, 1<<31+uint32(q.c.of(256)))
		wire = nil
	} else {
		s.unsent = binary.BigEndian.AppendUint32(s.unsent, uint32(len(wire)))
	}
	s.unsent = append(s.unsent, wire...)
}

// framed is a gRPC message.
func framed(flag byte, m proto.Message) []byte {
	wire, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(wire))), wire...)
}

func headersMessage(pairs ...string) *extprocv3.ProcessingRequest {
	m := &corev3.HeaderMap{}
	for i := 0; i < len(pairs); i += 2 {
		m.Headers = append(m.Headers, &corev3.HeaderValue{Key: pairs[i], RawValue: []byte(pairs[i+1])})
	}
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: &extprocv3.HttpHeaders{Headers: m}}}
}

func responseMessage() *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseHeaders{
		ResponseHeaders: &extprocv3.HttpHeaders{Headers: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "vary", RawValue: []byte("Accept")}}}},
	}}
}
