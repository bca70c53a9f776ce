package convert

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/growth"
	"github.com/corsproc/corsproc/policy/policyfile"
)

var gatewayKinds = []string{"gateway-api", "envoy-gateway"}

// imported is a fixture as it is imported: the policy file, and what is said on standard error.
func imported(t *testing.T, kind string, sources ...Source) string {
	t.Helper()
	r, err := Convert(kind, sources)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.Write(r.File)
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "--- %s:%d:%d: %s [%s]: %s\n", w.File, w.Line, w.Column, w.Field, w.Code, w.Message)
	}
	return b.String()
}

// TestGatewayFixtures holds what becomes of every fixture. That it answers browsers as Envoy's own filter does with the
// routes that Envoy Gateway makes, or tighter with a warning, is TestMeshImported in envoy/e2e.
func TestGatewayFixtures(t *testing.T) {
	for _, kind := range gatewayKinds {
		files, err := filepath.Glob(filepath.Join("testdata", kind, "*.yaml"))
		if err != nil || len(files) < 15 {
			t.Fatalf("%s: %d fixtures, %v", kind, len(files), err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := imported(t, kind, Source{Name: filepath.Base(file), Data: data})
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", golden, diff)
			}
		}
	}
}

// TestGatewayOrder holds that neither the order of objects nor that of files makes a difference, but for positions.
func TestGatewayOrder(t *testing.T) {
	positions := regexp.MustCompile(`[a-z0-9-]+\.yaml(:\d+)*`)
	grants := func(text string) string { // without comments and warnings, whose order is that of places
		var kept []string
		for line := range strings.Lines(text) {
			if trimmed := strings.TrimSpace(line); !strings.HasPrefix(trimmed, "#") && !strings.HasPrefix(trimmed, "---") {
				kept = append(kept, positions.ReplaceAllString(line, ""))
			}
		}
		return strings.Join(kept, "")
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, kind := range gatewayKinds {
		files, _ := filepath.Glob(filepath.Join("testdata", kind, "*.yaml"))
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := grants(imported(t, kind, Source{Name: "a.yaml", Data: data}))
			documents := bytes.Split(data, []byte("\n---\n"))
			random.Shuffle(len(documents), func(i, j int) { documents[i], documents[j] = documents[j], documents[i] })
			var sources []Source
			for i, d := range documents {
				sources = append(sources, Source{Name: fmt.Sprintf("f%d.yaml", i), Data: d})
			}
			if got := grants(imported(t, kind, sources...)); got != want {
				t.Errorf("%s: another order makes a difference:\n%s", file, cmp.Diff(want, got))
			}
		}
	}
}

// httpRouteWith is an HTTPRoute with a CORS filter.
func httpRouteWith(filter string) Source {
	return Source{Name: "route.yaml", Data: []byte(`apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: api, namespace: shop }
spec:
  parentRefs: [{ name: web }]
  hostnames: [api.example.com]
  rules:
  - filters: [{ type: CORS, cors: ` + filter + ` }]
`)}
}

// TestEnvoyGatewayOrigins holds origins of Envoy Gateway against its own rule for them: the text, or an expression for all
// of it with .* for each star. The origins that are asked about are what browsers send.
func TestEnvoyGatewayOrigins(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	one := func(list ...string) string { return list[random.IntN(len(list))] }
	configured := func() string {
		if random.IntN(40) == 0 {
			return "*"
		}
		host := one("*", "*.", "", "") + one("a.example", "shop.example", "A.example", "under_score.example", "10", "localhost", "example", "192.0.2.1", "xn--a.example", "xn--bcher-kva.example")
		if strings.HasPrefix(host, "*") && !strings.HasPrefix(host, "*.") {
			host = "*"
		}
		return one("https", "http", "https", "http", "app", "HTTPS", "moz-extension", "git+ssh", "ftp") + "://" + host + one("", "", "", ":443", ":80", ":8443", ":0", ":08443", ":99999")
	}
	sent := func() string {
		host := one("", "x.", "x.y.", "x_1.") + one("a.example", "shop.example", "under_score.example", "localhost", "example", "xn--bcher-kva.example", "evila.example", "other.test")
		host = one(host, host, host, "192.0.2.1", "1.2.3.10", "[2001:db8::1]", "x")
		return one("https", "http", "https", "http", "app", "moz-extension", "git+ssh") + "://" + host + one("", "", ":443", ":80", ":8443", ":8080")
	}
	asked, granted := 0, 0
	for range 300 {
		text := configured()
		r, err := Convert("envoy-gateway", []Source{httpRouteWith(fmt.Sprintf("{ allowOrigins: [%q] }", text))})
		if err != nil {
			t.Fatal(err)
		}
		set := loaded(t, r)
		rule := regexp.MustCompile(`^(?s:` + strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, ".*") + `)$`)
		for range 60 {
			origin := sent()
			if browser.CheckOrigin(origin) != nil {
				continue
			}
			result, err := browser.Do(set, browser.Fetch{Origin: origin, URL: "https://api.example.com/", Credentials: browser.Omit})
			if err != nil {
				t.Fatal(err)
			}
			asked++
			want := rule.MatchString(origin)
			if got := result.Outcome == browser.Readable; got != want {
				t.Errorf("%s, origin %s: %v, Envoy Gateway's rule says %v; warnings %v", text, origin, got, want, r.Warnings)
			}
			if want {
				granted++
			}
		}
	}
	if asked < 5000 || granted < 300 {
		t.Errorf("only %d asked, %d granted: nothing is shown", asked, granted)
	}
}

func loaded(t *testing.T, r *Result) *policy.Set {
	t.Helper()
	content := &policyfile.Content{Files: []policyfile.File{{Name: "policies.yaml", Data: r.File}}}
	compiled := content.Compile()
	if compiled.Set == nil {
		t.Fatalf("%v\n%s", compiled.Findings, r.File)
	}
	return compiled.Set
}

// TestGatewayRefuses holds what no policy file is made of, and where the fault is said to be.
func TestGatewayRefuses(t *testing.T) {
	route := string(httpRouteWith("{ allowOrigins: [\"*\"] }").Data)
	for _, c := range []struct{ name, text, want string }{
		{"nothing of ours", "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n", "a.yaml: there is no "},
		{"empty", "", "a.yaml"},
		{"no YAML", "a: [", "a.yaml:1:"},
		{"a wrong type", strings.Replace(route, "[\"*\"]", "\"*\"", 1), "a.yaml:8:"},
		{"a number for text", strings.Replace(route, "[api.example.com]", "[1]", 1), "a.yaml:6:"},
		{"text for a number", strings.Replace(route, "[\"*\"]", "[\"*\"], maxAge: 1h", 1), "a.yaml:8:"},
		{"text for a flag", strings.Replace(route, "[\"*\"]", "[\"*\"], allowCredentials: \"true\"", 1), "a.yaml:8:"},
		{"a duplicate key", strings.Replace(route, "spec:", "spec: {}\nspec:", 1), "a.yaml:5:1:"},
		{"a template", strings.Replace(route, "api.example.com", "'{{ .Values.host }}'", 1), "a.yaml:6:"},
		{"binary", "\x00\x01\x02", "a.yaml"},
	} {
		for _, kind := range gatewayKinds {
			r, err := Convert(kind, []Source{{Name: "a.yaml", Data: []byte(c.text)}})
			var input *InputError
			if r != nil || !errors.As(err, &input) || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%s, %s: %v, want %s", kind, c.name, err, c.want)
			}
		}
	}
}

// TestGatewayTells holds what is lost, by code and place.
func TestGatewayTells(t *testing.T) {
	for _, c := range []struct{ filter, want string }{
		{`{ allowOrigins: ["https://A.example", "https://a.example"] }`, "8:52 origin-never-sent"},
		{`{ allowOrigins: ["https://a.example"], maxAge: 0 }`, "8:82 max-age-invalid"},
		{`{ allowOrigins: ["https://a.example"], exposeHeaders: ["*"], allowCredentials: true }`, "8:90 expose-star-lost"},
		{`{ allowOrigins: ["https://a.example"], allowHeaders: [X-A, "a b"] }`, "8:94 name-invalid"},
		{`{ allowOrigins: ["https://a.example"], maxAge: 2147483647 }`, ""},
		{`{}`, ""},
		{`{ allowOrigins: [] }`, ""},
	} {
		r, err := Convert("gateway-api", []Source{httpRouteWith(c.filter)})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range r.Warnings {
			got = append(got, fmt.Sprintf("%d:%d %s", w.Line, w.Column, w.Code))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q: %v", c.filter, got, c.want, r.Warnings)
		}
	}
}

// TestGatewayGrowth holds that twice as many routes are twice the work, also where many hosts, paths and conditions meet.
func TestGatewayGrowth(t *testing.T) {
	for name, text := range map[string]func(i int) string{
		"hosts": func(i int) string { return fmt.Sprintf("  hostnames: [h%d.example.com]\n  rules: [{}]\n", i) },
		"paths of a host": func(i int) string {
			return fmt.Sprintf("  hostnames: [a.example]\n  rules: [{ matches: [{ path: { value: /a/p%d } }], filters: [{ type: CORS, cors: { allowOrigins: [\"https://h%d.example\"] } }] }]\n", i, i)
		},
		"conditions": func(i int) string {
			return fmt.Sprintf("  hostnames: [a.example]\n  rules: [{ matches: [{ path: { value: /a/p%d }, method: PUT }], filters: [{ type: CORS, cors: { allowOrigins: [\"https://a.example\"] } }] }]\n", i)
		},
	} {
		t.Run(name, func(t *testing.T) {
			growth.Hold(t, 40, func(n int) func() {
				var b strings.Builder
				for i := range n {
					fmt.Fprintf(&b, "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r%d, namespace: n }\nspec:\n  parentRefs: [{ name: g }]\n%s", i, text(i))
				}
				sources := []Source{{Name: "a.yaml", Data: []byte(b.String())}}
				return func() {
					if _, err := Convert("gateway-api", sources); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// FuzzGateway holds that whatever comes makes a file that loads, or an InputError.
func FuzzGateway(f *testing.F) {
	for _, kind := range gatewayKinds {
		files, _ := filepath.Glob(filepath.Join("testdata", kind, "*.yaml"))
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(data))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range gatewayKinds {
			r, err := Convert(kind, []Source{{Name: "a.yaml", Data: []byte(text)}})
			var input *InputError
			if err != nil && !errors.As(err, &input) {
				t.Errorf("%s: %v", kind, err)
			}
			if r != nil && slices.ContainsFunc(r.File, func(c byte) bool { return c < ' ' && c != '\n' }) {
				t.Errorf("%s: a control character in the file", kind)
			}
		}
	})
}
