package verify

// Tested by growth_test.go.

import (
	"iter"

	"github.com/corsproc/corsproc/policy"
)

// Options say what is asked.
type Options struct {
	Method         string // of requests that are no preflights: GET or HEAD
	PreflightsOnly bool
	Routes         []NamedRoute
	FetchSite      policy.Field // Sec-Fetch-Site, where every request carries one
	Repeat         int          // how often each question is asked
	Most           int          // how many requests may be sent
}

// MaxRequests is the largest that Most may be.
const MaxRequests = 1_000_000

// maxCounted bounds what is counted of that which is not asked.
const maxCounted = 1_000_000

// NotAsked is something that nothing is known of.
type NotAsked struct{ Place, Why string }

// A Plan is what is to be asked.
type Plan struct {
	Places    []*Place
	Questions []*Question // in the order in which they are asked: every place before the second question about any
	Left      int         // how many requests are left out, as there may be no more
	NotAsked  []NotAsked
	Unasked   []string // for each URL about which there is nothing to ask, a sentence that says so and what would help
}

// planner makes a plan.
type planner struct {
	Plan
	set     *policy.Set
	options Options
	known   map[string]*said
	told    map[NotAsked]bool
	added   map[string]bool // places
	left    int             // questions
}

// NewPlan says what to ask about some URLs. The work grows with the places of the URLs' hosts and with what is asked, not
// with how many other hosts the policies have.
func NewPlan(set *policy.Set, sites []*Site, o Options) *Plan {
	b := &planner{set: set, options: o, known: map[string]*said{}, told: map[NotAsked]bool{}, added: map[string]bool{}}
	for _, s := range sites {
		b.placesOf(s)
	}
	b.choose()
	for _, p := range b.Places {
		for _, name := range p.policies {
			if s := b.known[name]; s != nil {
				for _, why := range s.leftOut {
					b.notAsked(p.Text, why)
				}
			}
		}
	}
	return &b.Plan
}

// add takes a place in, unless the upstream answers there or the same is asked already.
func (b *planner) add(p *Place) {
	if isPassthrough(p.policies) {
		b.notAsked(p.Text, "passthrough: the upstream answers")
		return
	}
	at := p.Site.VirtualHost + "\n" + p.route + "\n" + p.URL()
	if b.added[at] {
		return
	}
	b.added[at] = true
	b.Places = append(b.Places, p)
	switch p.reject {
	case "WEBSOCKETS":
		b.notAsked(p.Text, "reject: WEBSOCKETS: nobody opens a WebSocket to ask")
	case "UNSAFE_METHODS", "ALWAYS":
		b.notAsked(p.Text, "reject: "+p.reject+": no POST is sent and no WebSocket opened to ask; GET, HEAD and preflights are asked about")
	}
}

// maxNotAsked is how much is told of what is not asked.
const maxNotAsked = 1000

func (b *planner) notAsked(place, why string) {
	n := NotAsked{place, why}
	if !b.told[n] && len(b.NotAsked) < maxNotAsked {
		b.told[n] = true
		b.NotAsked = append(b.NotAsked, n)
	}
}

// choose chooses the questions: one about each place, then a second one about each, until there may be no more.
func (b *planner) choose() {
	repeat := max(1, b.options.Repeat)
	room := (b.options.Most + repeat - 1) / repeat
	type source struct {
		next func() (*Question, bool)
		stop func()
	}
	var open []source
	for _, p := range b.Places[:min(len(b.Places), room)] {
		next, stop := iter.Pull(b.questions(p))
		open = append(open, source{next, stop})
	}
	for len(open) > 0 && len(b.Questions) < room {
		still := open[:0]
		for i, s := range open {
			if len(b.Questions) == room {
				still = append(still, open[i:]...)
				break
			}
			if q, ok := s.next(); ok {
				b.Questions = append(b.Questions, q)
				still = append(still, s)
			}
		}
		open = still
	}
	for _, s := range open {
		for b.left < maxCounted {
			if _, ok := s.next(); !ok {
				break
			}
			b.left++
		}
		s.stop()
	}
	for _, p := range b.Places[min(len(b.Places), room):] {
		if b.left >= maxCounted {
			break
		}
		for range b.questions(p) {
			b.left++
		}
	}
	b.Left = b.left * repeat
}
