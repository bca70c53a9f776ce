//go:build unix

package e2e

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// specified is a worked example of Gateway API's CORS filter.
type specified struct {
	Name     string
	From     string
	CORS     map[string]any `yaml:"cors"`
	Policy   map[string]any
	Requests []struct {
		Method  string
		Headers []string
		Status  []int
		Answer  map[string][]string
		Absent  []string
		LeftOut []string `yaml:"left_out"`
	}
}

func specifiedExamples(t *testing.T) []specified {
	t.Helper()
	data, err := os.ReadFile("testdata/gateway-api.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var table struct{ Examples []specified }
	if err := yaml.Load(data, &table, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	return table.Examples
}

// TestMeshGatewayAPI sends the specification's own examples through a real Envoy, with the policies that the table has
// beside its filters.
func TestMeshGatewayAPI(t *testing.T) {
	examples := specifiedExamples(t)
	policies, places := map[string]any{}, []any{}
	host := func(i int) string { return fmt.Sprintf("example%d.test", i) }
	for i, e := range examples {
		checkTranslation(t, &e)
		name := fmt.Sprint("example", i)
		policies[name] = e.Policy
		places = append(places, map[string]any{"domains": []string{host(i)}, "policies": []string{name}})
	}
	file, err := yaml.Marshal(map[string]any{"policies": policies, "virtual_hosts": places})
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, setup{policies: string(file)})
	for i, e := range examples {
		t.Run(e.Name, func(t *testing.T) {
			for _, r := range e.Requests {
				a := g.do(r.Method, host(i), "/resource/foo", r.Headers...)
				if !slices.Contains(r.Status, a.status) {
					t.Errorf("%s %v: status %d, want one of %v", r.Method, r.Headers, a.status, r.Status)
				}
				for name, values := range r.Answer {
					if !slices.ContainsFunc(values, func(v string) bool { return withoutBlanks(v) == withoutBlanks(a.joined[name]) }) {
						t.Errorf("%s %v: %s is %q, want one of %q", r.Method, r.Headers, name, a.joined[name], values)
					}
				}
				for _, name := range slices.Concat(r.Absent, r.LeftOut) {
					if got, ok := a.joined[name]; ok {
						t.Errorf("%s %v: %s is %q, want none", r.Method, r.Headers, name, got)
					}
				}
			}
		})
	}
}

// TestMeshGatewayAPIPage holds envoy/gateway-api.md to the table: what it says is shown somewhere is there, every field has a
// line, and both halves of its first example mean the same.
func TestMeshGatewayAPIPage(t *testing.T) {
	page := read(t, "envoy/gateway-api.md")
	shown := map[string]bool{}
	fields := map[string]bool{}
	for _, e := range specifiedExamples(t) {
		shown[e.Name] = true
		for field := range e.CORS {
			fields[field] = true
		}
	}
	rows := 0
	for line := range strings.Lines(page) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if !strings.HasPrefix(line, "| ") || len(cells) < 4 {
			continue
		}
		example := strings.TrimSpace(cells[len(cells)-2])
		if example == "example" {
			continue
		}
		if rows++; !shown[example] {
			t.Errorf("the page names an example %q", example)
		}
	}
	if rows < 10 {
		t.Errorf("only %d rows", rows)
	}
	for field := range fields {
		if !strings.Contains(page, "| `"+field) {
			t.Errorf("no row is about %s", field)
		}
	}

	var left, right strings.Builder
	for line := range strings.Lines(docBlock.FindStringSubmatch(page)[2]) {
		filter, policy, _ := strings.Cut(strings.TrimRight(line, "\n"), "# ")
		if left.Len() == 0 && right.Len() == 0 && filter == "" { // the headings
			continue
		}
		left.WriteString(filter + "\n")
		right.WriteString(policy + "\n")
	}
	var filter struct {
		Type string
		CORS map[string]any `yaml:"cors"`
	}
	var file struct{ Policies map[string]map[string]any }
	if err := errors.Join(yaml.Unmarshal([]byte(left.String()), &filter), yaml.Unmarshal([]byte(right.String()), &file)); err != nil {
		t.Fatal(err)
	}
	checkTranslation(t, &specified{Name: "the page", CORS: filter.CORS, Policy: file.Policies["shop"]})
}

func withoutBlanks(s string) string { return strings.ReplaceAll(s, " ", "") }

// checkTranslation holds that a policy is its filter's, field by field: what the table is to show is that nothing else is
// needed.
func checkTranslation(t *testing.T, e *specified) {
	t.Helper()
	want := map[string]any{"max_age": "5s"} // Gateway API's default, which is sent
	for field, value := range e.CORS {
		switch field {
		case "allowOrigins":
			want["allow_origins"] = value
		case "allowMethods":
			want["allow_methods"] = value
		case "allowHeaders":
			want["allow_headers"] = value
		case "exposeHeaders":
			want["expose_headers"] = value
		case "allowCredentials":
			if value == true {
				want["allow_credentials"] = true
			}
		case "maxAge":
			want["max_age"] = map[any]string{3600: "1h", 1728000: "480h"}[value]
		default:
			t.Errorf("%s: what is %s?", e.Name, field)
		}
	}
	got := map[string]any{}
	for field, value := range e.Policy {
		if field != "dangerously_allow" {
			got[field] = value
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: the policy is %v, and the filter says %v", e.Name, got, want)
	}
}
