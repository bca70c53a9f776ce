package policy

import (
	"math/bits"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// families counts, for each domain, how many exact origins of a list are subdomains of it on the same scheme and port. It
// is a hash table of its own because every origin of every set is counted; it is used again for the next list.
type families struct {
	texts  []string // the list
	slots  []familySlot
	used   int
	recent [16]*familySlot // where the last families were, by the length of their text: neighbours in a list often share them
}

// familySlot is a family, by its first origin in the list: its text from the domain on, which has the port, and its
// scheme are those of the family.
type familySlot struct {
	hash          uint64
	first, domain int32 // the element, and where in its text the domain begins
	count         int32 // 0: free
}

// family is a domain with its subdomains in a list.
type family struct {
	scheme, domain string
	port           int32
	count, first   int // first is the element
}

// begin forgets all and takes up a list.
func (f *families) begin(texts []string) {
	f.texts, f.slots, f.used = texts, f.slots[:0], 0
	clear(f.recent[:])
	if len(texts) < manyExact {
		return // it has no large family
	}
	n := len(texts)/4 + 16 // most have a parent in common
	if cap(f.slots) < n {
		f.slots = make([]familySlot, n)
		return
	}
	f.slots = f.slots[:n]
	clear(f.slots)
}

// deepest is of how many domains above a host its origin is counted: of deeper hosts the others count for nothing.
const deepest = 8

// add counts element i of the list, where it is an exact origin, for each domain above its host but the top-level one.
func (f *families) add(p *origin.Pattern, i int) {
	if len(f.slots) == 0 || !p.IsExact() || origin.IsIPv4(p.Origin.Host) {
		return
	}
	o := &p.Origin
	start := len(o.Scheme) + len("://")
	rest := o.Text[start : start+len(o.Host)]
	dot := strings.IndexByte(rest, '.')
	for range deepest {
		if dot < 0 {
			return
		}
		start += dot + 1
		rest = rest[dot+1:]
		if dot = strings.IndexByte(rest, '.'); dot < 0 {
			return
		}
		f.count(i, len(o.Scheme), start)
	}
}

func (f *families) count(i, scheme, domain int) {
	text := f.texts[i][domain:]
	recent := &f.recent[len(text)%len(f.recent)]
	if *recent == nil || !f.same(*recent, i, scheme, domain) {
		if 2*f.used >= len(f.slots) {
			f.grow()
		}
		*recent = f.slot(match.Hash(uint64(scheme), text), i, scheme, domain)
	}
	slot := *recent
	if slot.count == 0 {
		slot.first, slot.domain = int32(i), int32(domain)
		f.used++
	}
	slot.count++
}

// same reports whether a family is that of an origin from a domain on.
func (f *families) same(slot *familySlot, i, scheme, domain int) bool {
	a, b := f.texts[slot.first], f.texts[i]
	return a[slot.domain:] == b[domain:] && strings.HasPrefix(a, b[:scheme+1])
}

// slot returns the slot of a family, or the free one that is to be its.
func (f *families) slot(h uint64, i, scheme, domain int) *familySlot {
	home, _ := bits.Mul64(h, uint64(len(f.slots)))
	for at := int(home); ; at++ {
		if at == len(f.slots) {
			at = 0
		}
		slot := &f.slots[at]
		if slot.count == 0 {
			slot.hash = h
			return slot
		}
		if slot.hash == h && f.same(slot, i, scheme, domain) {
			return slot
		}
	}
}

func (f *families) grow() {
	old := f.slots
	clear(f.recent[:])
	f.slots = make([]familySlot, 2*len(old))
	for _, s := range old {
		if s.count > 0 {
			scheme := strings.IndexByte(f.texts[s.first], ':')
			*f.slot(s.hash, int(s.first), scheme, int(s.domain)) = s
		}
	}
}

// atLeast returns the families of at least n origins.
func (f *families) atLeast(n int) (found []family) {
	for i := range f.slots {
		if s := &f.slots[i]; int(s.count) >= n {
			o, _ := origin.Parse(f.texts[s.first])
			end := len(o.Scheme) + len("://") + len(o.Host)
			found = append(found, family{o.Scheme, o.Text[s.domain:end], o.Port, int(s.count), int(s.first)})
		}
	}
	return found
}
