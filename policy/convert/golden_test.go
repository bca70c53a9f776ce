package convert

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files of convert")

// goldenOf returns what Convert makes of files, as a golden file has it: the warnings, and below them the policy file.
func goldenOf(t *testing.T, kind string, sources ...Source) string {
	t.Helper()
	r, err := Convert(kind, sources)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "%s:%d:%d: %s: %s [%s]\n", w.File, w.Line, w.Column, w.Field, w.Message, w.Code)
	}
	return b.String() + "---\n" + string(r.File)
}

// TestEnvoyGolden holds what becomes of each fixture of Envoy's, its warnings with it. What it means to browsers is held
// against a real Envoy (envoy/e2e).
func TestEnvoyGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/envoy/*")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".golden") {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := goldenOf(t, "envoy", Source{filepath.Base(file), data})
			golden := file + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || got != string(want) {
				t.Errorf("%v; -update writes\n%s", err, got)
			}
			crlf := strings.ReplaceAll(string(data), "\n", "\r\n")
			if again := goldenOf(t, "envoy", Source{filepath.Base(file), []byte("\uFEFF" + crlf)}); again != got {
				t.Errorf("with CRLF and a byte order mark it is\n%s", again)
			}
		})
	}
}

// TestEnvoyOrder holds that the order of files makes no difference.
func TestEnvoyOrder(t *testing.T) {
	routes := func(name, host string) Source {
		return Source{name, []byte(fmt.Sprintf(`{name: %[1]s, virtual_hosts: [{name: %[2]s, domains: [%[2]s.example], cors: {allow_origin_string_match: [{exact: "https://%[2]s.test"}]}, routes: [{match: {prefix: /}, route: {cluster: c}}]}]}`, name, host))}
	}
	a, b := routes("a.yaml", "a"), routes("b.yaml", "b")
	if one, other := goldenOf(t, "envoy", a, b), goldenOf(t, "envoy", b, a); one != other {
		t.Errorf("%s\nand the other way round\n%s", one, other)
	}
}

// corsAt is a route configuration with a policy for the cors filter at its virtual host.
func corsAt(policy string) string {
	return "name: r\nvirtual_hosts:\n- name: h\n  domains: [h.example]\n  typed_per_filter_config:\n    envoy.filters.http.cors:\n" +
		"      \"@type\": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy\n      " + policy + "\n  routes: [{match: {prefix: /}, route: {cluster: c}}]\n"
}

// TestEnvoyRefuses holds what is no input, and where each message points.
func TestEnvoyRefuses(t *testing.T) {
	host := func(rest string) string { return "virtual_hosts:\n- name: h\n  domains: [a]\n  " + rest + "\n" }
	for _, c := range []struct {
		name, text string
		at         string // line:column
		message    string // contained
	}{
		{"empty", "", "1:1", "no configuration of Envoy"},
		{"comments alone", "# nothing\n", "1:1", "no configuration of Envoy"},
		{"null", "null\n", "1:1", "no configuration of Envoy"},
		{"text", "hello\n", "1:1", "mapping"},
		{"a number", "12\n", "1:1", "mapping"},
		{"an empty list", "[]\n", "1:1", "no configuration of Envoy"},
		{"something else", "kind: Ingress\napiVersion: v1\n", "1:1", "no configuration of Envoy"},
		{"clusters alone", "resources_x: []\n", "1:1", "no configuration of Envoy"},
		{"no YAML", "virtual_hosts: [\n", "", "not valid YAML"},
		{"no JSON, in braces", `{"virtual_hosts": [}`, "", "not valid"},
		{"a tab", "virtual_hosts:\n\t- name: x\n", "", "not valid YAML"},
		{"a template", "virtual_hosts:\n{{- range .Values.hosts }}\n- name: x\n", "2:1", "template"},
		{"a template as a value", "virtual_hosts: {{ .Values.hosts }}\n", "1:17", "template"},
		{"a template in quotes", "virtual_hosts:\n- name: a\n  domains: ['{{ .Values.host }}']\n", "3:13", "template"},
		{"a template for a name", "virtual_hosts: [{name: '{{ .Values.name }}', domains: [a]}]\n", "1:24", "template"},
		{"a template for an origin", corsAt("allow_origin_string_match: [{exact: '{{ .Values.origin }}'}]"), "8:43", "template"},
		{"a template for a list", corsAt("allow_headers: 'x-a,{{ .Values.more }}'"), "8:22", "template"},
		{"a template for a path", host("routes: [{match: {prefix: '/{{ .Values.path }}'}, route: {cluster: c}}]"), "4:29", "template"},
		{"binary", "virtual_hosts: \x00\x01\n", "1:16", "control character"},
		{"gzip", "\x1f\x8b\x08\x00", "1:1", ""},
		{"UTF-16", "\xff\xfev\x00", "1:1", "UTF-16"},
		{"no UTF-8", "name: \xff\n", "1:7", "UTF-8"},
		{"a key twice", "name: a\nname: b\nvirtual_hosts: []\n", "2:1", "second time"},
		{"a field in both spellings", "virtual_hosts: []\nvirtualHosts: []\n", "2:1", "virtual_hosts stands here as virtual_hosts and as virtualHosts"},
		{"hosts that are no list", "virtual_hosts: {}\n", "1:16", "virtual_hosts is a list, not a mapping"},
		{"a host that is no mapping", "virtual_hosts: [x]\n", "1:17", "a mapping"},
		{"no name", "virtual_hosts:\n- domains: [a]\n", "2:3", "has no name"},
		{"no domains", "virtual_hosts:\n- name: a\n", "2:3", "has no domains"},
		{"a domain twice", "virtual_hosts:\n- {name: a, domains: [x]}\n- {name: b, domains: [X]}\n", "3:3", `the domain "x" stands in two virtual hosts`},
		{"a domain that is a number", "virtual_hosts: [{name: a, domains: [1]}]\n", "1:37", "a domain is text, not a number"},
		{"a route without a match", host("routes: [{route: {cluster: c}}]"), "4:12", "a route has no match"},
		{"a match of two", host("routes: [{match: {prefix: /, path: /x}, route: {cluster: c}}]"), "4:32", "path stands here beside prefix"},
		{"a match of the old API", host("routes: [{match: {regex: /x}, route: {cluster: c}}]"), "4:21", "write safe_regex"},
		{"a route's expression", host("routes: [{match: {safe_regex: {regex: '('}}, route: {cluster: c}}]"), "4:20", "Envoy refuses this: the expression \"(\""},
		{"a match of nothing", host("routes: [{match: {}, route: {cluster: c}}]"), "4:20", "Envoy refuses this"},
		{"an unknown field", corsAt("allow_origins: [x]"), "8:7", `CorsPolicy has no field "allow_origins"`},
		{"the old API's origins", corsAt("allow_origin: ['*']"), "8:7", "write allow_origin_string_match"},
		{"a list where text is wanted", corsAt("allow_methods: [GET, PUT]"), "8:22", "allow_methods is text"},
		{"a number where text is wanted", corsAt("max_age: 600"), "8:16", "max_age is text (a number stands in quotes), not 600"},
		{"text where a boolean is wanted", corsAt("allow_credentials: 'yes'"), "8:26", "allow_credentials is true or false"},
		{"a matcher that is text", corsAt("allow_origin_string_match: ['*']"), "8:35", "a mapping"},
		{"an empty matcher", corsAt("allow_origin_string_match: [{}]"), "7:7", "Envoy refuses this"},
		{"an empty prefix", corsAt("allow_origin_string_match: [{prefix: ''}]"), "7:7", "Envoy refuses this"},
		{"an expression", corsAt("allow_origin_string_match: [{safe_regex: {regex: '*.example.com'}}]"), "8:35", `Envoy refuses this: the expression "*.example.com": missing argument to repetition operator`},
		{"an unknown denominator", corsAt("filter_enabled: {default_value: {numerator: 1, denominator: TEN}}"), "8:67", "one of HUNDRED, TEN_THOUSAND, MILLION"},
		{"a negative numerator", corsAt("filter_enabled: {default_value: {numerator: -1}}"), "8:51", "a number"},
		{"a FilterConfig of nothing", strings.Replace(corsAt("is_optional: true"), "envoy.extensions.filters.http.cors.v3.CorsPolicy", "envoy.config.route.v3.FilterConfig", 1), "7:7", "neither config nor disabled"},
		{"a flag that is none", strings.Replace(corsAt("disabled: maybe"), "envoy.extensions.filters.http.cors.v3.CorsPolicy", "envoy.config.route.v3.FilterConfig", 1), "8:17", "disabled is true or false"},
		{"a manager without configuration", "filter_chains: [{filters: [{name: envoy.filters.network.http_connection_manager}]}]\n", "1:28", "has no typed_config"},
		{"deep nesting", strings.Repeat("[", 300) + "\n", "", ""},
		{"deep mappings", strings.Repeat("{a: ", 300), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Convert("envoy", []Source{{"envoy.yaml", []byte(c.text)}})
			var input *InputError
			if !errors.As(err, &input) {
				t.Fatalf("%v, %v", r, err)
			}
			if at := fmt.Sprintf("%d:%d", input.Line, input.Column); input.Line < 1 || c.at != "" && at != c.at {
				t.Errorf("it points at %s, want %s: %v", at, c.at, err)
			}
			if !strings.Contains(input.Message, c.message) {
				t.Errorf("%v; want %q", err, c.message)
			}
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
				t.Errorf("%q is no line", err)
			}
		})
	}
}
