package match

// Tested by labels_test.go, policy/naive_test.go and policy/internal/lint/lint_test.go.

import (
	"cmp"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// Patterns with a star in the leftmost label are found in two steps: the domain above the label, with its port, leads to a
// tree of what is written before the star, and each of those texts to a tree of what is written behind it. A tree finds the
// longest of its texts that the label begins, or ends, with. The rest hang on that one: each text knows the next shorter one
// that it begins with.
//
// To look for every length that there is would take as many look-ups as there are lengths. So a length is taken apart into
// powers of two, 13 into 8, 4 and 1, and the tree has, beside its texts, the beginnings that the search comes by: of a text of
// 13 bytes those of 8 and of 12. Then five or six look-ups find the longest one among any number (Waldvogel and others, Scalable
// High Speed IP Routing Lookups, 1997). A text before the star has at most 62 bytes and hangs on at most 61 others, each with
// a tree of its own. So a set that is made for it costs some hundred look-ups, whatever its size; without texts behind the star
// the longest before it is the only one that is looked at. What was tempting is a look-up for each pair of lengths, which are
// up to two thousand.
//
// The trees are made of lists that are complete. They live in the index and in a slice without a pointer.

// A labelNode is a text of a tree, or a beginning that the search comes by. Texts that stand before the star have a tree of
// those behind it, of which they are the root.
type labelNode struct {
	lengths uint64 // of a root: a bit for each length of a text in its tree
	number  uint64 // of a text behind the star, or a root that has an empty one: its pattern; of the root of a domain: the node of the empty text before the star
	behind  uint64 // of a text before the star: the lengths of it and of all that it hangs on
	parent  uint32 // the longest shorter text of the tree that this one begins with; 0: none
	length  uint8
	real    bool // there is a pattern with this text
}

// longestStep is the greatest power of two in a length up to [origin.MaxLabelPart].
const longestStep = 32

// end says at which end of a label the texts of a tree stand.
type end bool

const (
	front end = false
	back  end = true
)

// cut returns the n bytes at an end of a text.
func (e end) cut(s string, n int) string {
	if e == back {
		return s[len(s)-n:]
	}
	return s[:n]
}

// longest returns the node of the longest text of a tree that stands at an end of s and has at most so many bytes; 0: none.
func (x *OriginIndex) longest(root uint32, e end, s string, most int) (found uint32) {
	lengths, at := x.nodes[root].lengths, 0
	for step := longestStep; step > 0; step /= 2 {
		n := at + step
		if n > most || lengths>>n&(1<<step-1) == 0 { // none of the lengths from n on that this step can lead to
			continue
		}
		if node := x.Find(originSpace(spaceLabelText, root, 0), e.cut(s, n)); node != 0 {
			at, found = n, uint32(node)
		}
	}
	if found != 0 && !x.nodes[found].real {
		found = x.nodes[found].parent
	}
	return found
}

// labelSearch goes through the patterns of one domain and port that cover a label, or all labels that a pattern covers: what
// has more before the star first, of that what has more behind it.
type labelSearch struct {
	x          *OriginIndex
	root       uint32
	begin, end string // where texts are looked for: the label itself, or what is written of the pattern's
	whole      bool   // it is a label
	starred    int    // of a label: how many bytes from where the text before the star ends the star may stand for
	least      int    // of a pattern: how long the text before the star is at least

	first, last uint32 // the nodes at hand
	done        bool   // first has no shorter one
}

// searchLabel begins a search for what covers a label.
func (x *OriginIndex) searchLabel(root uint32, label string) labelSearch {
	l := labelSearch{x: x, root: root, begin: label, end: label, whole: true}
	l.first = x.longest(root, front, label, min(len(label)-1, origin.MaxLabelPart))
	l.enter(len(label))
	return l
}

// searchAround begins a search for what covers all that a pattern covers, itself among it.
func (x *OriginIndex) searchAround(root uint32, p origin.Label) labelSearch {
	l := labelSearch{x: x, root: root, begin: p.Prefix, end: p.Suffix, least: len(p.Prefix) - origin.StarredEnd(p.Prefix)}
	l.first = x.longest(root, front, p.Prefix, len(p.Prefix))
	l.enter(0)
	return l
}

// enter goes to the texts behind the star of first, which is followed by what was first until now at before.
func (l *labelSearch) enter(before int) {
	if l.first == 0 {
		l.done = true
		l.first = uint32(l.x.nodes[l.root].number)
		if l.first == 0 {
			return
		}
	}
	n := &l.x.nodes[l.first]
	most := min(len(l.end), origin.MaxLabelPart)
	if l.whole {
		at := int(n.length)
		if run := origin.Starred(l.begin[at:before]); before == len(l.begin) || run < before-at {
			l.starred = run
		} else {
			l.starred += run
		}
		most = min(len(l.begin)-at-1, origin.MaxLabelPart)
		if shortest := l.shortest(); shortest > 0 && n.behind>>shortest == 0 {
			l.first = 0 // nothing ends behind what the star cannot stand for, here and in all that is shorter
			return
		}
	}
	l.last = 0
	if n.lengths != 0 && n.lengths>>max(l.shortest(), 1) != 0 {
		l.last = l.x.longest(l.first, back, l.end, most)
	}
	if l.last == 0 {
		l.last = l.first // the empty text
	}
}

// shortest returns how long a text behind the star is at least: what stands between is what the star stands for.
func (l *labelSearch) shortest() int {
	if l.whole {
		return len(l.begin) - int(l.x.nodes[l.first].length) - l.starred
	}
	return len(l.end) - origin.Starred(l.end)
}

// next returns the number of the next pattern, and how much is written before and behind its star; 0: there is none.
func (l *labelSearch) next() (number uint64, before, behind int) {
	nodes := l.x.nodes
	for l.first != 0 {
		before = int(nodes[l.first].length)
		if !l.whole && before < l.least {
			break // and so are all others
		}
		for shortest := l.shortest(); l.last != 0; {
			n := &nodes[l.last]
			behind = int(n.length)
			if l.last == l.first {
				l.last, behind = 0, 0
			} else if l.last = n.parent; l.last == 0 {
				l.last = l.first
			}
			if behind < shortest {
				l.last = 0
			} else if n.number != 0 {
				return n.number, before, behind
			}
		}
		if l.done {
			break
		}
		l.first = nodes[l.first].parent
		l.enter(before)
	}
	l.first = 0
	return 0, 0, 0
}

// labelRoot returns the root of the patterns of the list that have a star in a label right under a domain; 0: there is none.
func (s *Origins) labelRoot(kind int, scheme uint32, domain string) uint32 {
	if !s.has(kind) {
		return 0
	}
	group := s.index.Find(originSpace(kind+labelDomain, s.list, scheme), domain)
	if group == 0 {
		return 0
	}
	return s.index.groups[group-1]
}

// matchLabel looks for the pattern with a star in the label that covers an origin and has most before the star, of those the
// one that has most behind it.
func (s *Origins) matchLabel(scheme uint32, host, hostPort string) (number uint64) {
	s.Complete()
	dot := strings.IndexByte(host, '.')
	if dot < 0 {
		return 0
	}
	before, behind := 0, 0
	for _, domain := range [...]struct {
		kind int
		text string
	}{{spaceLabel, hostPort[dot+1:]}, {spaceLabelAnyPort, host[dot+1:]}} {
		root := s.labelRoot(domain.kind, scheme, domain.text)
		if root == 0 {
			continue
		}
		search := s.index.searchLabel(root, host[:dot])
		switch found, a, b := search.next(); {
		case found == 0:
		case number == 0 || a > before || a == before && b > behind:
			number, before, behind = found, a, b
		case a == before && b == behind:
			number = earlier(number, found)
		}
	}
	return number
}

// coveringLabel yields the numbers of all patterns with a star in the label that cover an origin.
func (s *Origins) coveringLabel(scheme uint32, host, hostPort string, yield func(uint64)) {
	s.Complete()
	label, _, ok := strings.Cut(host, ".")
	if !ok {
		return
	}
	roots := [...]uint32{s.labelRoot(spaceLabel, scheme, hostPort[len(label)+1:]), s.labelRoot(spaceLabelAnyPort, scheme, host[len(label)+1:])}
	for _, root := range roots {
		if root != 0 {
			search := s.index.searchLabel(root, label)
			for number, _, _ := search.next(); number != 0; number, _, _ = search.next() {
				yield(number)
			}
		}
	}
}

// widerLabel looks for a pattern with a star in the label that covers all of p and is not the same.
func (s *Origins) widerLabel(scheme uint32, p *origin.Pattern, except func(uint64) bool) uint64 {
	host := hostOf(p)
	label, domain, ok := strings.Cut(host, ".")
	if !ok || p.Hosts != origin.HostExact && p.Hosts != origin.HostLabel {
		return 0
	}
	s.Complete()
	same := s.findSame(p, scheme)
	try := func(kind int, domain string) uint64 {
		root := s.labelRoot(kind, scheme, domain)
		if root == 0 {
			return 0
		}
		var search labelSearch
		if p.Hosts == origin.HostLabel {
			search = s.index.searchAround(root, p.Label)
		} else {
			search = s.index.searchLabel(root, label)
		}
		for number, _, _ := search.next(); number != 0; number, _, _ = search.next() {
			if by := unless(except, number); by != 0 && by != same {
				return by
			}
		}
		return 0
	}
	by := uint64(0)
	if p.Origin.Port != origin.AnyPort {
		by = try(spaceLabel, hostPort(p)[len(label)+1:])
	}
	return cmp.Or(by, try(spaceLabelAnyPort, domain))
}

// findSame returns the number of the pattern that says the same as p; 0: there is none.
func (s *Origins) findSame(p *origin.Pattern, scheme uint32) uint64 {
	kind, text := indexKey(p)
	if kind == spaceExact {
		scheme = noScheme
	}
	return s.find(kind, scheme, text)
}

// Complete is called when the list has all its patterns, before any number of goroutines use it. A list that is asked while it
// grows completes itself each time.
func (s *Origins) Complete() {
	if s.complete || !s.HasLabels() {
		return
	}
	s.complete = true
	made := labelTrees{x: s.index, begun: map[uint32]bool{}}
	for at, to := s.from, s.to; at < to; {
		r := s.index.record(at)
		at += r.size()
		if kind := int(r.Space >> 60); kind == spaceLabel || kind == spaceLabelAnyPort {
			made.add(r.Space, string(r.Text), r.Value)
		}
	}
	made.link()
}

// labelTrees makes trees.
type labelTrees struct {
	x     *OriginIndex
	begun map[uint32]bool // the groups
	made  []madeNode
	empty []uint32 // the nodes of empty texts before the star
}

// madeNode is a node whose parent is not known yet.
type madeNode struct {
	node, root uint32
	end        end
	record     int
}

// add adds a pattern that is entered under a space and a text.
func (t *labelTrees) add(space uint64, text string, number uint64) {
	x := t.x
	label, domain, _ := strings.Cut(text, ".")
	prefix, suffix, _ := strings.Cut(label, "*")
	space += labelDomain << 60
	group := uint32(x.Find(space, domain))
	if group == 0 {
		x.groups = append(x.groups, 0)
		group = uint32(len(x.groups))
		x.Add(space, domain, uint64(group))
	}
	if !t.begun[group] {
		t.begun[group] = true
		x.groups[group-1] = x.newNode(labelNode{})
	}
	first := t.text(x.groups[group-1], front, prefix)
	last := t.text(first, back, suffix)
	x.nodes[last].number = number
}

// newNode returns the number of a new node. 0 is none.
func (x *OriginIndex) newNode(n labelNode) uint32 {
	if x.nodes == nil {
		x.nodes = append(x.nodes, labelNode{})
	}
	x.nodes = append(x.nodes, n)
	return uint32(len(x.nodes) - 1)
}

// text returns the node of a text in a tree. The empty text behind the star is its root itself.
func (t *labelTrees) text(root uint32, e end, text string) uint32 {
	x := t.x
	if text == "" {
		if e == back {
			return root
		}
		if x.nodes[root].number == 0 {
			x.nodes[root].number = uint64(x.newNode(labelNode{real: true}))
			t.empty = append(t.empty, uint32(x.nodes[root].number))
		}
		return uint32(x.nodes[root].number)
	}
	x.nodes[root].lengths |= 1 << len(text)
	node, at := uint32(0), 0
	for step := longestStep; step > 0; step /= 2 {
		if len(text)&step == 0 {
			continue
		}
		at += step
		part := e.cut(text, at)
		space := originSpace(spaceLabelText, root, 0)
		if node = uint32(x.Find(space, part)); node != 0 {
			continue
		}
		node = x.newNode(labelNode{length: uint8(at)})
		t.made = append(t.made, madeNode{node, root, e, len(x.records)})
		x.Add(space, part, uint64(node))
	}
	x.nodes[node].real = true
	return node
}

// link finds the parents, of shorter texts first: the search for a text goes by the parents of shorter ones.
func (t *labelTrees) link() {
	nodes := t.x.nodes
	slices.SortStableFunc(t.made, func(a, b madeNode) int { return cmp.Compare(nodes[a.node].length, nodes[b.node].length) })
	for _, empty := range t.empty {
		nodes[empty].behind = nodes[empty].lengths
	}
	for _, m := range t.made {
		text := string(textOf(t.x.records[m.record:]))
		nodes[m.node].parent = t.x.longest(m.root, m.end, text, len(text)-1)
		if m.end == front {
			before := nodes[m.node].parent
			if before == 0 {
				before = uint32(nodes[m.root].number)
			}
			nodes[m.node].behind = nodes[m.node].lengths | nodes[before].behind
		}
	}
}
