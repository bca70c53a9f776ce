//go:build unix

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/envoy/internal/launch"
	"github.com/corsproc/corsproc/envoy/internal/mesh"
	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/convert"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// An imported is a fixture of corsproc import with what became of it, and one of the route configurations that Envoy
// Gateway makes of it, in a real Envoy.
type imported struct {
	name     string
	set      *policy.Set
	warnings int
	routes   map[string]any
	address  string // of the listener
	answers  map[string]nativeAnswer
}

// TestMeshImported asks Envoy's own filter, with the routes that Envoy Gateway makes of each fixture, what pages can read,
// and the policies that corsproc import makes of it. They agree, or the policies say less and the import has warned.
func TestMeshImported(t *testing.T) {
	binary, err := launch.FindEnvoy(root)
	need(t, err)
	var all []*imported
	for _, kind := range mesh.ImportedKinds {
		all = append(all, readImported(t, kind)...)
	}
	if len(all) < 30 {
		t.Fatalf("only %d route configurations", len(all))
	}
	startNative(t, binary, all)
	for _, f := range all {
		t.Run(f.name, func(t *testing.T) { f.check(t) })
	}
}

// readImported imports the fixtures of a kind that Envoy Gateway was asked about.
func readImported(t *testing.T, kind string) (all []*imported) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, mesh.Imported, kind, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		data, err := os.ReadFile(filepath.Join(root, mesh.Fixtures, kind, name))
		if err != nil {
			t.Fatal(err)
		}
		result, err := convert.Convert(kind, []convert.Source{{Name: name, Data: data}})
		if err != nil {
			t.Fatal(err)
		}
		content := &policyfile.Content{Files: []policyfile.File{{Name: "policies.yaml", Data: result.Draft.Bytes()}}}
		compiled := content.Compile()
		if compiled.Set == nil {
			t.Fatalf("%s: the policies do not load: %v", name, compiled.Findings)
		}
		configs := object(t, file)
		for _, key := range slices.Sorted(maps.Keys(configs)) {
			all = append(all, &imported{
				name: kind + "/" + strings.TrimSuffix(name, ".yaml") + "/" + key,
				set:  compiled.Set, warnings: len(result.Warnings), routes: configs[key].(map[string]any), answers: map[string]nativeAnswer{},
			})
		}
	}
	return all
}

// ownOrigin is the one that the upstream itself lets in, whatever the gateway does.
const ownOrigin = "https://upstream.example"

// startNative starts one Envoy with a listener for each.
func startNative(t *testing.T, binary string, all []*imported) {
	t.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Upstream", "yes")
		if r.Header.Get("Origin") == ownOrigin {
			h.Set("Access-Control-Allow-Origin", ownOrigin)
			h.Set("Access-Control-Allow-Credentials", "true")
			h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, PATCH")
			h.Set("Access-Control-Allow-Headers", "X-Token, x-canary, x-only, X-Other, X-Trace, Authorization, X-Unknown, X-Header-1")
		}
	}))
	t.Cleanup(upstream.Close)
	at := addressOf(t, strings.TrimPrefix(upstream.URL, "http://"))
	type m = map[string]any
	typed := func(name, kind string, more m) m {
		config := m{"@type": "type.googleapis.com/envoy.extensions.filters." + kind}
		maps.Copy(config, more)
		return m{"name": name, "typed_config": config}
	}
	socket := func(ip string, port uint16) m { return m{"socket_address": m{"address": ip, "port_value": port}} }
	var listeners []any
	for _, f := range all {
		eachMap(f.routes, func(r m) {
			if r["route"] != nil {
				r["route"] = m{"cluster": "upstream"}
			}
		})
		f.routes["name"] = f.name
		filters := []any{typed("envoy.filters.http.cors", "http.cors.v3.Cors", nil), typed("envoy.filters.http.router", "http.router.v3.Router", nil)}
		manager := m{"stat_prefix": "http", "route_config": f.routes, "http_filters": filters}
		listeners = append(listeners, m{
			"name": f.name, "address": socket("127.0.0.1", 0),
			"filter_chains": []any{m{"filters": []any{typed("hcm", "network.http_connection_manager.v3.HttpConnectionManager", manager)}}},
		})
	}
	config, err := json.Marshal(m{
		"admin": m{"address": socket("127.0.0.1", 0)},
		"static_resources": m{"listeners": listeners, "clusters": []any{m{
			"name": "upstream", "type": "STATIC",
			"load_assignment": m{"cluster_name": "upstream", "endpoints": []any{m{"lb_endpoints": []any{m{"endpoint": m{"address": socket(at.IP, at.Port)}}}}}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "envoy.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	log := &syncBuffer{}
	envoy, err := launch.StartEnvoy(ctx, binary, file, "warning", log)
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	t.Cleanup(envoy.Kill)
	for _, f := range all {
		f.address = envoy.Listeners[f.name]
	}
}

// eachMap calls use for every mapping inside a value.
func eachMap(value any, use func(map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		use(v)
		for _, inner := range v {
			eachMap(inner, use)
		}
	case []any:
		for _, inner := range v {
			eachMap(inner, use)
		}
	}
}

// A nativeAnswer is what Envoy answered.
type nativeAnswer struct {
	status   int
	header   http.Header
	upstream bool // it is the application's
}

// ask sends a request, or remembers its answer.
func (f *imported) ask(t *testing.T, method, host, path string, headers ...string) nativeAnswer {
	t.Helper()
	key := fmt.Sprint(method, host, path, headers)
	if a, ok := f.answers[key]; ok {
		return a
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+f.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, answer.Body) //nolint:errcheck // it has no body
	answer.Body.Close()
	a := nativeAnswer{answer.StatusCode, answer.Header, answer.Header.Get("X-Upstream") != ""}
	f.answers[key] = a
	return a
}

// lets reports whether a browser lets a page of an origin use an answer (Fetch, CORS check).
func (a nativeAnswer) lets(origin string, credentials bool) bool {
	values := a.header.Values("Access-Control-Allow-Origin")
	if len(values) != 1 || values[0] != origin && (values[0] != "*" || credentials) {
		return false
	}
	return !credentials || a.header.Get("Access-Control-Allow-Credentials") == "true"
}

// has reports whether a list of an answer has a name, or a star that stands for it.
func (a nativeAnswer) has(list, name string, credentials bool) bool {
	for element := range strings.SplitSeq(strings.Join(a.header.Values(list), ","), ",") {
		element = strings.TrimSpace(element)
		if element == "*" && !credentials && !strings.EqualFold(name, "Authorization") || element == name || list != "Access-Control-Allow-Methods" && strings.EqualFold(element, name) {
			return true
		}
	}
	return false
}

// A question is a fetch by a page.
type question struct {
	origin, host, path, method, header string
	credentials                        bool
}

func (q question) preflighted() bool {
	return q.header != "" || !slices.Contains([]string{"GET", "HEAD", "POST"}, q.method)
}

// A native is what comes of a question with Envoy's own filter.
type native struct {
	readable bool   // by the page
	routed   bool   // a preflight, if one is needed, has a route
	age      string // for how long the preflight is remembered
	actual   nativeAnswer
}

// native puts a question to Envoy, as a browser does it: the request also where its preflight fails.
func (f *imported) native(t *testing.T, q question) (n native) {
	headers := []string{"Origin", q.origin}
	if q.header != "" {
		headers = append(headers, q.header, "1")
	}
	n.actual = f.ask(t, q.method, q.host, q.path, headers...)
	n.readable, n.routed = n.actual.lets(q.origin, q.credentials), true
	if q.preflighted() {
		asks := []string{"Origin", q.origin, "Access-Control-Request-Method", q.method}
		if q.header != "" {
			asks = append(asks, "Access-Control-Request-Headers", strings.ToLower(q.header))
		}
		p := f.ask(t, "OPTIONS", q.host, q.path, asks...)
		safe := slices.Contains([]string{"GET", "HEAD", "POST"}, q.method)
		n.readable = n.readable && p.status/100 == 2 && p.lets(q.origin, q.credentials) &&
			(safe || p.has("Access-Control-Allow-Methods", q.method, q.credentials)) && (q.header == "" || p.has("Access-Control-Allow-Headers", q.header, q.credentials))
		n.age, n.routed = p.header.Get("Access-Control-Max-Age"), p.status != http.StatusNotFound
	}
	return n
}

// check puts questions to both.
func (f *imported) check(t *testing.T) {
	questions, readable, tighter := f.questions(), 0, 0
	for _, q := range questions {
		credentials := browser.Omit
		if q.credentials {
			credentials = browser.Include
		}
		fetch := browser.Fetch{Origin: q.origin, URL: "https://" + q.host + q.path, Method: q.method, Credentials: credentials}
		if q.header != "" {
			fetch.Headers = []policy.Header{{Name: q.header, Value: "1"}}
		}
		ours, err := browser.Do(f.set, fetch)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		n := f.native(t, q)
		if !n.actual.upstream {
			continue // the gateway's own 404s, redirects and the like hold nothing
		}
		can := n.readable
		may := ours.Outcome == browser.Readable
		if ours.Outcome == browser.Undecided {
			may = q.origin == ownOrigin && n.routed
		}
		if can {
			readable++
		}
		switch {
		case may == can:
		case may && !f.specified(q):
			t.Errorf("wider: %+v: Envoy's filter keeps the page out: %v", q, n.actual.header)
		case can && q.origin != ownOrigin && !f.specified(q):
			if tighter++; f.warnings == 0 {
				t.Errorf("tighter without a warning: %+v: %s", q, ours.Reason)
			}
		}
		if may && can && ours.Outcome == browser.Readable {
			f.checkMore(t, q, &ours, n)
		}
	}
	t.Logf("%d questions, %d of them readable by Envoy's filter, %d by it alone, %d requests", len(questions), readable, tighter, len(f.answers))
}

// checkMore holds what a page that reads an answer gets beside it: headers, and for how long preflights are remembered.
func (f *imported) checkMore(t *testing.T, q question, ours *browser.Result, n native) {
	for _, name := range []string{"X-Request-Id", "X-Total", "X-A", "X-B", "X-Header-2", "Grpc-Status", "X-Hidden"} {
		theirs := n.actual.has("Access-Control-Expose-Headers", name, q.credentials)
		exposed := ours.Exposed.All || slices.ContainsFunc(ours.Exposed.Names, func(s string) bool { return strings.EqualFold(s, name) })
		if exposed && !theirs || theirs && !exposed && f.warnings == 0 {
			t.Errorf("%+v: %s is exposed by us: %v, by Envoy's filter: %v", q, name, exposed, theirs)
		}
	}
	if ours.Preflight == nil || f.warnings > 0 {
		return
	}
	own := ""
	for _, h := range ours.Preflight.Answer {
		if strings.EqualFold(h.Name, "Access-Control-Max-Age") {
			own = h.Value
		}
	}
	if own != n.age {
		t.Errorf("%+v: max-age is %q, and %q of Envoy's filter", q, own, n.age)
	}
}

// specified reports whether Envoy Gateway does otherwise than Gateway API says: it compares ports as text, and has any of
// them for https://*.
func (f *imported) specified(q question) bool {
	switch name, _, _ := strings.Cut(strings.TrimPrefix(f.name, "gateway-api/"), "/"); name {
	case "any-https":
		return strings.Count(q.origin, ":") == 2
	case "never-sent":
		return q.origin == "https://shop.example" || strings.HasSuffix(q.origin, ".shop.example")
	}
	return false
}

// usualOrigins are asked about everywhere.
var usualOrigins = []string{
	"https://shop.example", "https://a.shop.example", "https://partner.example", "http://shop.example", "https://shop.example:8443", "https://shop.example.evil.test",
	"https://evilshop.example", "null", ownOrigin, "https://stranger.example", "http://localhost:3000", "chrome-extension://abcdef", "https://192.0.2.7:8443", "https://[2001:db8::1]",
}

// questions returns what is asked about a fixture: all of the simple requests, and of the others as many by chance.
func (f *imported) questions() (all []question) {
	origins, hosts, paths := f.subjects()
	random := rand.New(rand.NewPCG(uint64(len(f.name)), 7))
	one := func(list []string) string { return list[random.IntN(len(list))] }
	known := slices.DeleteFunc(slices.Clone(origins), func(s string) bool { return slices.Contains(usualOrigins[6:], s) })
	for _, host := range hosts {
		for _, path := range paths {
			for range 3 {
				all = append(all, question{origin: one(known), host: host, path: path, method: one([]string{"GET", "POST"}), credentials: random.IntN(2) == 0})
			}
		}
	}
	for _, origin := range origins {
		for range 2 {
			all = append(all, question{origin: origin, host: one(hosts), path: one(paths), method: "GET", credentials: random.IntN(2) == 0})
		}
	}
	for i := range 300 {
		from := origins
		if i%4 > 0 {
			from = known
		}
		all = append(all, question{
			origin: one(from), host: one(hosts), path: one(paths), credentials: random.IntN(2) == 0,
			method: one([]string{"GET", "GET", "POST", "PUT", "PUT", "DELETE", "PATCH"}), header: one([]string{"", "", "", "X-Token", "X-Token", "X-Token", "x-canary", "x-only", "X-Other", "X-Trace", "Authorization", "X-Unknown", "X-Header-1"}),
		})
	}
	return all
}

// stars are what is put where an expression of an origin has a star.
var stars = []string{"x", "x.y", "x-1", "localhost", "10.0.0.1", "x.example:8443"}

// subjects returns the origins, hosts and paths that the routes of a fixture speak of, and their neighbours.
func (f *imported) subjects() (origins, hosts, paths []string) {
	seen := map[string]bool{}
	add := func(list *[]string, s string) {
		if !seen[s] {
			seen[s] = true
			*list = append(*list, s)
		}
	}
	origin := func(s string) {
		if browser.CheckOrigin(s) == nil {
			add(&origins, s)
		}
	}
	for _, s := range usualOrigins {
		origin(s)
	}
	add(&hosts, "unknown.test")
	add(&paths, "/")
	for _, s := range []string{"/other", "/api/v7", "/r/abc", "/shop.v2.Cart/Get", "/api/v1"} {
		add(&paths, s)
	}
	text := func(m map[string]any, key string) string { s, _ := m[key].(string); return s }
	eachMap(f.routes, func(m map[string]any) {
		if domains, ok := m["domains"].([]any); ok {
			for _, d := range domains {
				host := strings.Replace(d.(string), "*", "deep.sub", 1)
				if host == "deep.sub" {
					host = "any.test"
				}
				add(&hosts, host)
			}
		}
		if match, ok := m["match"].(map[string]any); ok {
			if path := text(match, "path"); path != "" {
				add(&paths, path)
				add(&paths, path+"/")
			}
			if path := text(match, "pathSeparatedPrefix"); path != "" {
				for _, more := range []string{"", "/x", "x", "?v=2"} {
					add(&paths, path+more)
				}
			}
		}
		if matchers, ok := m["allowOriginStringMatch"].([]any); ok {
			for _, matcher := range matchers {
				matcher := matcher.(map[string]any)
				if exact := text(matcher, "exact"); exact != "" {
					origin(strings.ToLower(exact))
					origin(strings.TrimSuffix(strings.ToLower(exact), ":443"))
				}
				if regex, ok := matcher["safeRegex"].(map[string]any); ok {
					for _, star := range stars {
						origin(unquoted.ReplaceAllString(strings.ReplaceAll(text(regex, "regex"), ".*", star), "$1"))
						origin(unquoted.ReplaceAllString(strings.ReplaceAll(text(regex, "regex"), ".*", star), "$1") + ":81")
					}
				}
			}
		}
	})
	slices.Sort(origins)
	slices.Sort(hosts)
	slices.Sort(paths)
	return origins, hosts, paths
}

var unquoted = regexp.MustCompile(`\\(.)`)

// TestMeshImportedFixtures holds that every fixture has its routes, or is one that the translator cannot read.
func TestMeshImportedFixtures(t *testing.T) {
	for _, kind := range mesh.ImportedKinds {
		files, err := filepath.Glob(filepath.Join(root, mesh.Fixtures, kind, "*.yaml"))
		if err != nil || len(files) < 15 {
			t.Errorf("%s: %d fixtures, %v", kind, len(files), err)
		}
		for _, file := range files {
			name := filepath.Base(file)
			data, err := os.ReadFile(filepath.Join(root, mesh.Imported, kind, name))
			var routes map[string]any
			switch known := slices.Contains(mesh.Untranslated, kind+"/"+strings.TrimSuffix(name, ".yaml")); {
			case known && err == nil:
				t.Errorf("%s/%s has routes, and is said to have none", kind, name)
			case !known && (err != nil || yaml.Unmarshal(data, &routes) != nil || len(routes) == 0):
				t.Errorf("%s/%s has no routes, run make mesh-golden: %v", kind, name, err)
			}
		}
	}
}
