package extproc

// Tested by facts_test.go and fuzz_test.go.

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// errUnusual says that a message is not written as Envoy writes it. It may still be a good one: the generated types read
// it then.
var errUnusual = errors.New("not written as Envoy does")

// fields goes through the fields of an encoded message. It checks every length, and copies nothing.
type fields struct {
	rest   []byte
	broken bool

	number   protowire.Number
	wireType protowire.Type
	value    []byte // of a field with a length
	varint   uint64 // of a number
}

// next goes to the next field and reports whether there is one. At the end broken says whether it is one of the message.
func (f *fields) next() bool {
	if len(f.rest) == 0 {
		return false
	}
	number, wireType, n := protowire.ConsumeTag(f.rest)
	if n < 0 {
		f.broken = true
		return false
	}
	f.number, f.wireType, f.rest = number, wireType, f.rest[n:]
	switch wireType {
	case protowire.BytesType:
		f.value, n = protowire.ConsumeBytes(f.rest)
	case protowire.VarintType:
		f.varint, n = protowire.ConsumeVarint(f.rest)
	default:
		n = protowire.ConsumeFieldValue(number, wireType, f.rest)
	}
	if n < 0 {
		f.broken = true
		return false
	}
	f.rest = f.rest[n:]
	return true
}

// is reports whether the field is one with a length of that number.
func (f *fields) is(number protowire.Number) bool {
	return f.number == number && f.wireType == protowire.BytesType
}

// The writing of messages. A nested message is written behind one byte of room for its length. If it becomes longer than 127
// bytes, it is moved by a byte or two. That is cheaper than to count everything beforehand.

// begin begins the nested message of a field. It returns where its content starts, for [end].
func begin(out []byte, number protowire.Number) ([]byte, int) {
	out = append(protowire.AppendTag(out, number, protowire.BytesType), 0)
	return out, len(out)
}

// finish ends the nested message whose content starts at start.
func finish(out []byte, start int) []byte {
	n := len(out) - start
	if n < 1<<7 {
		out[start-1] = byte(n)
		return out
	}
	more := protowire.SizeVarint(uint64(n)) - 1
	for range more {
		out = append(out, 0)
	}
	copy(out[start+more:], out[start:start+n])
	protowire.AppendVarint(out[:start-1], uint64(n))
	return out
}

func appendText(out []byte, number protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(out, number, protowire.BytesType), text)
}
