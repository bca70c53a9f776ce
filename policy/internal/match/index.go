package match

import (
	"encoding/binary"
	"iter"
	"math/bits"
)

// An Index finds a number other than 0 by a key of two parts, a space and a text. It does what a map would, and lives in
// two slices without a pointer: a set with a million patterns is nothing for the garbage collector to walk through,
// and keeps nothing of the policy files alive. A look-up costs one hash and reads two places in memory, whatever the
// size of the index.
//
// It is an open hash table with linear probing.
type Index struct {
	slots   []uint64 // 0: free; else the place of a record and, above it, some bits of its hash
	records []byte   // one after another: space, value, length of the text, text
	used    int      // of slots
}

const (
	slotPlace    = 1<<slotTagAt - 1 // of the record, plus 1
	slotTagAt    = 40
	slotTag      = 1<<(64-slotTagAt) - 1 // the bits of the hash
	recordValue  = 8                     // where the parts of a record begin
	recordLength = 16
	recordText   = 20
)

// Reserve makes room for n more entries with so many bytes of text in all. More only costs time.
func (x *Index) Reserve(n, text int) {
	x.resize(slotsFor(x.used + n))
	if need := len(x.records) + n*recordText + text; need > cap(x.records) {
		x.records = append(make([]byte, 0, need), x.records...)
	}
}

// slotsFor returns how many slots n entries take: five of eight are used at most. Then a miss reads four slots on
// average, which is half a cache line.
func slotsFor(n int) int { return n*8/5 + 8 }

func (x *Index) resize(slots int) {
	if slots <= len(x.slots) {
		return
	}
	x.slots = make([]uint64, slots)
	for at := 0; at < len(x.records); {
		r := x.record(at)
		x.occupy(Hash(r.Space, string(r.Text)), at)
		at += r.size()
	}
}

// record is an entry of an index.
type record struct {
	Space, Value uint64
	Text         []byte
}

// size returns how many bytes a record takes.
func (r *record) size() int { return recordText + len(r.Text) }

func (x *Index) record(at int) record {
	r := x.records[at:]
	return record{Space: binary.LittleEndian.Uint64(r), Value: binary.LittleEndian.Uint64(r[recordValue:]), Text: textOf(r)}
}

// textOf returns the text of the record with which records begin.
func textOf(records []byte) []byte {
	return records[recordText:][:binary.LittleEndian.Uint32(records[recordLength:])]
}

// home returns where a hash is looked for first: its upper bits, scaled to the number of slots.
func (x *Index) home(h uint64) int {
	high, _ := bits.Mul64(h, uint64(len(x.slots)))
	return int(high)
}

func (x *Index) occupy(h uint64, at int) {
	i := x.home(h)
	for x.slots[i] != 0 {
		if i++; i == len(x.slots) {
			i = 0
		}
	}
	x.slots[i] = h&slotTag<<slotTagAt | uint64(at+1)
}

// All yields every entry, in the order in which they were added.
func (x *Index) All() iter.Seq[record] {
	return func(yield func(record) bool) {
		for at := 0; at < len(x.records); {
			r := x.record(at)
			at += r.size()
			if !yield(r) {
				return
			}
		}
	}
}

// Find returns the number of a key, or 0.
func (x *Index) Find(space uint64, text string) uint64 {
	if x.used == 0 {
		return 0
	}
	slots := x.slots
	h := Hash(space, text)
	for i := x.home(h); ; i++ {
		if i >= len(slots) {
			i = 0
		}
		slot := slots[i]
		if slot == 0 {
			return 0
		}
		if slot>>slotTagAt != h&slotTag {
			continue
		}
		r := x.records[slot&slotPlace-1:]
		if binary.LittleEndian.Uint64(r) == space && string(textOf(r)) == text {
			return binary.LittleEndian.Uint64(r[recordValue:])
		}
	}
}

// Add enters a number under a key. A key that has one already keeps it, and had is what it has.
func (x *Index) Add(space uint64, text string, value uint64) (had uint64) {
	if had := x.Find(space, text); had != 0 {
		return had
	}
	if need := slotsFor(x.used + 1); need > len(x.slots) {
		x.resize(2 * need)
	}
	at := len(x.records)
	x.records = binary.LittleEndian.AppendUint64(x.records, space)
	x.records = binary.LittleEndian.AppendUint64(x.records, value)
	x.records = binary.LittleEndian.AppendUint32(x.records, uint32(len(text)))
	x.records = append(x.records, text...)
	x.occupy(Hash(space, text), at)
	x.used++
	return 0
}
