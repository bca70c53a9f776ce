package browser

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// TestChanges makes the changes that are suggested for every refused fetch of the table: the policies must load, and
// allow the fetch.
func TestChanges(t *testing.T) {
	all, policies := readTable(t, apiPort, pagePort)
	changed := 0
	for _, c := range all.Fetches {
		f := c.fetch(t, apiPort, "")
		r, err := Do(policies.Set, f)
		if err != nil {
			t.Fatal(err)
		}
		changes := r.Explanation(policies.Location).Changes
		if len(changes) == 0 {
			if r.Outcome == Unreadable && r.Reason != "path_ambiguous" {
				t.Errorf("%s: no change is suggested", c.Name)
			}
			continue
		}
		changed++
		t.Run(c.Name, func(t *testing.T) {
			var set map[string]any
			if err := yaml.Load([]byte(all.Policies), &set); err != nil {
				t.Fatal(err)
			}
			for _, change := range changes {
				if !strings.Contains(change.Text, change.At.Field) || change.At.Line == 0 {
					t.Errorf("%q does not name the place %v", change.Text, change.At)
				}
				apply(t, set, change, f)
			}
			text, err := yaml.Dump(set)
			if err != nil {
				t.Fatal(err)
			}
			if r, err = Do(compile(t, string(text)).Set, f); err != nil || r.Outcome != Readable {
				t.Errorf("changed, and yet %v (%s, %v):\n%s", r.Outcome, r.Reason, err, text)
			}
		})
	}
	if changed < 40 {
		t.Errorf("only %d fetches with changes", changed)
	}
}

var fieldSteps = regexp.MustCompile(`[^.\[\]]+`)

// apply makes one change in a policy file. For what is to be listed it writes a policy.
func apply(t *testing.T, file map[string]any, change *corsprocv1.PolicyChange, f Fetch) {
	t.Helper()
	steps := fieldSteps.FindAllString(change.At.Field, -1)
	var parent any = file
	for _, step := range steps[:len(steps)-1] {
		switch p := parent.(type) {
		case map[string]any:
			if p[step] == nil {
				t.Fatalf("there is no %s in %s", step, change.At.Field)
			}
			parent = p[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil {
				t.Fatal(err)
			}
			parent = p[i]
		}
	}
	last := steps[len(steps)-1]
	switch change.Action {
	case "add":
		m := parent.(map[string]any)
		list, _ := m[last].([]any)
		m[last] = append(list, change.Value)
	case "set":
		parent.(map[string]any)[last] = change.Value == "true"
	case "remove":
		list := parent.([]any)
		i, err := strconv.Atoi(last)
		if err != nil {
			t.Fatal(err)
		}
		list[i] = "https://denied-instead.example" // an entry less, without moving the others
	case "list":
		m := parent.(map[string]any)
		list := m[last].([]any)
		if list[0] == "none" {
			list = nil
		}
		m[last] = slices.Concat([]any{"extra"}, list)
		methods, headers := []any{}, []any{}
		if f.Method != "" {
			methods = append(methods, f.Method)
		}
		for _, h := range f.Headers {
			headers = append(headers, h.Name)
		}
		file["policies"].(map[string]any)["extra"] = map[string]any{
			"allow_origins": []any{f.Origin}, "allow_methods": methods, "allow_headers": headers,
			"allow_credentials": f.Credentials == Include && !f.WebSocket,
		}
	default:
		t.Fatalf("%q is no change", change.Action)
	}
}

// TestNoDangerousChange holds that no change is suggested that would be an error.
func TestNoDangerousChange(t *testing.T) {
	policies := compile(t, `
policies:
  everybody: {allow_origin_regexes: ['https://.*']}
  insecure: {allow_origins: ["http://shop.example.com", "https://shop.example.com"]}
  exposing: {allow_origins: ["https://shop.example.com"], expose_headers: ["*"]}
  anyport: {allow_origins: ["http://shop.example.com:*", "https://shop.example.com"]}
  suffix: {allow_origins: ["https://*.github.io", "https://shop.example.com"]}
  anyhost: {allow_origins: ["https://*"]}
  opaque: {allow_origins: ["null", "https://shop.example.com"]}
  signed: {allow_origins: ["https://shop.example.com"], allow_credentials: true}
virtual_hosts:
  - domains: [api.example.com]
    policies: [none]
    routes:
      - {prefix: /everybody, policies: [everybody]}
      - {prefix: /insecure, policies: [insecure]}
      - {prefix: /exposing, policies: [exposing]}
      - {prefix: /anyport, policies: [anyport]}
      - {prefix: /suffix, policies: [suffix]}
      - {prefix: /anyhost, policies: [anyhost]}
      - {prefix: /opaque, policies: [opaque]}
      - {prefix: /signed, policies: [signed]}
`)
	const shop = "https://shop.example.com"
	for _, c := range []struct {
		origin, path string
		credentials  Credentials
		want         string // the text of the only change; empty: none
	}{
		{shop, "/everybody", Include, "list a policy that allows https://shop.example.com with credentials first in virtual_hosts[0].routes[0].policies (-:15:40)"},
		{shop, "/insecure", Include, "list a policy that allows https://shop.example.com with credentials first in virtual_hosts[0].routes[1].policies (-:16:39)"},
		{shop, "/exposing", Include, "list a policy that allows https://shop.example.com with credentials first in virtual_hosts[0].routes[2].policies (-:17:39)"},
		{shop, "/anyport", Include, "list a policy that allows https://shop.example.com with credentials first in virtual_hosts[0].routes[3].policies (-:18:38)"},
		{shop, "/suffix", Include, "list a policy that allows https://shop.example.com with credentials first in virtual_hosts[0].routes[4].policies (-:19:37)"},
		{shop, "/anyhost", Include, "list a policy that allows https://shop.example.com with credentials first in virtual_hosts[0].routes[5].policies (-:20:38)"},
		{shop, "/opaque", Include, "list a policy that allows https://shop.example.com with credentials first in virtual_hosts[0].routes[6].policies (-:21:37)"},
		{shop, "/", Include, "list a policy that allows https://shop.example.com with credentials in virtual_hosts[0].policies instead of none (-:13:15)"},
		{"http://shop.example.com", "/insecure", Include, ""},
		{"null", "/opaque", Include, ""},
		{"http://shop.example.com", "/signed", SameOrigin, "list a policy that allows http://shop.example.com first in virtual_hosts[0].routes[7].policies (-:22:37)"},
		{"http://localhost:3000", "/signed", SameOrigin, "add http://localhost:3000 to policies.signed.allow_origins (-:10:27)"},
	} {
		r, err := Do(policies.Set, Fetch{Origin: c.origin, URL: "https://api.example.com" + c.path, Credentials: c.credentials})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, change := range r.Explanation(policies.Location).Changes {
			got += change.Text
		}
		if got != c.want {
			t.Errorf("%s %s:\n got %s\nwant %s", c.origin, c.path, got, c.want)
		}
		if notes := strings.Join(r.Notes, " "); strings.Contains(notes, "No change") != (c.want == "") {
			t.Errorf("%s %s: the notes say %q", c.origin, c.path, notes)
		}
	}
}

// TestChangeOfOneAnswerForAll: where a second policy takes away that every answer is the same, the change says so.
func TestChangeOfOneAnswerForAll(t *testing.T) {
	policies := compile(t, `
policies:
  cdn: {allow_origins: ["https://shop.example.com"], fixed_origin: true}
  public: {allow_origins: ["*"]}
  some: {allow_origins: ["*"], deny_origins: ["https://bad.example"]}
default: {policies: [cdn], reject: ALWAYS}
virtual_hosts:
  - domains: [cdn.example]
    reject: NEVER
    routes:
      - {prefix: /public, policies: [public]}
      - {prefix: /some, policies: [some]}
      - {prefix: /none, policies: [none]}
      - {prefix: /two, policies: [cdn, public]}
      - {prefix: /reject, policies: [cdn], reject: ALWAYS}
`)
	const fixed = ": fixed_origin of cdn has no effect beside another policy; the answers get Vary, and a cache that ignores that mixes them up"
	for url, want := range map[string]string{
		"https://cdn.example/":        fixed,
		"https://other.example/":      fixed, // which rejects, and has its list in common with the place above
		"https://cdn.example/public":  ": the answers of the place, the same for everybody with public alone, then depend on who asks and get Vary",
		"https://cdn.example/some":    "",
		"https://cdn.example/none":    "",
		"https://cdn.example/two":     "",
		"https://cdn.example/reject":  "",
		"https://cdn.example/two%2fx": "",
	} {
		r, err := Do(policies.Set, Fetch{Origin: "https://new.example", URL: url, Credentials: Include})
		if err != nil {
			t.Fatal(err)
		}
		changes := r.Explanation(policies.Location).Changes
		if len(changes) != 1 {
			t.Errorf("%s: %v", url, changes)
			continue
		}
		if _, after, _ := strings.Cut(changes[0].Text, ")"); after != want {
			t.Errorf("%s: %q, want it to end with %q", url, changes[0].Text, want)
		}
	}
}
