//go:build unix

package e2e

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/envoy/internal/mesh"
	"github.com/corsproc/corsproc/policy/browser"
)

// A gatewayImport is a fixture of corsproc import, and one of the route configurations that Envoy Gateway makes of it.
type gatewayImport struct {
	*imported
	routes map[string]any
	native *native
}

// TestMeshImported asks Envoy's own filter, with the routes that Envoy Gateway makes of each fixture, what pages can read,
// and the policies that corsproc import makes of it. They agree, or the policies say less and the import has warned.
func TestMeshImported(t *testing.T) {
	var all []*gatewayImport
	for _, kind := range mesh.ImportedKinds {
		all = append(all, readImported(t, kind)...)
	}
	if len(all) < 30 {
		t.Fatalf("only %d route configurations", len(all))
	}
	var imports []*imported
	for _, f := range all {
		imports = append(imports, f.imported)
	}
	e := startNative(t, imports, letsItsOwn)
	readable := 0
	for _, f := range all {
		t.Run(f.name, func(t *testing.T) {
			f.native = &native{t: t, address: e.Listeners[f.name+"#0"], answers: map[string]*nativeAnswer{}}
			readable += f.check(t)
		})
	}
	if readable < 500 {
		t.Errorf("only %d questions that Envoy's filter allows: that shows little", readable)
	}
}

// readImported imports the fixtures of a kind that Envoy Gateway was asked about.
func readImported(t *testing.T, kind string) (all []*gatewayImport) {
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
		configs := object(t, file)
		for _, key := range slices.Sorted(maps.Keys(configs)) {
			routes := configs[key].(map[string]any)
			f := importAs(t, kind, name, data)
			f.name = kind + "/" + strings.TrimSuffix(name, ".yaml") + "/" + key
			f.managers = []manager{managerOf(f.name, routes)}
			all = append(all, &gatewayImport{imported: f, routes: routes})
		}
	}
	return all
}

// managerOf is a connection manager with the native filter and some routes, to the tests' upstream.
func managerOf(name string, routes map[string]any) manager {
	eachMap(routes, func(r map[string]any) {
		if r["route"] != nil {
			r["route"] = map[string]any{"cluster": "up"}
		}
	})
	routes["name"] = name
	filter := func(name, kind string) map[string]any {
		return map[string]any{"name": name, "typed_config": map[string]any{"@type": "type.googleapis.com/envoy.extensions.filters.http." + kind}}
	}
	return manager{
		"@type":        "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
		"stat_prefix":  "http",
		"route_config": routes,
		"http_filters": []any{filter("envoy.filters.http.cors", "cors.v3.Cors"), filter("envoy.filters.http.router", "router.v3.Router")},
	}
}

// ownOrigin is the one that the upstream itself lets in, whatever the gateway does.
const ownOrigin = "https://upstream.example"

// letsItsOwn is an upstream that lets in one origin.
func letsItsOwn(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Upstream", "yes")
	if r.Header.Get("Origin") == ownOrigin {
		h.Set("Access-Control-Allow-Origin", ownOrigin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, PATCH")
		h.Set("Access-Control-Allow-Headers", "x-token, x-canary, x-only, x-other, x-trace, authorization, x-unknown, x-header-1")
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

// A question is a fetch by a page.
type question struct {
	origin, host, path, method, header string
	credentials                        bool
}

func (q question) headers() []string {
	if q.header == "" {
		return nil
	}
	return []string{q.header}
}

// reaches reports whether the upstream answers the question, and whether its preflight, if one is needed, has a route.
func (f *gatewayImport) reaches(q question) (content, routed bool) {
	headers := []string{"Origin: " + q.origin}
	if q.header != "" {
		headers = append(headers, q.header+": "+headerValue(q.header))
	}
	content = f.native.do(q.method, q.host, q.path, headers...).header.Get("X-Upstream") != ""
	if q.header == "" && (q.method == "GET" || q.method == "POST") {
		return content, true
	}
	asks := []string{"Origin: " + q.origin, "Access-Control-Request-Method: " + q.method}
	if q.header != "" {
		asks = append(asks, "Access-Control-Request-Headers: "+q.header)
	}
	return content, f.native.do("OPTIONS", q.host, q.path, asks...).status != http.StatusNotFound
}

// check puts questions to both, and returns how many of them Envoy's filter allows.
func (f *gatewayImport) check(t *testing.T) (readable int) {
	questions, tighter := f.questions(), 0
	for _, q := range questions {
		content, routed := f.reaches(q)
		if !content {
			continue // the gateway's own 404s, redirects and the like hold nothing
		}
		theirs := f.native.fetch(q.origin, q.host, q.path, q.method, q.headers(), q.credentials)
		ours := f.fetch(t, q.origin, q.host, q.path, q.method, q.headers(), q.credentials, "")
		may := ours.allowed
		if f.undecided(t, q) {
			may = q.origin == ownOrigin && routed
		}
		if theirs.allowed {
			readable++
		}
		switch {
		case may && !theirs.allowed && !f.specified(q):
			t.Errorf("wider: %+v: Envoy's filter keeps the page out\n%s", q, f.file)
		case theirs.allowed && !may && q.origin != ownOrigin && !f.specified(q):
			if tighter++; len(f.warnings) == 0 {
				t.Errorf("tighter without a warning: %+v\n%s", q, f.file)
			}
		case ours.allowed && theirs.allowed:
			if why := ours.beyond(theirs); why != "" {
				t.Errorf("wider: %+v: %s (Envoy %+v, imported %+v)\n%s", q, why, theirs, ours, f.file)
			} else if why := theirs.beyond(ours); why != "" && len(f.warnings) == 0 {
				t.Errorf("tighter without a warning: %+v: %s (Envoy %+v, imported %+v)\n%s", q, why, theirs, ours, f.file)
			}
		}
	}
	t.Logf("%d questions, %d allowed by Envoy's filter, %d by it alone, %d requests", len(questions), readable, tighter, len(f.native.answers))
	return readable
}

// undecided reports whether it is the upstream's to answer.
func (f *gatewayImport) undecided(t *testing.T, q question) bool {
	t.Helper()
	r, err := browser.Do(f.set, browser.Fetch{Origin: q.origin, URL: "https://" + q.host + q.path, Method: q.method, Credentials: browser.Omit, PathAsIs: true})
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	return r.Outcome == browser.Undecided
}

// specified reports whether Envoy Gateway does otherwise than Gateway API says: it compares ports as text, and has any of
// them for https://*.
func (f *gatewayImport) specified(q question) bool {
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
func (f *gatewayImport) questions() (all []question) {
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
			method: one([]string{"GET", "GET", "POST", "PUT", "PUT", "DELETE", "PATCH"}), header: one([]string{"", "", "", "x-token", "x-token", "x-token", "x-canary", "x-only", "x-other", "x-trace", "authorization", "x-unknown", "x-header-1"}),
		})
	}
	return all
}

// stars are what is put where an expression of an origin has a star.
var stars = []string{"x", "x.y", "x-1", "localhost", "10.0.0.1", "x.example:8443"}

// subjects returns the origins, hosts and paths that the routes of a fixture speak of, and their neighbours.
func (f *gatewayImport) subjects() (origins, hosts, paths []string) {
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
