package learn

// Tested by golden_test.go, model_test.go and limits_test.go.

import (
	"hash/maphash"
	"slices"
	"sync/atomic"

	"github.com/corsproc/corsproc/policy"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// Options say what is wanted of logs.
type Options struct {
	Fields Fields
	Routes Routes
	Trust  Trust

	// Policies are those that might come into force, for [Learner.Report]; nil: none.
	Policies *policy.Set
	// Locate says where a rule of Policies stands, nil for what no file says.
	Locate func(policy.Rule) *corsprocv1.Location
}

// Trust says where origins are taken that would be withheld.
type Trust struct {
	All    bool
	Places []string // as findings call them
}

// UnknownTrust returns the places of [Trust] that the logs do not have. What is withheld elsewhere stays so.
func (l *Learner) UnknownTrust() []string {
	return slices.DeleteFunc(slices.Clone(l.options.Trust.Places), func(label string) bool {
		return slices.ContainsFunc(l.order, func(p *place) bool { return p.label == label })
	})
}

// A Learner reads logs and answers questions about them. It is not safe for use by several goroutines, but for
// [Learner.Lines].
type Learner struct {
	options Options
	tree    *node
	neutral *policy.Set // grants nothing, so that its decisions say only what kind of request it is
	sources []string

	lines       atomic.Int64 // that are not blank
	notJSON     int64
	notJSONs    []spot   // the first of these
	objects     bool     // a line was an object
	there       uint32   // the facts for which some line has a key
	keys        []string // of a line, while none has an origin
	crossOrigin int64
	headerless  spot // the first line of a page without any key for the answer's headers
	times       period

	places      map[string]*place
	order       []*place // as they came
	texts       texts
	asked       policy.Request // of the line that is looked at
	seed        maphash.Seed
	paths       map[uint64]uint8
	origins     int // in all places
	answers     int
	names       int
	answerNames int
	answerText  int
	segments    int
	full        map[table]*fullTable
	found       map[foundKey]*found
	judgements  map[foundKey]*found // made of all that is known, in the end
	report      *report
	hosts       map[string]string
}

// New returns a learner that knows nothing.
func New(options Options) *Learner {
	l := &Learner{
		options: options, tree: options.Fields.tree(), places: map[string]*place{}, texts: texts{}, seed: maphash.MakeSeed(),
		judgements: map[foundKey]*found{}, paths: map[uint64]uint8{}, full: map[table]*fullTable{}, found: map[foundKey]*found{}, hosts: map[string]string{},
	}
	l.neutral, _ = policy.Compile(policy.Source{Set: &corsprocv1.PolicySet{
		Default: &corsprocv1.DefaultPlace{Policies: &corsprocv1.PolicyList{Names: []string{"none"}}},
	}})
	if options.Policies != nil {
		l.report = newReport()
	}
	return l
}

// rest drops what only reading needs, before what is known is put together.
func (l *Learner) rest() {
	clear(l.judgements)
	l.paths, l.texts, l.hosts = map[uint64]uint8{}, texts{}, map[string]string{}
}

// Lines returns how many lines were read. It may be called at any time.
func (l *Learner) Lines() int64 { return l.lines.Load() }

// HasLines reports whether any line was JSON.
func (l *Learner) HasLines() bool { return l.objects }

// HasOrigins reports whether any line had a key for the origin; where not, keys are some of those that are there.
func (l *Learner) HasOrigins() (has bool, keys []string) {
	return l.there&(1<<fieldOrigin) != 0, l.keys
}

const responseHeaders = 1<<fieldAllowOrigin | 1<<fieldAllowCredentials | 1<<fieldAllowMethods | 1<<fieldAllowHeaders |
	1<<fieldExposeHeaders | 1<<fieldMaxAge

// hasHeaders reports whether the log has the CORS headers of answers at all.
func (l *Learner) hasHeaders() bool { return l.there&responseHeaders != 0 }

// texts keeps texts that come again and again, so that they are made once.
type texts map[string]string

const maxTexts = 1 << 14

func (t texts) of(b []byte) string {
	if s, ok := t[string(b)]; ok {
		return s
	}
	if len(t) >= maxTexts {
		clear(t)
	}
	s := string(b)
	if len(s) <= maxValueBytes {
		t[s] = s
	}
	return s
}
