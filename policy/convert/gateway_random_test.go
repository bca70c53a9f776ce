package convert

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
)

// A naiveRule is a rule of an HTTPRoute, as the plain reading of Gateway API and of Envoy's filter has it: the first rule
// that takes a request answers it.
type naiveRule struct {
	gateway       int
	kind, path    string
	method        string
	header, agent bool // it wants x-canary; a browser that says it is a bot
	query         bool // it wants v=2
	grants        int  // which of naiveGrants; -1: none
}

// naiveGrants are what rules grant.
var naiveGrants = []struct {
	origins, methods, headers []string
	credentials               bool
}{
	{[]string{"https://shop.example"}, []string{"PUT"}, []string{"X-Token"}, true},
	{[]string{"https://shop.example", "https://partner.example"}, []string{"PUT", "DELETE"}, []string{"X-Token", "x-canary"}, false},
	{[]string{"https://partner.example"}, nil, nil, true},
	{[]string{"*"}, []string{"*"}, []string{"*"}, false},
	{[]string{"*"}, nil, []string{"x-canary"}, true},
}

func randomRules(r *rand.Rand) (rules []naiveRule) {
	gateways := 1 + r.IntN(4)/3
	for range 1 + r.IntN(5) {
		rule := naiveRule{gateway: r.IntN(gateways), grants: r.IntN(len(naiveGrants)+2) - 2}
		switch r.IntN(6) {
		case 0:
			rule.kind, rule.path = "Exact", []string{"/a", "/a/b"}[r.IntN(2)]
		case 1:
			rule.kind, rule.path = "RegularExpression", []string{"/a/.*", "/.*b"}[r.IntN(2)]
		default:
			rule.kind, rule.path = "PathPrefix", []string{"/", "/a", "/a", "/a/b/"}[r.IntN(4)]
		}
		if r.IntN(2) == 0 {
			rule.method = []string{"GET", "GET", "POST", "PUT", "OPTIONS"}[r.IntN(5)]
		}
		rule.header, rule.agent, rule.query = r.IntN(4) == 0, r.IntN(6) == 0, r.IntN(5) == 0
		rules = append(rules, rule)
	}
	return rules
}

// yaml writes the rules, with CORS filters or, for Envoy Gateway, with SecurityPolicies.
func naiveYAML(rules []naiveRule, policies bool) string {
	var b strings.Builder
	list := func(l []string) string { return `["` + strings.Join(l, `", "`) + `"]` }
	for g := range 2 {
		fmt.Fprintf(&b, "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: g%d, namespace: n }\nspec: { listeners: [{ name: http, protocol: HTTP, port: 80 }] }\n---\n", g)
	}
	for i, rule := range rules {
		match := fmt.Sprintf("path: { type: %s, value: %q }", rule.kind, rule.path)
		if rule.method != "" {
			match += ", method: " + rule.method
		}
		var headers []string
		if rule.header {
			headers = append(headers, `{ name: x-canary, value: "1" }`)
		}
		if rule.agent {
			headers = append(headers, `{ name: User-Agent, value: bot }`)
		}
		if headers != nil {
			match += ", headers: [" + strings.Join(headers, ", ") + "]"
		}
		if rule.query {
			match += `, queryParams: [{ name: v, value: "2" }]`
		}
		fmt.Fprintf(&b, "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r%03d, namespace: n }\nspec:\n  parentRefs: [{ name: g%d }]\n  hostnames: [api.example.com]\n  rules:\n  - matches: [{ %s }]\n", i, rule.gateway, match)
		if rule.grants >= 0 {
			g := naiveGrants[rule.grants]
			cors := "{ allowOrigins: " + list(g.origins)
			if g.methods != nil {
				cors += ", allowMethods: " + list(g.methods)
			}
			if g.headers != nil {
				cors += ", allowHeaders: " + list(g.headers)
			}
			cors += fmt.Sprintf(", allowCredentials: %v }", g.credentials)
			if policies {
				fmt.Fprintf(&b, "---\napiVersion: gateway.envoyproxy.io/v1alpha1\nkind: SecurityPolicy\nmetadata: { name: p%d, namespace: n }\nspec:\n  targetRefs: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: r%03d }]\n  cors: %s\n", i, i, cors)
			} else {
				fmt.Fprintf(&b, "    filters: [{ type: CORS, cors: %s }]\n", cors)
			}
		}
		b.WriteString("---\n")
	}
	return b.String()
}

// A naiveRequest is what a rule looks at.
type naiveRequest struct {
	path, method       string
	header, bot, query bool
	preflight          bool
}

// take returns the rule that takes a request; nil: none does. policies: rules with CORS have no match for preflights of
// their own.
func naiveTake(rules []naiveRule, gateway int, q naiveRequest, policies bool) *naiveRule {
	type candidate struct {
		rule  *naiveRule
		order []int
	}
	var all []candidate
	for i := range rules {
		rule := &rules[i]
		rank, length, takes := 0, len(rule.path), q.path == rule.path
		switch rule.kind {
		case "RegularExpression":
			rank, takes = 1, regexp.MustCompile("^(?:"+rule.path+")$").MatchString(q.path)
		case "PathPrefix":
			prefix := strings.TrimSuffix(rule.path, "/")
			rank, takes = 2, q.path == prefix || strings.HasPrefix(q.path, prefix+"/")
		}
		if rule.gateway != gateway || !takes || rule.query && !q.query || rule.header && !q.header || rule.agent && !q.bot {
			continue
		}
		conditions := 0
		for _, some := range []bool{rule.header, rule.agent, rule.method != ""} {
			if some {
				conditions++
			}
		}
		switch own := q.preflight && rule.grants >= 0 && !policies && rule.method != "" && rule.method != "OPTIONS"; {
		case own:
			conditions += 2 // Envoy Gateway's match for preflights: its method and two headers, in place of the rule's method
		case rule.method != "" && rule.method != q.method:
			continue
		}
		query := 0
		if rule.query {
			query = 1
		}
		all = append(all, candidate{rule, []int{rank, -length, -conditions, -query, i}})
	}
	if len(all) == 0 {
		return nil
	}
	return slices.MinFunc(all, func(a, b candidate) int {
		return slices.Compare(a.order, b.order)
	}).rule
}

// naiveOwn is the origin that the upstream lets in by itself.
const naiveOwn = "https://upstream.example"

// A naiveFetch is a page's question.
type naiveFetch struct {
	origin, method, path    string
	header                  string
	bot, query, credentials bool
}

func (f naiveFetch) preflighted() bool {
	return f.header != "" || !slices.Contains([]string{"GET", "POST"}, f.method)
}

// naiveReads reports whether the page can read what it asked for, whether a rule takes the request at all, and its preflight.
func naiveReads(rules []naiveRule, gateway int, f naiveFetch, policies bool) (reads, taken, routed bool) {
	actual := naiveTake(rules, gateway, naiveRequest{path: f.path, method: f.method, header: f.header == "x-canary", bot: f.bot, query: f.query}, policies)
	lets := func(rule *naiveRule) bool { // what Envoy's filter answers, or leaves to the upstream
		if rule.grants < 0 {
			return f.origin == naiveOwn
		}
		g := naiveGrants[rule.grants]
		return (slices.Contains(g.origins, "*") || slices.Contains(g.origins, f.origin)) && (g.credentials || !f.credentials)
	}
	if actual == nil {
		return false, false, false
	}
	reads = lets(actual) || actual.grants >= 0 && f.origin == naiveOwn // the upstream's headers pass the filter
	if !f.preflighted() {
		return reads, true, true
	}
	p := naiveTake(rules, gateway, naiveRequest{path: f.path, method: "OPTIONS", bot: f.bot, query: f.query, preflight: true}, policies)
	if p == nil {
		return false, true, false
	}
	if p.grants >= 0 {
		g := naiveGrants[p.grants]
		has := func(list []string, name string) bool {
			return slices.Contains(list, name) || slices.Contains(list, "*")
		}
		return reads && lets(p) && (slices.Contains([]string{"GET", "POST"}, f.method) || has(g.methods, f.method)) && (f.header == "" || has(g.headers, f.header)), true, true
	}
	return reads && lets(p), true, true
}

// TestGatewayRandom imports random rules, whose conditions overlap, and asks whether a page can read more than by the plain
// reading of them. It can read less where the import has warned only.
func TestGatewayRandom(t *testing.T) {
	const sets = 600
	readable, kept, alike := 0, 0, 0
	for seed := range uint64(sets) {
		r := rand.New(rand.NewPCG(seed, 5))
		rules := randomRules(r)
		kind := gatewayKinds[seed%2]
		text := naiveYAML(rules, kind == "envoy-gateway")
		result, err := Convert(kind, []Source{{Name: "a.yaml", Data: []byte(text)}})
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		set := loaded(t, result)
		one := func(list ...string) string { return list[r.IntN(len(list))] }
		for range 60 {
			f := naiveFetch{
				origin: one("https://shop.example", "https://shop.example", "https://partner.example", "https://stranger.example", naiveOwn), path: one("/", "/a", "/a/b", "/a/b/c", "/ab", "/x"),
				method: one("GET", "GET", "POST", "PUT", "DELETE"), header: one("", "", "X-Token", "x-canary"), bot: r.IntN(2) == 0, query: r.IntN(2) == 0, credentials: r.IntN(3) == 0,
			}
			mayRead, theirs := naiveAsk(t, set, f), false
			for gateway := range 2 {
				can, taken, routed := naiveReads(rules, gateway, f, kind == "envoy-gateway")
				if !taken {
					continue
				}
				may := mayRead == browser.Readable || mayRead == browser.Undecided && f.origin == naiveOwn && routed
				switch {
				case may && !can:
					t.Fatalf("seed %d, gateway %d: %+v is readable, and is not by the rules:\n%s\n%s", seed, gateway, f, text, result.File)
				case can && !may && f.origin != naiveOwn && len(result.Warnings) == 0:
					t.Fatalf("seed %d, gateway %d: %+v is not readable, without a warning:\n%s\n%s", seed, gateway, f, text, result.File)
				}
				theirs = theirs || can
			}
			if theirs {
				readable++
				if mayRead == browser.Readable {
					kept++
				}
			}
		}
		if len(result.Warnings) == 0 {
			alike++
		}
	}
	t.Logf("%d readable by the rules, %d of them by the policies too; %d of %d sets without a warning", readable, kept, alike, sets)
	if cmp.Or(cmp.Compare(kept, 800), cmp.Compare(alike, 40)) < 0 {
		t.Errorf("%d and %d show little", kept, alike)
	}
}

func naiveAsk(t *testing.T, set *policy.Set, f naiveFetch) browser.Outcome {
	t.Helper()
	url := "https://api.example.com" + f.path
	if f.query {
		url += "?v=2"
	}
	fetch := browser.Fetch{Origin: f.origin, URL: url, Method: f.method, Credentials: browser.Omit}
	if f.credentials {
		fetch.Credentials = browser.Include
	}
	if f.header != "" {
		fetch.Headers = []policy.Header{{Name: f.header, Value: "1"}}
	}
	result, err := browser.Do(set, fetch)
	if err != nil {
		t.Fatal(err)
	}
	return result.Outcome
}
