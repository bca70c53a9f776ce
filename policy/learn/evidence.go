package learn

// Tested by golden_test.go, model_test.go and limits_test.go.

import (
	"bytes"
	"hash/maphash"
	"strconv"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// An exchange is a line as evidence: a request and what the upstream answered.
type exchange struct {
	*values
	spot
	time      int64
	origin    string
	place     *place // nil where there is no room for it
	kind      policy.Kind
	malformed bool
	hasStatus bool // there is an answer
	answered  bool // with a status below 400: error pages often forget the headers
	success   bool // 200 to 299

	granted     bool
	star        bool // by "*"
	credentials bool // Access-Control-Allow-Credentials: true
}

// event takes in what a line says.
func (l *Learner) event(source int, e *event) {
	v := &e.values
	x := exchange{values: v, spot: spot{source, e.line}}
	status, _ := strconv.Atoi(l.texts.of(v.of[fieldStatus]))
	x.answered, x.success = 100 <= status && status < 400, 200 <= status && status < 300
	x.hasStatus = status >= 100
	request, d := &l.asked, policy.Decision{}
	if v.has(fieldOrigin) {
		*request = l.request(v)
		d = l.neutral.Decide(request)
	}
	isCrossOrigin := v.has(fieldOrigin) && d.Reason != policy.ReasonSameOrigin
	if isCrossOrigin {
		l.crossOrigin++
		x.kind, x.malformed, x.origin = d.Kind, d.Reason == policy.ReasonOriginMalformed, request.Origin.Value
		x.time = l.timeOf(v)
		if v.there&responseHeaders == 0 && l.headerless.line == 0 {
			l.headerless = x.spot
		}
	}
	if isOurs(v) {
		l.find(CodeDecidedByCorsproc, l.labelOf(v), x.spot, "")
		return
	}
	x.credentials = string(v.of[fieldAllowCredentials]) == "true"
	x.star = string(v.of[fieldAllowOrigin]) == "*"
	if x.answered || x.hasStatus && v.has(fieldAllowOrigin) {
		x.place = l.placeOf(v)
		l.headers(&x)
	}
	if !isCrossOrigin {
		return
	}
	isCORS := !isOtherMode(v)
	x.granted = isCORS && x.hasStatus && (x.kind != policy.Preflight || x.success) &&
		(x.star || v.has(fieldAllowOrigin) && string(v.of[fieldAllowOrigin]) == x.origin)
	if l.report != nil {
		l.report.take(l, &x, request, isCORS)
	}
	if isCORS && x.kind == policy.Preflight && !x.success && x.hasStatus && v.hasAny(responseHeaders) {
		l.find(CodePreflightStatus, l.labelOf(v), x.spot, v.text(fieldStatus))
	}
	if !isCORS || x.place == nil || !x.answered && !x.granted {
		return // no evidence
	}
	l.learn(&x)
}

// isOurs reports whether corsproc, and not the upstream, decided.
func isOurs(v *values) bool {
	switch string(v.of[fieldVerdict]) {
	case "allowed", "refused", "rejected":
		return true
	}
	return bytes.HasPrefix(v.of[fieldDetails], []byte("cors_"))
}

// isOtherMode reports whether a browser asked no CORS question (Fetch, section 2.2.5, "mode").
func isOtherMode(v *values) bool {
	switch string(v.of[fieldFetchMode]) {
	case "navigate", "no-cors", "websocket":
		return true
	}
	return false
}

// request returns the facts of a line as the engine takes them. It has no path: what kind of a request it is does not
// depend on that.
func (l *Learner) request(v *values) policy.Request {
	r := policy.Request{
		VirtualHost: l.texts.of(v.of[fieldVirtualHost]), Route: l.texts.of(v.of[fieldRoute]),
		Method: l.texts.of(v.of[fieldMethod]), Authority: l.texts.of(v.of[fieldAuthority]),
		Origin: policy.Line(l.texts.of(v.of[fieldOrigin])),
	}
	if v.has(fieldRequestMethod) {
		r.RequestMethod = policy.Line(l.texts.of(v.of[fieldRequestMethod]))
	}
	if v.has(fieldFetchSite) {
		r.FetchSite = policy.Line(l.texts.of(v.of[fieldFetchSite]))
	}
	return r
}

// labelOf returns what findings call the place of a line.
func (l *Learner) labelOf(v *values) string {
	if v.has(fieldVirtualHost) {
		return cut(l.texts.of(v.of[fieldVirtualHost]))
	}
	if h := l.hostOf(v); h != "" {
		return cut(h)
	}
	return noPlace
}

// noPlace is what the place of lines is called that say neither a virtual host nor an authority.
const noPlace = "(no authority)"

// hostOf returns the authority of a line as it stands in a policy file.
func (l *Learner) hostOf(v *values) string {
	authority := v.of[fieldAuthority]
	if h, ok := l.hosts[string(authority)]; ok {
		return h
	}
	if len(l.hosts) >= maxTexts {
		clear(l.hosts)
	}
	h := host(string(authority))
	if len(h) <= maxValueBytes {
		l.hosts[string(authority)] = h
	}
	return h
}

// placeOf returns the place of a line, nil if there is no room for it.
func (l *Learner) placeOf(v *values) *place {
	named := v.has(fieldVirtualHost)
	var p *place
	var buf [1 + maxValueBytes]byte
	key := append(buf[:0], 'a')
	if named {
		key = append(append(buf[:0], 'n'), v.of[fieldVirtualHost]...)
	} else {
		key = append(key, l.hostOf(v)...)
	}
	key = key[:min(len(key), 1+maxValueBytes)]
	if p = l.places[string(key)]; p != nil {
		return p
	}
	if len(l.places) >= MaxPlaces {
		l.isFull(tablePlaces, nil, 1)
		return nil
	}
	p = &place{label: l.labelOf(v), routes: map[string]*routeSeen{}, origins: map[string]struct{}{}, segments: map[string]*segment{}}
	if named {
		p.name = p.label
	}
	l.places[string(key)], l.order = p, append(l.order, p)
	return p
}

// headers looks at what can be seen of an answer alone.
func (l *Learner) headers(x *exchange) {
	v := x.values
	label := func() string { return l.labelOf(v) }
	for _, f := range [...]field{fieldAllowOrigin, fieldAllowCredentials, fieldMaxAge} {
		if bytes.IndexByte(v.of[f], ',') >= 0 {
			l.find(CodeHeaderTwice, label(), x.spot, "Access-Control-"+headerOf[f])
			break
		}
	}
	if x.star && x.credentials {
		l.find(CodeStarWithCredentials, label(), x.spot, "")
	}
	if method := string(v.of[fieldMethod]); x.place == nil || !x.answered || method != "GET" && method != "HEAD" {
		return
	}
	path, _ := pathPrefix(v, 1)
	s := x.place.segments[string(path)]
	if s == nil {
		if len(x.place.segments) >= MaxRoutes || l.segments >= maxSegments {
			return
		}
		l.segments++
		s = &segment{value: cut(v.text(fieldAllowOrigin))}
		x.place.segments[string(path)] = s
	}
	if value := v.of[fieldAllowOrigin]; !s.differs && string(value) != s.value && cut(string(value)) != s.value {
		s.differs = true
	}
	if !s.bare && !namesOrigin(v.of[fieldVary]) {
		s.bare, s.at = true, x.spot
	}
	if s.differs && s.bare && !s.told {
		s.told = true
		l.find(CodeMissingVary, label(), s.at, string(path))
	}
}

var headerOf = [numFields]string{fieldAllowOrigin: "Allow-Origin", fieldAllowCredentials: "Allow-Credentials", fieldMaxAge: "Max-Age"}

// namesOrigin reports whether caches tell origins apart by a Vary (RFC 9110, section 12.5.5).
func namesOrigin(vary []byte) (names bool) {
	elements(vary, func(e []byte) { names = names || isStar(e) || fetch.EqualFoldASCII(string(e), "origin") })
	return names
}

// learn takes in what an origin was answered.
func (l *Learner) learn(x *exchange) {
	p := x.place
	l.authority(p, x)
	seen := l.routeSeen(p, x.values)
	if x.malformed {
		seen.takeMalformed(x)
		return
	}
	a := l.answersOf(p, seen, x)
	if a == nil {
		return
	}
	a.times.add(x.time)
	l.differs(x)
	switch {
	case x.kind == policy.Preflight && x.granted:
		more(&a.preflights, 1)
	case x.kind == policy.Preflight:
		more(&a.preflightsRefused, 1)
	case x.granted:
		more(&a.requests, 1)
	default:
		more(&a.requestsRefused, 1)
	}
	if x.granted {
		l.grants(p, a, x)
	}
	if x.kind == policy.Preflight {
		l.name(p, a, methodName, x.of[fieldRequestMethod], asked)
		elements(x.of[fieldRequestHeaders], func(e []byte) { l.name(p, a, headerName, e, asked) })
	} else {
		l.name(p, a, methodName, x.of[fieldMethod], asked)
	}
}

// grants takes in what an answer grants.
func (l *Learner) grants(p *place, a *answers, x *exchange) {
	if x.star {
		more(&a.stars, 1)
	} else {
		more(&a.echoes, 1)
	}
	if x.kind != policy.Preflight {
		if x.credentials && !x.star {
			more(&a.credentials, 1)
		}
		a.starExposed = l.list(p, a, x, exposedName, fieldExposeHeaders) || a.starExposed
		return
	}
	a.starMethods = l.list(p, a, x, methodName, fieldAllowMethods) || a.starMethods
	a.starHeaders = l.list(p, a, x, headerName, fieldAllowHeaders) || a.starHeaders
	if seconds, err := strconv.ParseUint(l.texts.of(x.of[fieldMaxAge]), 10, 31); err == nil {
		a.takeMaxAge(int32(seconds))
	} else {
		a.unsetMaxAge = true
	}
}

// list notes the names that an answer lists, and reports whether it lists all of them: "*" without credentials.
func (l *Learner) list(p *place, a *answers, x *exchange, kind nameKind, f field) (all bool) {
	elements(x.of[f], func(e []byte) {
		if isStar(e) {
			all = all || !x.credentials
			return
		}
		l.name(p, a, kind, e, listed)
	})
	return all
}

func isStar(e []byte) bool { return len(e) == 1 && e[0] == '*' }

// name notes a name that an origin asked for, or that an answer lists.
func (l *Learner) name(p *place, a *answers, kind nameKind, name []byte, what uint8) {
	if len(name) == 0 || len(name) > maxValueBytes || l.report != nil { // a report tells of origins alone what is found
		return
	}
	room := MaxNames
	if what == asked {
		room /= 2 // what clients ask for leaves room for what upstreams answer
	}
	if l.names >= maxAllNames {
		room = 0
	}
	if !fetch.IsToken(string(name)) {
		return
	}
	id, ok, isNew := p.names.id(kind, name, room)
	if !ok {
		l.isFull(tableNames, p, 1)
		return
	}
	if isNew {
		l.names++
	}
	if l.answerNames >= maxAnswerNames || l.answerText >= maxAnswerText {
		l.isFull(tableNames, p, 1)
		return
	}
	if a.name(id, what) {
		l.answerNames++
		l.answerText += len(name) + len(", ")
	}
}

// authority notes under which authorities a place was answered.
func (l *Learner) authority(p *place, x *exchange) {
	add := func(list []string) []string {
		if len(list) >= maxDomains {
			return list
		}
		h := l.hostOf(x.values)
		for _, have := range list {
			if have == h {
				return list
			}
		}
		return append(list, cut(h))
	}
	if p.seen = add(p.seen); x.granted {
		p.granted = add(p.granted)
	}
}

// routeSeen returns what is known of the route of a line. Where there is no room for one more, the line counts for the
// place itself.
func (l *Learner) routeSeen(p *place, v *values) *routeSeen {
	route, exact := l.options.Routes.routeOf(v)
	seen := p.routes[string(route)]
	if seen == nil && len(route) > 0 && len(p.routes) >= MaxRoutes {
		l.isFull(tableRoutes, p, 1)
		route, exact = nil, false
		seen = p.routes[""]
	}
	if seen == nil {
		made := newRouteSeen(string(route), exact)
		seen = &made
		p.routes[seen.route] = seen
	}
	return seen
}

func (s *routeSeen) takeMalformed(x *exchange) {
	if !x.granted || x.star {
		s.malformedRefused++
		return
	}
	if s.malformedGranted++; s.malformedGranted == 1 {
		s.malformedAt = x.spot
	}
	s.malformedCredentials = s.malformedCredentials || x.credentials
}

// answersOf returns what is known of an origin under a route, nil if there is no room for it.
func (l *Learner) answersOf(p *place, seen *routeSeen, x *exchange) *answers {
	if a := seen.answers[x.origin]; a != nil {
		return a
	}
	if _, known := p.origins[x.origin]; !known {
		if len(p.origins) >= MaxPlaceOrigins || l.origins >= MaxOrigins {
			l.isFull(tableOrigins, p, 1)
			return nil
		}
		p.origins[x.origin] = struct{}{}
		l.origins++
	}
	if l.answers >= maxAnswers {
		l.isFull(tableOrigins, p, 1)
		return nil
	}
	l.answers++
	a := &answers{at: x.spot}
	seen.answers[x.origin] = a
	return a
}

// differs looks for an origin that was granted and refused under the same path.
func (l *Learner) differs(x *exchange) {
	var h maphash.Hash
	h.SetSeed(l.seed)
	h.WriteString(x.place.label)
	h.WriteByte(byte(x.kind))
	h.WriteString(x.origin)
	h.WriteByte(0)
	h.Write(pathOf(x.values))
	what := uint8(1)
	if x.granted {
		what = 2
	}
	key := h.Sum64()
	had, known := l.paths[key]
	if !known && len(l.paths) >= maxPaths || had&what != 0 {
		return
	}
	l.paths[key] = had | what
	if had|what == 3 {
		l.find(CodeGrantsDiffer, x.place.label, x.spot, cut(x.origin))
	}
}
