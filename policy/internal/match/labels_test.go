package match

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/growth"
	"github.com/corsproc/corsproc/policy/internal/origin"
)

// labelSets are lists of about n patterns with a star in a label, each with an origin that one of them covers and one that none
// does.
var labelSets = []struct {
	name              string
	patterns          func(n int) []string
	covered, notQuite string
}{
	{"beginnings", func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("https://tenant%d-*.preview.example", i))
		}
		return all
	}, "https://tenant0-pr-7.preview.example", "https://tenant0.preview.example"},
	{"ends", func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("https://*-team%d.preview.example:*", i))
		}
		return all
	}, "https://pr-7-team0.preview.example:8443", "https://pr-7-teams0.preview.example"},
	{"both", func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("https://app%d-*-team%d.preview.example", i%1000, i/1000))
		}
		return all
	}, "https://app0-pr-7-team0.preview.example", "https://app0-pr-7-team.preview.example"},
	{"domains", func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("https://app-*.tenant%d.example", i))
		}
		return all
	}, "https://app-1.tenant0.example", "https://app-.tenant0.example"},
	{"every length", func(n int) (all []string) { // a*, aa*, aaa*, …, and as many others as there may be
		r := rand.New(rand.NewPCG(1, 2))
		for i := range n {
			text := strings.Repeat("a", 1+i%61)
			if i >= 61 {
				text = text[:r.IntN(len(text))+1] + fmt.Sprint(i)
			}
			all = append(all, "https://"+text[:min(len(text), 61)]+"*.preview.example")
		}
		return all
	}, "https://" + strings.Repeat("a", 63) + ".preview.example", "https://" + strings.Repeat("a", 62) + "_.preview.example"},
	{"hostile", func(n int) (all []string) { // each beginning of an origin has ends of every length, none of which is the origin's
		for i := 0; len(all) < n; i++ {
			for before := 1; before < 31; before++ {
				for behind := 1; behind < 31; behind++ {
					end := strings.Repeat("d", behind)
					all = append(all, "https://"+strings.Repeat("a", before)+"*"+fmt.Sprintf("%d", i%10)+end[1:]+".preview.example", "https://q"+fmt.Sprint(i)+"*"+end+".preview.example")
				}
			}
		}
		return all[:max(n, 1)]
	}, "https://q0x" + strings.Repeat("d", 31) + ".preview.example", "https://" + strings.Repeat("a", 30) + "x" + strings.Repeat("d", 31) + ".preview.example"},
}

func labelList(t testing.TB, patterns []string) *Origins {
	t.Helper()
	list := new(OriginIndex).List()
	for i, text := range patterns {
		p, why := origin.ParsePattern(text)
		if why != "" {
			t.Fatal(text, why)
		}
		list.Add(&p, uint64(i+1))
	}
	list.Complete()
	return &list
}

// TestLabels: a pattern is found among any number without allocations, and in about the same time.
func TestLabels(t *testing.T) {
	for _, c := range labelSets {
		few, most := c.patterns(2000), c.patterns(50_000)
		// What grows a little is the misses of the processor's caches.
		look := func(list *Origins) func() {
			return func() {
				for _, text := range []string{c.covered, c.notQuite} {
					o, _ := origin.Parse(text)
					for range 2000 {
						list.Match(&o)
					}
				}
			}
		}
		growth.AtMost(t, 6, look(labelList(t, few)), look(labelList(t, most)))
		for _, n := range []int{1, 1000, 10_000} {
			list := labelList(t, c.patterns(n))
			for _, text := range []string{c.covered, c.notQuite} {
				o, ok := origin.Parse(text)
				if !ok {
					t.Fatal(text)
				}
				number := list.Match(&o)
				if (number != 0) != (text == c.covered) && (n > 1 || c.name != "hostile" && c.name != "every length") {
					t.Errorf("%d %s: %s is covered by %d", n, c.name, text, number)
				}
				if allocated := testing.AllocsPerRun(10, func() { list.Match(&o) }); allocated != 0 {
					t.Errorf("%d %s: %s costs %v allocations", n, c.name, text, allocated)
				}
			}
		}
	}
}

func BenchmarkLabels(b *testing.B) {
	for _, c := range labelSets {
		for _, n := range []int{1, 1000, 100_000} {
			list := labelList(b, c.patterns(n))
			for name, text := range map[string]string{"covered": c.covered, "not": c.notQuite} {
				o, _ := origin.Parse(text)
				b.Run(fmt.Sprintf("%s/%d/%s", c.name, n, name), func(b *testing.B) {
					for b.Loop() {
						list.Match(&o)
					}
				})
			}
		}
	}
}
