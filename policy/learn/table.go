package learn

// Tested by golden_test.go, model_test.go and limits_test.go.

import (
	"slices"
	"strings"
)

// A place is what is known of a virtual host, or of an authority where the log does not name virtual hosts.
type place struct {
	label string // what findings and reports call it; the authority where there is no name
	name  string // Envoy's name; empty: the log has none

	granted, seen []string // authorities that were granted something, and all with evidence; the first that came

	routes   map[string]*routeSeen
	origins  map[string]struct{} // all of its routes
	names    names
	segments map[string]*segment
}

// routeSeen is what is known of one route of a place, or of all of it.
type routeSeen struct {
	route   string // a path, a prefix or a name, as Options.Routes says; empty: the place itself
	exact   bool   // route is a whole path
	answers map[string]*answers

	malformedGranted, malformedRefused int64
	malformedCredentials               bool // some of these grants had them
	malformedAt                        spot // of the first malformed origin that was granted
}

func newRouteSeen(route string, exact bool) routeSeen {
	return routeSeen{route: route, exact: exact, answers: map[string]*answers{}}
}

// merge adds what is known of another route.
func (s *routeSeen) merge(other *routeSeen) {
	for origin, a := range other.answers {
		have := s.answers[origin]
		if have == nil {
			have = &answers{at: a.at}
			s.answers[origin] = have
		}
		have.merge(a)
	}
	if other.malformedGranted > 0 && (s.malformedGranted == 0 || other.malformedAt.before(s.malformedAt)) {
		s.malformedAt = other.malformedAt
	}
	s.malformedGranted += other.malformedGranted
	s.malformedRefused += other.malformedRefused
	s.malformedCredentials = s.malformedCredentials || other.malformedCredentials
}

// A spot is a line of a log.
type spot struct {
	source int
	line   int64 // from 1
}

func (s spot) before(other spot) bool {
	return s.source < other.source || s.source == other.source && s.line < other.line
}

// answers are what one origin was answered under one route.
type answers struct {
	requests, requestsRefused     uint32
	preflights, preflightsRefused uint32

	echoes      uint32 // grants that named the origin
	stars       uint32 // grants to everybody
	credentials uint32 // requests that were granted with credentials, to the origin by name

	starMethods, starHeaders, starExposed bool // answered without credentials

	hasMaxAge   bool
	unsetMaxAge bool  // a preflight's answer had none
	maxAge      int32 // the smallest

	times period
	at    spot
	names []nameSeen // sorted by id
}

// nameSeen is what is known of a name and an origin.
type nameSeen struct {
	id    uint16
	what  uint8
	count uint32 // how often the origin asked for it
}

const (
	asked  = 1 << iota // by the origin
	listed             // by an answer to it
)

// isTaken reports whether the upstream grants something to the origin. A preflight alone is not enough where the request
// was answered otherwise.
func (a *answers) isTaken() bool {
	return a.requests > 0 || a.preflights > 0 && a.requestsRefused == 0
}

// isRefused reports whether the origin was answered, and nothing was granted.
func (a *answers) isRefused() bool {
	return !a.isTaken() && a.requestsRefused+a.preflightsRefused > 0
}

// more adds to a count as far as it goes.
func more(count *uint32, n uint32) { *count = uint32(min(uint64(*count)+uint64(n), 1<<32-1)) }

// name notes what was seen of a name.
func (a *answers) name(id uint16, what uint8) (isNew bool) {
	i, found := slices.BinarySearchFunc(a.names, id, func(n nameSeen, id uint16) int { return int(n.id) - int(id) })
	if !found {
		a.names = slices.Insert(a.names, i, nameSeen{id: id})
	}
	n := &a.names[i]
	n.what |= what
	if what&asked != 0 {
		more(&n.count, 1)
	}
	return !found
}

// merge adds what the origin was answered elsewhere.
func (a *answers) merge(b *answers) {
	more(&a.requests, b.requests)
	more(&a.requestsRefused, b.requestsRefused)
	more(&a.preflights, b.preflights)
	more(&a.preflightsRefused, b.preflightsRefused)
	more(&a.echoes, b.echoes)
	more(&a.stars, b.stars)
	more(&a.credentials, b.credentials)
	a.starMethods = a.starMethods || b.starMethods
	a.starHeaders = a.starHeaders || b.starHeaders
	a.starExposed = a.starExposed || b.starExposed
	if b.hasMaxAge {
		a.takeMaxAge(b.maxAge)
	}
	a.unsetMaxAge = a.unsetMaxAge || b.unsetMaxAge
	a.times.merge(b.times)
	if b.at.before(a.at) {
		a.at = b.at
	}
	if len(a.names) == 0 {
		a.names = slices.Clone(b.names)
		return
	}
	merged := make([]nameSeen, 0, max(len(a.names), len(b.names)))
	for i, j := 0, 0; i < len(a.names) || j < len(b.names); {
		switch {
		case j == len(b.names) || i < len(a.names) && a.names[i].id < b.names[j].id:
			merged = append(merged, a.names[i])
			i++
		case i == len(a.names) || b.names[j].id < a.names[i].id:
			merged = append(merged, b.names[j])
			j++
		default:
			n := a.names[i]
			n.what |= b.names[j].what
			more(&n.count, b.names[j].count)
			merged = append(merged, n)
			i, j = i+1, j+1
		}
	}
	a.names = merged
}

func (a *answers) takeMaxAge(seconds int32) {
	if !a.hasMaxAge || seconds < a.maxAge {
		a.maxAge, a.hasMaxAge = seconds, true
	}
}

// A nameKind keeps methods and names of headers apart.
type nameKind byte

const (
	methodName  nameKind = 'm' // case-sensitive
	headerName  nameKind = 'h' // in lower case, as is exposedName
	exposedName nameKind = 'e'
)

// names are the methods and headers of a place, under small numbers.
type names struct {
	ids  map[string]uint16 // by kind and name
	list []string
}

func (n *names) kindOf(id uint16) nameKind { return nameKind(n.list[id][0]) }
func (n *names) nameOf(id uint16) string   { return n.list[id][1:] }

// id returns the number of a name. It reports false where there is no room for it; room is how many names there may be.
func (n *names) id(kind nameKind, name []byte, room int) (id uint16, ok, isNew bool) {
	var buf [1 + maxValueBytes]byte
	buf[0] = byte(kind)
	key := append(buf[:1], name...)
	if kind != methodName {
		lower(key[1:])
	}
	if id, ok = n.ids[string(key)]; ok {
		return id, true, false
	}
	if len(n.list) >= room {
		return 0, false, false
	}
	if n.ids == nil {
		n.ids = map[string]uint16{}
	}
	id = uint16(len(n.list))
	text := string(key)
	n.ids[text], n.list = id, append(n.list, text)
	return id, true, true
}

// lower makes the letters of ASCII small.
func lower(text []byte) {
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			text[i] = c + 'a' - 'A'
		}
	}
}

// A segment is what is known of Vary under a first path segment.
type segment struct {
	value   string // of the first answer's allow_origin, empty: none
	differs bool
	told    bool
	bare    bool // an answer's Vary names neither Origin nor *
	at      spot // that answer
}

// host returns an authority as it stands in a policy file: in lower case, without the ports that the schemes have anyway.
func host(authority string) string {
	s := strings.ToLower(authority)
	for _, port := range []string{":80", ":443"} {
		if cut, ok := strings.CutSuffix(s, port); ok {
			return cut
		}
	}
	return s
}
