// Package build makes a policy file of places and of what is granted at each, and the warnings beside it. Start reading at
// Builder, then at Finish. It knows no source system.
package build

// Tested by builder_test.go and policy/convert/golden_test.go.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/source"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// Result is what became of sources.
type Result struct {
	File []byte // the policy file
	// Warnings are what a policy file cannot say, or says tighter, sorted by place. Each stands in the file, too.
	Warnings []Warning
}

// A Warning is something that is lost or tightened.
type Warning struct {
	source.Position
	Field   string // what it is about, as the source calls it; may be empty
	Code    string // stable, for scripts
	Message string // what, why, what to do
}

// A Builder takes what a kind of source says: virtual hosts, in the order in which they are to be written, with what is
// granted there. Policies are given as often as they hold; equal ones become one.
type Builder struct {
	kind     string
	Hosts    []*Host
	byDomain map[string]*Host // of domain
	warnings []Warning
	warned   map[Warning]bool
	unsaid   int // how many warnings there are beyond maxWarnings
	head     Notes
	compiled bool // all policies were, as they are now, and load
}

func New(kind string) *Builder {
	return &Builder{kind: kind, byDomain: map[string]*Host{}, warned: map[Warning]bool{}}
}

// A Host is a virtual host.
type Host struct {
	Name    string // Envoy's; empty where the source does not say it
	Domains []string
	Routes  []*Route
	Place   // of requests that no route covers
}

// A Route is a place in a virtual host. The first that matches is a request's place.
type Route struct {
	Match Match
	Place
}

// A Place says what is granted. The zero place is one without CORS: passthrough.
type Place struct {
	At       source.Position
	Policies []*Proposal // tried in order
	Nobody   bool        // where there are no policies: none in place of passthrough
	// candidates are decided beside the policies and never applied: what the source only counts.
	Candidates []*Proposal
	Reject     corsprocv1.Reject
	Notes      Notes
}

// Grants reports whether any place of a virtual host lets anybody in.
func (h *Host) Grants() bool {
	return len(h.Policies) > 0 || slices.ContainsFunc(h.Routes, func(r *Route) bool { return len(r.Policies) > 0 })
}

// Touches reports whether any place of a virtual host is other than passthrough.
func (h *Host) Touches() bool {
	return h.Place.Touched() || slices.ContainsFunc(h.Routes, func(r *Route) bool { return r.Place.Touched() })
}

// Touched reports whether a place is other than passthrough.
func (p *Place) Touched() bool {
	return len(p.Policies)+len(p.Candidates) > 0 || p.Nobody || p.Reject != 0
}

// A Proposal is a policy as one place of the source says it.
type Proposal struct {
	Policy   *corsprocv1.Policy
	Name     string          // what its place suggests: any text
	At       source.Position // what defines it
	Notes    Notes
	covering *covering // of the policy; nil: nobody asked yet
}

// Notes are comments that stand above something.
type Notes struct{ Texts []string }

// Add adds comments, each once.
func (n *Notes) Add(texts ...string) {
	for _, text := range texts {
		if !slices.Contains(n.Texts, text) && len(n.Texts) < maxNotes {
			n.Texts = append(n.Texts[:len(n.Texts):len(n.Texts)], text) // places are copied
		}
	}
}

const (
	// maxNotes is how many comments one place gets at most.
	maxNotes = 100
	// maxWarnings is how many warnings are told one by one: more than anybody reads.
	maxWarnings = 10_000
)

// AddHost adds a virtual host.
func (b *Builder) AddHost(h *Host) *Host {
	b.Hosts = append(b.Hosts, h)
	return h
}

// Domain returns the virtual host of one domain, the same one each time: sources of which several speak of a domain add
// their routes to it. Virtual hosts that turn out alike are one in the end. Which route goes first is the kind's to say,
// with sortRoutes.
func (b *Builder) Domain(name string, at source.Position) *Host {
	name = strings.ToLower(name)
	h := b.byDomain[name]
	if h == nil {
		h = b.AddHost(&Host{Domains: []string{name}, Place: Place{At: at}})
		b.byDomain[name] = h
	}
	return h
}

// Warn says that something is lost or tightened: on standard error, and as a comment at n; nil: at the head of the file.
// The message says what, why, and what to do.
func (b *Builder) Warn(n *Notes, at source.Position, code, field, message string) {
	w := Warning{at, field, code, message}
	text := "warning: "
	if field != "" {
		text += field + ": "
	}
	if n == nil {
		n = &b.head
	}
	n.Add(text + message + " [" + code + "]")
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
func (b *Builder) sortedWarnings() []Warning {
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
	CodeDomain   = "domain-lost"       // a domain that a policy file cannot hold
	CodeTwice    = "domain-twice"      // a domain that two places claim
	CodeTightest = "tightened"         // requests that the source tells apart and a policy file does not
)

// The codes of warnings that several kinds have.
const (
	CodeInvalid    = "invalid-in-source"  // what the source system refuses, so that it counts for nothing there
	CodeOrder      = "order-unknown"      // two objects claim a path, and only their age says which has it
	CodeTLS        = "require-tls"        // requests over http that are redirected
	CodeForward    = "forward-preflights" // preflights that the upstream is to answer
	CodeStarInList = "star-in-list"       // a * beside other methods or names
	CodeExposeAny  = "expose-any"         // every header exposed, with credentials
	CodeResponse   = "response-headers"   // CORS headers that are set by hand
)
