package policy

// families counts, for each domain, how many exact origins of a list are subdomains of it on the same scheme and port. It
// is a hash table of its own because every origin of every set is counted; it is used again for the next list.
type families struct {
	list  []entry
	slots []familySlot
	used  int
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
	count, first   int // first is an index in the list
}

// begin forgets all and takes up a list.
func (f *families) begin(list []entry) {
	f.list, f.used = list, 0
	f.resize(len(list)/4 + 16) // most have a parent in common
}

// resize empties the table, too.
func (f *families) resize(n int) {
	if cap(f.slots) < n {
		f.slots = make([]familySlot, n)
		return
	}
	f.slots = f.slots[:n]
	clear(f.slots)
}

// add counts an exact origin for each domain above its host.
func (f *families) add(i int) {
	o := &f.list[i].origin
	end := len(o.scheme) + len("://") + len(o.host)
	for parent := range parents(o.host) {
		if 2*f.used >= len(f.slots) {
			f.grow()
		}
		domain := end - len(parent)
		slot := f.slot(hash(0, o.text[domain:]), o, domain)
		if slot.count == 0 {
			slot.first, slot.domain = int32(i), int32(domain)
			f.used++
		}
		slot.count++
	}
}

// slot returns the slot of a family, or the free one that is to be its.
func (f *families) slot(h uint64, o *origin, domain int) *familySlot {
	for i := int(h % uint64(len(f.slots))); ; i++ {
		if i == len(f.slots) {
			i = 0
		}
		slot := &f.slots[i]
		if slot.count == 0 {
			slot.hash = h
			return slot
		}
		if slot.hash != h {
			continue
		}
		if first := &f.list[slot.first].origin; first.text[slot.domain:] == o.text[domain:] && first.scheme == o.scheme {
			return slot
		}
	}
}

func (f *families) grow() {
	old := f.slots
	f.slots = make([]familySlot, 2*len(old))
	for _, s := range old {
		if s.count > 0 {
			*f.slot(s.hash, &f.list[s.first].origin, int(s.domain)) = s
		}
	}
}

// atLeast returns the families of at least n origins.
func (f *families) atLeast(n int) (found []family) {
	for i := range f.slots {
		if s := &f.slots[i]; int(s.count) >= n {
			o := &f.list[s.first].origin
			end := len(o.scheme) + len("://") + len(o.host)
			found = append(found, family{o.scheme, o.text[s.domain:end], o.port, int(s.count), int(s.first)})
		}
	}
	return found
}
