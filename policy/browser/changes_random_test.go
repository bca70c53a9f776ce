package browser

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// TestChangesOfRandomPolicies makes the changes that are suggested for refused fetches of random policies: the policies
// must load and allow the fetch, and must not where one of the changes is left out.
func TestChangesOfRandomPolicies(t *testing.T) {
	const rounds = 300
	random := rand.New(rand.NewPCG(3, 4))
	changed, silent := 0, 0
	for range rounds {
		text := randomPolicies(random)
		loaded := compile(t, text)
		for range 5 {
			f := randomFetch(random)
			r, err := Do(loaded.Set, f)
			if err != nil {
				t.Fatal(err)
			}
			changes := r.Explanation(loaded.Location).Changes
			if r.Outcome != Unreadable {
				if len(changes) > 0 {
					t.Fatalf("%+v is allowed, and yet changes are suggested: %v\n%s", f, changes, text)
				}
				continue
			}
			if len(changes) == 0 {
				if silent++; r.Reason != "path_ambiguous" && !strings.Contains(strings.Join(r.Notes, " "), "No change is suggested") {
					t.Fatalf("%+v: %s, and neither a change nor a note why not\n%s", f, r.Reason, text)
				}
				continue
			}
			changed++
			for without := -1; without < len(changes); without++ {
				if without >= 0 && (len(changes) == 1 || slices.ContainsFunc(changes, isStar)) {
					break // of what a star covers too, not each is necessary
				}
				var set map[string]any
				if err := yaml.Load([]byte(text), &set); err != nil {
					t.Fatal(err)
				}
				for i, change := range changes {
					if i != without {
						apply(t, set, change, f)
					}
				}
				edited, err := yaml.Dump(set)
				if err != nil {
					t.Fatal(err)
				}
				again, err := Do(compile(t, string(edited)).Set, f)
				if err != nil {
					t.Fatal(err)
				}
				if readable := again.Outcome == Readable; readable != (without < 0) {
					t.Fatalf("%+v: changed but for %d of %v, and readable is %t (%s):\n%s\nbefore:\n%s", f, without, changes, readable, again.Reason, edited, text)
				}
			}
		}
	}
	if changed < rounds || silent > changed {
		t.Errorf("%d fetches with changes, %d with none: the random policies say little", changed, silent)
	}
}

func isStar(c *corsprocv1.PolicyChange) bool { return c.GetValue() == "*" }

// someOf chooses up to most entries, each once.
func someOf(r *rand.Rand, list []string, most int) string {
	chosen := slices.Clone(list)
	r.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	return strings.Join(chosen[:r.IntN(most+1)], ", ")
}

// randomPolicies writes a policy set that loads: what is open to anybody has no credentials.
func randomPolicies(r *rand.Rand) string {
	safe := []string{
		"https://shop.example.com", "'https://*.shop.example.com'", "https://a.shop.example.com", "'https://shop.example.com:*'", "'http://localhost:*'",
		"app://shop", "'@partners'",
	}
	open := append([]string{"'*'", "'null'", "http://shop.example.com", "'https://*'"}, safe...)
	var b strings.Builder
	b.WriteString("origin_sets:\n  partners: [https://partner.example, 'https://*.partner.example']\n  gone: [https://shop.example.com, https://other.example]\npolicies:\n")
	for _, name := range []string{"p", "q", "s"} {
		origins, credentials := open, r.IntN(2) == 0
		if credentials {
			origins = safe
		}
		fmt.Fprintf(&b, "  %s:\n    allow_origins: [%s]\n    deny_origins: [%s]\n    allow_methods: [%s]\n    allow_headers: [%s]\n    allow_credentials: %t\n",
			name, someOf(r, origins, 3), someOf(r, append([]string{"'@gone'", "'@gone'"}, safe...), 1), someOf(r, []string{"PUT", "DELETE", "'*'", "patch"}, 2),
			someOf(r, []string{"X-One", "'*'", "Authorization", "Content-Type"}, 2), credentials)
		if r.IntN(4) == 0 {
			b.WriteString("    allow_origin_regexes: ['https://pr-[0-9]+\\.shop\\.example\\.com']\n")
		}
	}
	b.WriteString("virtual_hosts:\n  - domains: [api.example.com]\n    policies: [none]\n    routes:\n")
	for _, path := range []string{"/a", "/b", "/c"} {
		list := someOf(r, []string{"p", "q", "s"}, 3)
		if list == "" {
			list = "none"
		}
		fmt.Fprintf(&b, "      - {path_separated_prefix: %s, policies: [%s], reject: %s, unmatched_preflights: %s}\n", path, list,
			[]string{"NEVER", "WEBSOCKETS", "UNSAFE_METHODS", "ALWAYS"}[r.IntN(4)], []string{"ANSWER", "REFUSE"}[r.IntN(2)])
	}
	return b.String()
}

func randomFetch(r *rand.Rand) Fetch {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	f := Fetch{
		Origin: pick("https://shop.example.com", "https://a.shop.example.com", "https://pr-7.shop.example.com", "https://b.a.shop.example.com:8443",
			"https://shop.example.com:8443", "http://shop.example.com", "http://localhost:3000", "null", "app://shop", "https://partner.example",
			"https://eu.partner.example", "https://other.example"),
		URL:         "https://api.example.com" + pick("/a", "/b", "/c", "/", "/a%2fx"),
		Method:      pick("GET", "POST", "PUT", "PATCH", "patch", "*"),
		Credentials: Credentials(r.IntN(3)),
	}
	if r.IntN(8) == 0 {
		f.Method, f.WebSocket = "GET", true
		return f
	}
	for _, h := range []policy.Header{{Name: "X-One", Value: "1"}, {Name: "Authorization", Value: "x"}, {Name: "Content-Type", Value: "application/json"}, {Name: "*", Value: "1"}} {
		if r.IntN(4) == 0 && (h.Name != "*" || r.IntN(4) == 0) {
			f.Headers = append(f.Headers, h)
		}
	}
	return f
}
