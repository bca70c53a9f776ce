package convert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// A builder takes what a kind of source says: virtual hosts, in the order in which they are to be written, with what is
// granted there. Policies are given as often as they hold; equal ones become one.
type builder struct {
	kind     string
	hosts    []*host
	byDomain map[string]*host // of domain
	warnings []Warning
	warned   map[Warning]bool
	unsaid   int // how many warnings there are beyond maxWarnings
	head     notes
	compiled bool // all policies were, as they are now, and load
}

func newBuilder(kind string) *builder {
	return &builder{kind: kind, byDomain: map[string]*host{}, warned: map[Warning]bool{}}
}

// A host is a virtual host.
type host struct {
	name    string // Envoy's; empty where the source does not say it
	domains []string
	routes  []*route
	place   // of requests that no route covers
}

// A route is a place in a virtual host. The first that matches is a request's place.
type route struct {
	match match
	place
}

// A place says what is granted. The zero place is one without CORS: passthrough.
type place struct {
	at       Position
	policies []*proposal // tried in order
	nobody   bool        // where there are no policies: none in place of passthrough
	// candidates are decided beside the policies and never applied: what the source only counts.
	candidates []*proposal
	reject     corsprocv1.Reject
	notes      notes
}

// A proposal is a policy as one place of the source says it.
type proposal struct {
	policy   *corsprocv1.Policy
	name     string   // what its place suggests: any text
	at       Position // what defines it
	notes    notes
	covering *covering // of the policy; nil: nobody asked yet
}

// notes are comments that stand above something.
type notes struct{ texts []string }

// add adds comments, each once.
func (n *notes) add(texts ...string) {
	for _, text := range texts {
		if !slices.Contains(n.texts, text) && len(n.texts) < maxNotes {
			n.texts = append(n.texts[:len(n.texts):len(n.texts)], text) // places are copied
		}
	}
}

const (
	// maxNotes is how many comments one place gets at most.
	maxNotes = 100
	// maxWarnings is how many warnings are told one by one: more than anybody reads.
	maxWarnings = 10_000
)

// addHost adds a virtual host.
func (b *builder) addHost(h *host) *host {
	b.hosts = append(b.hosts, h)
	return h
}

// domain returns the virtual host of one domain, the same one each time: sources of which several speak of a domain add
// their routes to it. Virtual hosts that turn out alike are one in the end. Which route goes first is the kind's to say,
// with sortRoutes.
func (b *builder) domain(name string, at Position) *host {
	name = strings.ToLower(name)
	h := b.byDomain[name]
	if h == nil {
		h = b.addHost(&host{domains: []string{name}, place: place{at: at}})
		b.byDomain[name] = h
	}
	return h
}

// warn says that something is lost or tightened: on standard error, and as a comment at n; nil: at the head of the file.
// The message says what, why, and what to do.
func (b *builder) warn(n *notes, at Position, code, field, message string) {
	w := Warning{at, field, code, message}
	text := "warning: "
	if field != "" {
		text += field + ": "
	}
	if n == nil {
		n = &b.head
	}
	n.add(text + message + " [" + code + "]")
	switch {
	case b.warned[w]:
	case len(b.warnings) >= maxWarnings:
		b.unsaid++
	default:
		b.warned[w] = true
		b.warnings = append(b.warnings, w)
	}
}

// sortedWarnings returns the warnings by place.
func (b *builder) sortedWarnings() []Warning {
	slices.SortStableFunc(b.warnings, func(a, c Warning) int {
		return cmp.Or(strings.Compare(a.File, c.File), cmp.Compare(a.Line, c.Line), cmp.Compare(a.Column, c.Column), strings.Compare(a.Code, c.Code), strings.Compare(a.Message, c.Message))
	})
	if b.unsaid > 0 {
		last := b.warnings[len(b.warnings)-1]
		b.warnings = append(b.warnings, Warning{last.Position, "", codeMore, fmt.Sprintf("there are %d warnings more, which stand in the policy file only", b.unsaid)})
	}
	return b.warnings
}

// The codes of warnings of every kind.
const (
	codeMore     = "too-many-warnings"
	codeUnsaid   = "cannot-be-written" // an entry that a policy file cannot hold
	codeDomain   = "domain-lost"       // a domain that a policy file cannot hold
	codeTwice    = "domain-twice"      // a domain that two places claim
	codeTightest = "tightened"         // requests that the source tells apart and a policy file does not
)
