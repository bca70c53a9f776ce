package loop

import (
	"bytes"
	"errors"

	"golang.org/x/net/http2/hpack"
)

// block reads a header block that comes in several frames. It hands the decoder one field at a time, and replaces strings
// that are too long to be of use. So a block of megabytes needs the memory of one short field, and time in proportion to its
// length. The decoder alone would gather a long string anew with every frame.
//
// A replaced string has the effect on the table of headers that the whole one has: an entry that is larger than the table
// empties it and is not added (RFC 7541, section 4.4). Its length is counted in [block.cut].
type block struct {
	decoder *hpack.Decoder

	field    []byte // the field that is being read, as it came but for strings that are cut
	at       int    // in field, where the length of the string that is being read begins
	state    blockState
	strings  int    // how many strings of the field are still to come, without the one that is being read
	length   uint64 // of the string that is being read, its bytes that are still to come
	shift    uint   // of the next byte of length
	cut      int    // bytes that the decoder was spared, of the whole block
	skipping bool   // the string that is being read is cut
}

type blockState uint8

const (
	atField  blockState = iota // before the first byte of a field
	inIndex                    // in the integer that a field begins with
	atLength                   // before the first byte of a string's length
	inLength                   // behind it
	inString
)

const (
	// maxString is how many bytes of the block, compressed or not, a string may have that is handed to the decoder. The
	// longest code has 30 bits (RFC 7541, appendix B). So a compressed string of this length has more characters than the
	// table has bytes.
	maxString = 16 << 10
	// maxInteger bounds the bytes of an integer behind its first.
	maxInteger = 9
)

// instead is what the decoder gets for a string that is too long: a length, and that many x. No entry with it fits into the
// table.
var instead = append([]byte{0x7f, 0x81, 0x1f}, bytes.Repeat([]byte{'x'}, hpackTable)...) // 127 + 1 + 31*128 = 4096

var errInteger = errors.New("an integer of HPACK is too long")

// write takes a part of the block.
func (b *block) write(p []byte) error {
	for len(p) > 0 {
		if b.state == inString {
			n := int(min(uint64(len(p)), b.length))
			if b.length -= uint64(n); b.skipping {
				b.cut += n
			} else {
				b.field = append(b.field, p[:n]...)
			}
			if p = p[n:]; b.length > 0 {
				return nil
			}
			if err := b.next(); err != nil {
				return err
			}
			continue
		}
		c := p[0]
		p = p[1:]
		b.field = append(b.field, c)
		var err error
		switch b.state {
		case atField:
			err = b.begin(c)
		case inIndex:
			if c&0x80 == 0 {
				err = b.next()
			} else if len(b.field) > maxInteger {
				err = errInteger
			}
		case atLength:
			b.length, b.shift = uint64(c&0x7f), 0 // the first bit says that it is compressed, which changes no length here
			if b.state = inLength; b.length < 0x7f {
				err = b.enter()
			}
		case inLength:
			b.length += uint64(c&0x7f) << b.shift
			b.shift += 7
			if c&0x80 == 0 {
				err = b.enter()
			} else if b.shift > 7*(maxInteger-1) {
				err = errInteger
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// begin takes the first byte of a field (RFC 7541, section 6).
func (b *block) begin(c byte) error {
	bits, literal := 7, false
	switch {
	case c&0x80 != 0: // indexed
	case c&0xc0 == 0x40: // literal, goes into the table
		bits, literal = 6, true
	case c&0xe0 == 0x20: // the table's size
		bits = 5
	default: // literal, does not
		bits, literal = 4, true
	}
	most := byte(1)<<bits - 1
	b.strings = 0
	if literal {
		b.strings = 1
		if c&most == 0 {
			b.strings = 2 // the name too
		}
	}
	if c&most == most {
		b.state = inIndex
		return nil
	}
	return b.next()
}

// enter begins a string whose length is known.
func (b *block) enter() error {
	b.state = inString
	if b.skipping = b.length > maxString; b.skipping {
		b.field = append(b.field[:b.at], instead...)
	}
	if b.length == 0 {
		return b.next()
	}
	return nil
}

// next goes on to the next string, or hands the field over when there is none.
func (b *block) next() error {
	if b.strings > 0 {
		b.strings--
		b.state, b.at = atLength, len(b.field)
		return nil
	}
	b.state = atField
	_, err := b.decoder.Write(b.field)
	b.field = b.field[:0]
	return err
}

// end ends the block. An error is that it ended in the middle of a field.
func (b *block) end() error {
	whole := b.state == atField
	*b = block{decoder: b.decoder}
	if !whole {
		return errors.New("the header block ends in the middle of a field")
	}
	return b.decoder.Close()
}
