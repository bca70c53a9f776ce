package match

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

// FuzzIndex holds an index against a map.
func FuzzIndex(f *testing.F) {
	f.Add([]byte("\x00\x01a\x01\x01a\x00\x01a\x00\x00"), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, reserved uint8) {
		type key struct {
			space uint64
			text  string
		}
		var x Index
		x.Reserve(int(reserved), 0)
		all := map[key]uint64{}
		var order []key
		for n := uint64(1); len(data) >= 2; n++ {
			k := key{space: uint64(data[0]) << (data[0] % 57)}
			length := min(int(data[1]), len(data)-2)
			k.text, data = string(data[2:2+length]), data[2+length:]
			had, known := all[k], all[k] != 0
			if got := x.Add(k.space, k.text, n); got != had {
				t.Fatalf("add %v: had %d, want %d", k, got, had)
			}
			if !known {
				all[k] = n
				order = append(order, k)
			}
		}
		for k, n := range all {
			if got := x.Find(k.space, k.text); got != n {
				t.Errorf("find %v: %d, want %d", k, got, n)
			}
			for _, other := range []key{{k.space + 1, k.text}, {k.space, k.text + "x"}, {k.space, ""}} {
				if got := x.Find(other.space, other.text); got != all[other] {
					t.Errorf("find %v: %d, want %d", other, got, all[other])
				}
			}
		}
		for r := range x.All() {
			if k := (key{r.Space, string(r.Text)}); len(order) == 0 || order[0] != k {
				t.Fatalf("%v comes out of order", k)
			}
			order = order[1:]
		}
		if len(order) > 0 {
			t.Errorf("%d entries are not told", len(order))
		}
	})
}

// TestIndexProbes counts the slots that look-ups read, in place of a clock: they must be few at any size and whatever the
// hash's key is, for keys that differ in the space only as for those that differ in the text only, and in few bits.
func TestIndexProbes(t *testing.T) {
	old := hashKey
	t.Cleanup(func() { hashKey = old })
	r := rand.New(rand.NewPCG(1, 2))
	shapes := map[string]func(i int) (uint64, string){
		"texts":          func(i int) (uint64, string) { return 7, fmt.Sprintf("https://h%d.example.com", i) },
		"lists":          func(i int) (uint64, string) { return originSpace(spaceExact, uint32(i), 0), "https://a.example.com" },
		"lists, no text": func(i int) (uint64, string) { return originSpace(spaceAny, uint32(i), schemeHTTP), "" },
		"kinds":          func(i int) (uint64, string) { return originSpace(i%6, uint32(i/6), uint32(i%3)), "" },
		"short texts":    func(i int) (uint64, string) { return uint64(i) << 60, fmt.Sprint(i / 16) },
		"4 bytes":        func(i int) (uint64, string) { return 0, string(binary.BigEndian.AppendUint32(nil, uint32(i))) },
		"8 bytes":        func(i int) (uint64, string) { return 0, string(binary.BigEndian.AppendUint64(nil, uint64(i)<<20)) },
		"random":         func(i int) (uint64, string) { return r.Uint64(), "" },
	}
	check := func(name string, n int) {
		var x Index
		x.Reserve(n, 0)
		for i := range n {
			space, text := shapes[name](i)
			x.Add(space, text, 1)
		}
		total, longest, run := 0, 0, 0
		for range 2 { // the table is a ring
			for _, slot := range x.slots {
				if slot == 0 {
					run = 0
					continue
				}
				run++
				total += run
				longest = max(longest, run)
			}
		}
		if mean := float64(total) / float64(2*len(x.slots)); mean > 8 || longest > 500 {
			t.Errorf("%d %s with the key %x: a miss reads %.1f slots on average and %d at worst", n, name, hashKey, mean, longest)
		}
	}
	for name := range shapes {
		check(name, 100_000)
		for range 50 {
			hashKey = [3]uint64{r.Uint64(), r.Uint64(), r.Uint64()}
			check(name, 1000)
		}
	}
}
