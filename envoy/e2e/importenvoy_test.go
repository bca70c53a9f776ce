//go:build unix

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/convert"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// TestImportEnvoy holds what import says of each fixture against what Envoy does with it: the same questions go to a real
// Envoy, in which the native filters run with that very configuration, and to the policies that import made of it. What a
// browser may do is equal; where import warned, it may be less. It is never more.
func TestImportEnvoy(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "policy/convert/testdata/envoy/*"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	var all []*imported
	for _, file := range files {
		if strings.HasSuffix(file, ".golden") {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, importOf(t, filepath.Base(file), data))
	}
	compareImports(t, all)
}

// compareImports asks one Envoy about all of them.
func compareImports(t *testing.T, all []*imported) {
	t.Helper()
	e := startNative(t, all, silent)
	for _, f := range all {
		t.Run(f.name, func(t *testing.T) {
			asked, allowed := 0, 0
			for i, m := range f.managers {
				n := &native{t: t, address: e.Listeners[fmt.Sprintf("%s#%d", f.name, i)], answers: map[string]*nativeAnswer{}}
				for _, h := range m.hosts() {
					a, b := f.compare(t, n, h)
					asked, allowed = asked+a, allowed+b
				}
			}
			if asked == 0 || allowed == 0 && !f.warnings["fraction"] && !strings.HasPrefix(f.name, "random") {
				t.Errorf("%d questions, of which Envoy allows %d: that shows nothing", asked, allowed)
			}
		})
	}
}

// imported is a fixture: what import makes of it, and what Envoy is to run.
type imported struct {
	name     string
	set      *policy.Set
	file     string          // what import wrote
	warnings map[string]bool // the codes of its warnings
	managers []manager

	origins, paths []string
}

// manager is an HTTP connection manager of a fixture, as generic YAML.
type manager map[string]any

func importOf(t *testing.T, name string, data []byte) *imported {
	t.Helper()
	f := importAs(t, "envoy", name, data)
	f.read(t, data)
	f.questions(string(data))
	return f
}

// importAs imports a fixture of a kind.
func importAs(t *testing.T, kind, name string, data []byte) *imported {
	t.Helper()
	result, err := convert.Convert(kind, []convert.Source{{Name: name, Data: data}})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	f := &imported{name: name, file: string(result.Draft.Bytes()), warnings: map[string]bool{}}
	for _, w := range result.Warnings {
		f.warnings[w.Code] = true
	}
	compiled := (&policyfile.Content{Files: []policyfile.File{{Name: "policies.yaml", Data: []byte(f.file)}}}).Compile()
	if f.set = compiled.Set; f.set == nil {
		t.Fatalf("%s: %v", name, compiled.Findings)
	}
	return f
}

// read finds the connection managers of a fixture, wherever they stand, and gives them routes and an upstream that are here.
func (f *imported) read(t *testing.T, data []byte) {
	t.Helper()
	var managers []manager
	tables := map[string]map[string]any{}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for {
		var doc any
		if err := loader.Load(&doc); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		walkYAML(snakeCase(doc), func(m map[string]any) bool {
			switch {
			case m["http_filters"] != nil:
				managers = append(managers, m)
			case m["virtual_hosts"] != nil:
				tables[fmt.Sprint(m["name"])] = m
			}
			return m["http_filters"] == nil
		})
	}
	seen := map[string]bool{}
	for _, m := range managers {
		if rds, ok := m["rds"].(map[string]any); ok {
			m["route_config"] = tables[fmt.Sprint(rds["route_config_name"])]
			delete(tables, fmt.Sprint(rds["route_config_name"]))
		}
		table, ok := m["route_config"].(map[string]any)
		if !ok || len(table) == 0 || seen[fmt.Sprint(m["stat_prefix"])] { // that of a dump stands there twice
			continue
		}
		seen[fmt.Sprint(m["stat_prefix"])] = true
		delete(tables, fmt.Sprint(table["name"]))
		f.managers = append(f.managers, adapt(table, filtersOf(m)))
	}
	if len(managers) > 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(tables)) { // routes alone
		f.managers = append(f.managers, adapt(tables[name], []any{
			map[string]any{"name": "envoy.filters.http.csrf", "disabled": true, "typed_config": map[string]any{
				"@type": "type.googleapis.com/envoy.extensions.filters.http.csrf.v3.CsrfPolicy", "filter_enabled": map[string]any{"default_value": map[string]any{}}}},
			map[string]any{"name": "envoy.filters.http.cors", "typed_config": map[string]any{"@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors"}},
		}))
	}
}

// filtersOf returns those of a manager's filters that CORS depends on.
func filtersOf(m map[string]any) (filters []any) {
	list, _ := m["http_filters"].([]any)
	for _, filter := range list {
		text := fmt.Sprint(filter)
		if strings.Contains(text, ".cors.v3.Cors") || strings.Contains(text, ".csrf.v3.CsrfPolicy") {
			filters = append(filters, filter)
		}
	}
	return filters
}

// adapt makes a manager of a route configuration whose routes all lead to the upstream of the test, and whose virtual
// hosts say which of them answers.
func adapt(table map[string]any, filters []any) manager {
	walkYAML(table, func(m map[string]any) bool {
		if route, ok := m["route"].(map[string]any); ok {
			kept := map[string]any{}
			for _, field := range []string{"cors", "weighted_clusters"} {
				if route[field] != nil {
					kept[field] = route[field]
				}
			}
			if weighted, ok := kept["weighted_clusters"].(map[string]any); ok {
				for _, c := range weighted["clusters"].([]any) {
					c.(map[string]any)["name"] = "up"
				}
			} else {
				kept["cluster"] = "up"
			}
			m["route"] = kept
		}
		if m["domains"] != nil {
			m["response_headers_to_add"] = []any{map[string]any{"header": map[string]any{"key": "x-virtual-host", "value": m["name"]}}}
		}
		return true
	})
	delete(table, "@type")
	filters = append(filters, map[string]any{"name": "envoy.filters.http.router", "typed_config": map[string]any{"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}})
	return manager{"route_config": table, "http_filters": filters, "stat_prefix": "import",
		"@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"}
}

// walkYAML calls use for every mapping, the outer ones first, and goes on inside where it says so.
func walkYAML(v any, use func(map[string]any) bool) {
	switch v := v.(type) {
	case map[string]any:
		if !use(v) {
			return
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if key != "draining_state" && key != "bootstrap" {
				walkYAML(v[key], use)
			}
		}
	case []any:
		for _, e := range v {
			walkYAML(e, use)
		}
	}
}

var camelHump = regexp.MustCompile(`[a-z0-9][A-Z]`)

// snakeCase returns generic YAML with the names of the proto, each part of its own.
func snakeCase(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			key = camelHump.ReplaceAllStringFunc(key, func(s string) string { return s[:1] + "_" + strings.ToLower(s[1:]) })
			m[key] = snakeCase(value)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = snakeCase(e)
		}
		return list
	}
	return v
}

// hosts are the authorities to ask: one for each domain.
func (m manager) hosts() (hosts []string) {
	walkYAML(m["route_config"], func(h map[string]any) bool {
		domains, _ := h["domains"].([]any)
		for _, d := range domains {
			s := fmt.Sprint(d)
			if s == "*" {
				s = "any.test"
			}
			s = strings.Replace(s, "*.", "a.b.", 1)
			hosts = append(hosts, strings.Replace(s, ":*", ":8080", 1))
		}
		return true
	})
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// questions finds the origins and paths that are worth asking about.
func (f *imported) questions(text string) {
	f.origins = []string{"null", "https://stranger.example", "https://shop.example.com", "http://shop.example.com", "https://shop.example.com.evil.test", "https://shop.example.com:8443"}
	f.paths = []string{"/", "/nothing/here"}
	for line := range strings.Lines(text) {
		if _, rest, ok := strings.Cut(line, "# ask: "); ok {
			f.origins = append(f.origins, strings.Fields(rest)...)
		}
		if _, rest, ok := strings.Cut(line, "# paths: "); ok {
			f.paths = append(f.paths, strings.Fields(rest)...)
		}
	}
	for _, m := range f.managers {
		walkYAML(map[string]any(m), func(m map[string]any) bool {
			for field, forms := range map[string][]string{
				"exact": {"%s"}, "prefix": {"%s", "%sevil.test"}, "suffix": {"https://x%s", "http://x.y%s", "https%s"}, "contains": {"https://a%sb.test"},
			} {
				s, _ := m[field].(string)
				for _, form := range forms {
					f.origins = append(f.origins, fmt.Sprintf(form, s), strings.ToLower(fmt.Sprintf(form, s)))
				}
			}
			if match, ok := m["match"].(map[string]any); ok {
				for _, field := range []string{"path", "prefix", "path_separated_prefix"} {
					if s, _ := match[field].(string); strings.HasPrefix(s, "/") {
						f.paths = append(f.paths, s, strings.TrimSuffix(s, "/")+"/x")
					}
				}
			}
			return true
		})
	}
	f.origins = slices.DeleteFunc(f.origins, func(s string) bool { return browser.CheckOrigin(s) != nil })
	slices.Sort(f.origins)
	f.origins = slices.Compact(f.origins)
	slices.Sort(f.paths)
	f.paths = slices.Compact(f.paths)
}

// importQuestion is what a script asks for.
type importQuestion struct {
	method  string
	headers []string
	include bool
	always  bool // also of an origin that is not allowed
}

var importQuestions = func() (all []importQuestion) {
	for i, method := range []string{"GET", "PUT", "POST", "DELETE", "PATCH"} {
		for j, headers := range [][]string{nil, {"x-a"}, {"authorization"}, {"x-on", "x-a"}, {"content-type", "x-request-id"}, {"x-own"}, {"x-version"}} {
			for _, include := range []bool{false, true} {
				if i < 2 || j == 0 {
					all = append(all, importQuestion{method, headers, include, j == 0 && i != 3 && !include})
				}
			}
		}
	}
	return all
}()

// compare asks both sides what pages may do at a host, and returns how much was asked, and how often Envoy allows it.
func (f *imported) compare(t *testing.T, n *native, host string) (asked, allowed int) {
	for _, path := range f.paths {
		name := n.virtualHost(host, path)
		for _, origin := range f.origins {
			everything := n.fetch(origin, host, path, "GET", nil, false).allowed || n.fetch(origin, host, path, "PUT", []string{"x-a"}, false).allowed
			for _, q := range importQuestions {
				if !everything && !q.always {
					continue // an origin that is not allowed is so whatever it asks for
				}
				asked++
				there := n.fetch(origin, host, path, q.method, q.headers, q.include)
				if there.allowed {
					allowed++
				}
				names := []string{name, ""}
				if !q.always {
					names = names[:1]
				}
				for _, name := range names {
					here := f.fetch(t, origin, host, path, q.method, q.headers, q.include, name)
					what := ""
					if why := here.beyond(there); why != "" && !f.told(why) {
						what = "wider: " + why
					} else if why := there.beyond(here); why != "" && len(f.warnings) == 0 {
						what = "tighter without a warning: " + why
					}
					if what != "" {
						t.Errorf("%+v of %s%s from %s, virtual host %q: %s (Envoy %+v, imported %+v)\n%s", q, host, path, origin, name, what, there, here, f.file)
						return asked, allowed
					}
				}
			}
		}
	}
	return asked, allowed
}

// told reports whether import warned that something is wider: the two cases in which nothing tighter would be of use.
func (f *imported) told(why string) bool {
	if why == "it reaches the upstream" {
		return f.warnings["csrf-lost"]
	}
	return f.warnings["listener-apart"] && why == "it is allowed"
}

// may is what a page may do.
type may struct {
	allowed bool
	exposed []string // lower-case, sorted; "*": all
	maxAge  string   // of the preflight; empty: none
	stopped bool     // the request does not reach the upstream
}

// beyond says what m allows that other does not; empty: nothing.
func (m may) beyond(other may) string {
	switch {
	case m.allowed && !other.allowed:
		return "it is allowed"
	case !m.allowed:
		if other.stopped && !m.stopped {
			return "it reaches the upstream"
		}
		return ""
	case m.maxAge != other.maxAge && (other.maxAge == "" || m.maxAge != "" && age(m.maxAge) > age(other.maxAge)):
		return "the preflight is cached longer"
	case slices.Contains(other.exposed, "*"):
		return ""
	}
	for _, name := range m.exposed {
		if !slices.Contains(other.exposed, name) {
			return "it exposes " + name
		}
	}
	return ""
}

func age(s string) (seconds int) {
	fmt.Sscan(s, &seconds)
	return min(seconds, 1<<31-1)
}

// fetch asks the policies that import made.
func (f *imported) fetch(t *testing.T, origin, host, path, method string, headers []string, include bool, virtualHost string) (m may) {
	t.Helper()
	ask := browser.Fetch{Origin: origin, URL: "https://" + host + path, Method: method, VirtualHost: virtualHost, PathAsIs: true, Credentials: browser.Omit}
	if include {
		ask.Credentials = browser.Include
	}
	for _, name := range headers {
		ask.Headers = append(ask.Headers, policy.Header{Name: name, Value: headerValue(name)})
	}
	r, err := browser.Do(f.set, ask)
	if err != nil {
		t.Fatalf("%+v: %v", ask, err)
	}
	m.allowed = r.Outcome == browser.Readable
	m.stopped = r.Verdict.String() == "rejected"
	if r.Exposed.All {
		m.exposed = []string{"*"}
	}
	for _, name := range r.Exposed.Names {
		m.exposed = append(m.exposed, strings.ToLower(name))
	}
	slices.Sort(m.exposed)
	if r.Preflight != nil {
		for _, h := range r.Preflight.Answer {
			if strings.EqualFold(h.Name, "Access-Control-Max-Age") {
				m.maxAge = h.Value
			}
		}
	}
	return m
}

func headerValue(name string) string {
	if name == "content-type" {
		return "application/json"
	}
	return "1"
}
