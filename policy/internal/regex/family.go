package regex

// Tested by walk_test.go.

import (
	"encoding/binary"
	"math/bits"
	"regexp"
	"slices"
	"sort"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

const (
	// ManyNames is how many names are still few: more than two dots add that stand for any character.
	ManyNames = 10_000
	// maxLabel is the length of the longest label of a domain (RFC 1035, section 2.3.4).
	maxLabel = 63
)

// nameSymbols are the bytes of names that people can register.
var nameSymbols = setOf("abcdefghijklmnopqrstuvwxyz0123456789-")

// SuffixFamily is that an expression accepts whatever name is straight under a public suffix.
type SuffixFamily struct {
	Suffix   string
	Accepted string // one of the origins
}

// SuffixFamilyOf looks for a public suffix straight under which an expression accepts more names than a limit: whatever
// name stands there. It is not asked which they are, as behind each name of myapp-[a-z0-9-]+ stands whoever takes it. A
// host counts for every suffix that it is below: that of a.b.github.io has the name b, and shop.example.com in front of the
// suffix com the name example. Names that are listed, such as (alice|bob), are fine. So are the few that an unescaped dot
// adds, of which there are warnings.
//
// It reports false where it would cost too much to tell.
func SuffixFamilyOf(re *regexp.Regexp, limit int, steps *int) (found *SuffixFamily, judged bool) {
	w, _ := walkOrigins(re, domainOrigins(), steps, nil)
	if w == nil {
		return nil, false
	}
	f := familySearch{originWalk: w, limit: limit}
	found = f.search()
	return found, found != nil || *steps >= 0
}

// familySearch looks for such a suffix: it walks backwards through the graph of an expression, from where hosts end,
// along all the suffixes at the same time, and counts the names where one of them fits.
type familySearch struct {
	*originWalk
	limit   int          // of names
	sources [][]walkEdge // by node: from where edges lead to it
	toEnd   []int32      // by node: the length of a shortest text to the end of an origin; -1: there is none
	starts  []int32      // the nodes at which labels begin, those with the shortest texts first
	marks   []int32      // by node: the set that it was put into last
	mark    int32
	sets    map[string]*nodeSet
}

// nodeSet is a set of nodes, in order. There is one of each.
type nodeSet struct {
	nodes   []int32
	symbols symbolSet         // by which edges lead to one of them
	before  map[byte]*nodeSet // from where a symbol leads to one of them, as far as that was asked
	many    bool              // more names end at them than the limit
	counted bool              // and that is known
}

// link turns the edges around, of which only those that lead to the end of an origin are kept.
func (f *familySearch) link() {
	all := make([][]walkEdge, len(f.nodes))
	f.toEnd, f.marks = make([]int32, len(f.nodes)), make([]int32, len(f.nodes))
	var queue []int32
	for at := range f.nodes {
		for _, e := range f.nodes[at].edges {
			all[e.to] = append(all[e.to], walkEdge{int32(at), e.by})
		}
		f.toEnd[at] = -1
		if f.accepts(int32(at)) {
			f.toEnd[at] = 0
			queue = append(queue, int32(at))
		}
	}
	f.sources = make([][]walkEdge, len(f.nodes))
	for ; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		f.sources[at] = all[at]
		for _, e := range all[at] {
			if f.toEnd[e.to] < 0 {
				f.toEnd[e.to] = f.toEnd[at] + 1
				queue = append(queue, e.to)
			}
		}
	}
	isStart := make([]bool, len(f.nodes))
	for at := range f.nodes {
		for _, e := range f.nodes[at].edges {
			isStart[e.to] = isStart[e.to] || e.by&setOf("./") != 0 && f.toEnd[e.to] >= 0
		}
	}
	for at, is := range isStart {
		if is {
			f.starts = append(f.starts, int32(at))
		}
	}
}

// set returns a set of nodes, which may be in any order and there several times.
func (f *familySearch) set(nodes []int32) *nodeSet {
	slices.Sort(nodes)
	nodes = slices.Compact(nodes)
	key := nodesKey(nodes)
	set := f.sets[key]
	if set == nil {
		set = &nodeSet{nodes: nodes, before: map[byte]*nodeSet{}}
		f.sets[key] = set
		for _, at := range nodes {
			*f.steps -= 8 + len(f.sources[at])
			for _, e := range f.sources[at] {
				set.symbols |= e.by
			}
		}
	}
	return set
}

func nodesKey(nodes []int32) string {
	var key []byte
	for _, at := range nodes {
		key = binary.LittleEndian.AppendUint32(key, uint32(at))
	}
	return string(key)
}

// before returns the nodes from which a symbol leads to one of a set.
func (f *familySearch) before(set *nodeSet, symbol byte) *nodeSet {
	*f.steps--
	before := set.before[symbol]
	if before == nil {
		f.mark++
		var nodes []int32
		by := setOf(string(symbol))
		for _, at := range set.nodes {
			*f.steps -= len(f.sources[at])
			for _, e := range f.sources[at] {
				if e.by&by != 0 && f.marks[e.to] != f.mark {
					f.marks[e.to] = f.mark
					nodes = append(nodes, e.to)
				}
			}
		}
		before = f.set(nodes)
		set.before[symbol] = before
	}
	return before
}

// hostEnds returns the nodes at which a host may end: but for a final dot and a port, the origin ends there.
func (f *familySearch) hostEnds() *nodeSet {
	var ends []int32
	for at := range f.nodes {
		if f.isHostEnd(int32(at)) {
			ends = append(ends, int32(at))
		}
	}
	return f.set(append(ends, f.before(f.set(ends), '.').nodes...))
}

// isHostEnd reports whether at a node an origin may end, or its port may begin.
func (f *familySearch) isHostEnd(at int32) bool {
	port, _ := f.closer(at, setOf(":"), f.toEnd)
	return port >= 0 || f.accepts(at)
}

// ending returns what of an origin follows on its host, given one of hostEnds.
func (f *familySearch) ending(at int32) (text string) {
	if !f.isHostEnd(at) {
		e := slices.IndexFunc(f.nodes[at].edges, func(e walkEdge) bool { return e.by&setOf(".") != 0 && f.isHostEnd(e.to) })
		at, text = f.nodes[at].edges[e].to, "."
	}
	for symbols := setOf(":"); !f.accepts(at); symbols = ^symbolSet(0) {
		var by string
		at, by = f.closer(at, symbols, f.toEnd)
		text += by
	}
	return text
}

// search returns the first family that it finds.
func (f *familySearch) search() *SuffixFamily {
	f.sets = map[string]*nodeSet{}
	f.link()
	return f.along(origin.BackwardSuffixes(), []*nodeSet{f.hostEnds()})
}

// along looks along some suffixes that have in common what was read of them. Of that, sets[i] are the nodes from which its
// first i bytes, read backwards, lead to the end of a host.
func (f *familySearch) along(suffixes []origin.BackwardSuffix, sets []*nodeSet) *SuffixFamily {
	n := len(sets) - 1
	if *f.steps -= 10; *f.steps < 0 {
		return nil
	}
	if suffixes[0].Text[n:] == "" {
		if found := f.under(sets, suffixes[0]); found != nil {
			return found
		}
		suffixes = suffixes[1:]
	}
	for symbols := sets[n].symbols; symbols != 0 && len(suffixes) > 0; symbols &= symbols - 1 {
		symbol := symbolText(symbols)[0]
		more := suffixes[sort.Search(len(suffixes), func(i int) bool { return suffixes[i].Text[n] >= symbol }):]
		more = more[:sort.Search(len(more), func(i int) bool { return more[i].Text[n] > symbol })]
		*f.steps -= 2
		if len(more) == 0 {
			continue
		}
		if found := f.along(more, append(slices.Clip(sets), f.before(sets[n], symbol))); found != nil {
			return found
		}
	}
	return nil
}

// under looks at the names straight under a suffix, whose sets are given.
func (f *familySearch) under(sets []*nodeSet, suffix origin.BackwardSuffix) *SuffixFamily {
	ends := f.before(sets[len(sets)-1], '.')
	if !ends.counted {
		ends.many, ends.counted = f.names(ends.nodes, nil), true
	}
	if domain := origin.Backward(suffix.Text); ends.many && origin.IsPublicSuffix(domain) {
		if accepted := f.example(sets, ends.nodes, domain); accepted != "" {
			return &SuffixFamily{domain, accepted}
		}
	}
	if ends.many || !suffix.Every {
		return nil
	}
	var names []string // each of which may be a suffix itself
	f.names(ends.nodes, &names)
	slices.Sort(names)
	for _, name := range names {
		more, below := slices.Clip(sets), "."+origin.Backward(name)
		for i := range len(below) {
			more = append(more, f.before(more[len(more)-1], below[i]))
		}
		if found := f.under(more, origin.BackwardSuffix{Text: suffix.Text + below}); found != nil {
			return found
		}
	}
	return nil
}

// example returns an origin whose host has a name straight under a domain, given the sets of the domain and where names
// end. It is empty where all of them are too long.
func (f *familySearch) example(sets []*nodeSet, ends []int32, domain string) string {
	distance := f.distances(ends)
	for _, start := range f.starts {
		at, text := f.closer(start, nameSymbols, distance)
		if at < 0 {
			continue
		}
		name := 1
		for ; distance[at] > 0; name++ {
			var by string
			at, by = f.closer(at, nameSymbols, distance)
			text += by
		}
		if name > maxLabel {
			continue
		}
		for i := len(sets) - 1; i >= 0; i-- {
			symbol := byte('.')
			if i < len(sets)-1 {
				symbol = domain[len(domain)-1-i]
			}
			text += string(symbol)
			by := setOf(string(symbol))
			to := int32(-1)
			for _, e := range f.nodes[at].edges {
				// At the end of the host, rather one at which the origin ends, too.
				if _, in := slices.BinarySearch(sets[i].nodes, e.to); in && e.by&by != 0 && (to < 0 || i == 0 && f.accepts(e.to)) {
					to = e.to
				}
			}
			at = to
		}
		if text = f.text(start) + text + f.ending(at); len(text) <= origin.MaxLen {
			return text
		}
	}
	return ""
}

// closer returns the node to which some symbols lead from another one that has the shortest distance, and one of them. The
// node is -1 where none has any.
func (f *familySearch) closer(at int32, symbols symbolSet, distance []int32) (to int32, by string) {
	to = -1
	for _, e := range f.nodes[at].edges {
		if e.by&symbols != 0 && distance[e.to] >= 0 && (to < 0 || distance[e.to] < distance[to]) {
			to, by = e.to, symbolText(e.by&symbols)
		}
	}
	return to, by
}

// symbolText returns the first of some symbols.
func symbolText(set symbolSet) string {
	return string(symbolAt(uint8(bits.TrailingZeros64(uint64(set)))))
}

// distances returns by node how long a shortest text of name symbols is that leads to one of a set; -1: there is none.
func (f *familySearch) distances(ends []int32) []int32 {
	distance := make([]int32, len(f.nodes))
	*f.steps -= len(distance) / 8
	for at := range distance {
		distance[at] = -1
	}
	queue := slices.Clone(ends)
	for _, at := range ends {
		distance[at] = 0
	}
	for ; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		*f.steps -= len(f.sources[at])
		for _, e := range f.sources[at] {
			if e.by&nameSymbols != 0 && distance[e.to] < 0 {
				distance[e.to] = distance[at] + 1
				queue = append(queue, e.to)
			}
		}
	}
	return distance
}

// begun are texts of the same length with which names begin, and which lead to the same nodes.
type begun struct {
	nodes []int32
	count int    // of the texts, up to the limit
	text  string // where names are listed: the text, which is one then
}

// names reports whether more names than the limit lead from where labels begin to some nodes. It lists them, if that is
// wanted, and if they are not too many.
func (f *familySearch) names(ends []int32, list *[]string) (many bool) {
	distance := f.distances(ends)
	var from []int32
	for _, at := range f.starts {
		if distance[at] >= 0 {
			from = append(from, at)
		}
	}
	total := 0
	layer := map[string]*begun{"": {nodes: from, count: 1}}
	for length := int32(1); length <= maxLabel && len(layer) > 0; length++ {
		next := map[string]*begun{}
		going := 0 // how many texts there are, each of which at least one name begins with
		for _, b := range layer {
			for rest := nameSymbols; rest != 0; rest &= rest - 1 {
				symbol := rest & -rest
				nodes, end := f.after(b.nodes, symbol, distance, maxLabel-length)
				if len(nodes) == 0 {
					continue
				}
				if going += b.count; going > f.limit {
					return true
				}
				if *f.steps < 0 {
					return false
				}
				if end {
					total += b.count
				}
				key, text := nodesKey(nodes), ""
				if list != nil {
					text = b.text + symbolText(symbol)
					key = text
					if end {
						*list = append(*list, text)
					}
				}
				if next[key] == nil {
					next[key] = &begun{nodes: nodes, text: text}
				}
				next[key].count = min(next[key].count+b.count, f.limit+1)
			}
		}
		if total > f.limit {
			return true
		}
		layer = next
	}
	return false
}

// after returns the nodes to which a symbol leads from some others, in order, as far as names can end within a distance
// from them, and whether names can end there.
func (f *familySearch) after(set []int32, symbol symbolSet, distance []int32, within int32) (nodes []int32, ends bool) {
	f.mark++
	for _, at := range set {
		*f.steps -= len(f.nodes[at].edges)
		for _, e := range f.nodes[at].edges {
			if d := distance[e.to]; e.by&symbol != 0 && d >= 0 && d <= within && f.marks[e.to] != f.mark {
				f.marks[e.to] = f.mark
				nodes = append(nodes, e.to)
				ends = ends || d == 0
			}
		}
	}
	slices.Sort(nodes)
	return nodes, ends
}
