package match

// Tested by index_test.go.

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// hashKey makes hashes of one process different from those of another, so that nobody can write a policy file of which
// all keys collide. Requests only look keys up, so they cannot make any collide.
var hashKey = [3]uint64{rand.Uint64(), rand.Uint64(), rand.Uint64()}

// Hash returns the hash of a key of an index. It takes 16 bytes at a time and multiplies them with what it has so far,
// as wyhash does: for texts as short as hosts and origins that takes half the time of package maphash, which is a fifth
// of a decision.
func Hash(space uint64, text string) uint64 {
	n := len(text)
	h := hashKey[0] ^ space ^ uint64(n)
	var a, b uint64 // the last 16 bytes or what there is, overlapping where it is less than that
	switch {
	case n >= 16:
		for i := 0; i < n-16; i += 16 {
			h = fold(load8(text, i)^hashKey[1], load8(text, i+8)^h)
		}
		a, b = load8(text, n-16), load8(text, n-8)
	case n >= 8:
		a, b = load8(text, 0), load8(text, n-8)
	case n >= 4:
		a, b = load4(text, 0), load4(text, n-4)
	case n > 0:
		a = uint64(text[0])<<16 | uint64(text[n/2])<<8 | uint64(text[n-1])
	}
	// One product of numbers that differ in few bits may leave its upper bits nearly the same.
	return fold(fold(a^hashKey[1], b^h), hashKey[2])
}

// fold multiplies and makes 64 bits of the 128 of the product.
func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// load8 and load4 read an integer; the conversion to a slice is none in the compiled code.
func load8(s string, i int) uint64 { return binary.LittleEndian.Uint64([]byte(s[i : i+8])) }
func load4(s string, i int) uint64 { return uint64(binary.LittleEndian.Uint32([]byte(s[i : i+4]))) }
