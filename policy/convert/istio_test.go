package convert

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/growth"
)

// TestIstio puts the same questions to what was imported and to a real Envoy with the configuration that the control plane
// makes.
func TestIstio(t *testing.T) {
	results, inputs := golden(t, "istio")
	r := rand.New(rand.NewPCG(3, 5))
	for i := range 15 { // and random ones
		name := fmt.Sprintf("random-%d", i)
		inputs[name] = randomVirtualServices(r)
		result, err := Convert("istio", []Source{{Name: name, Data: inputs[name]}})
		if err != nil {
			t.Fatalf("%v\n%s", err, inputs[name])
		}
		results[name] = result
	}
	tables := map[string]pilotTable{}
	of := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		var refused []string
		for _, w := range results[name].Warnings {
			if w.Code == "invalid-in-source" {
				_, rest, _ := strings.Cut(w.Message, "VirtualService shop/")
				vs, _, _ := strings.Cut(rest, ":")
				refused = append(refused, vs)
			}
		}
		for i, g := range slices.Sorted(maps.Keys(pilotTables(t, inputs[name], refused))) {
			key := fmt.Sprintf("%s-%d", name, i)
			tables[key] = pilotTables(t, inputs[name], refused)[g]
			of[name] = append(of[name], key)
		}
	}
	envoy := startEnvoy(t, tables)
	asked, allowed := 0, 0
	for _, name := range slices.Sorted(maps.Keys(results)) {
		set := setOf(t, results[name])
		codes := map[string]bool{}
		for _, w := range results[name].Warnings {
			codes[w.Code] = true
		}
		differences := map[string]int{}
		failed := false
		for _, key := range of[name] {
			client := socketClient(envoy.socket(key))
			for _, q := range questionsOfTable(tables, of[name], inputs[name]) {
				theirs := q.theirs(q.put(t, client, name))
				theirs.idle = !slices.ContainsFunc(slices.Collect(maps.Keys(tables[key])), func(h string) bool {
					return h == q.authority || strings.HasPrefix(h, "*") && strings.HasSuffix(q.authority, h[1:])
				})
				ours := q.ours(t, set)
				asked++
				if ours.readable && theirs.readable {
					allowed++
				}
				how := compare(ours, theirs)
				if how == "" {
					continue
				}
				differences[how]++
				if (how == "wider" && !codes["listener-apart"] || len(codes) == 0) && !failed {
					failed = true
					t.Errorf("%s: %s: %s: ours %+v, theirs %+v\n%s\n%s", name, how, q, ours, theirs, inputs[name], results[name].File)
				}
			}
			client.CloseIdleConnections()
		}
		if len(differences) > 0 {
			t.Logf("%s differs as it warns: %v", name, differences)
		}
	}
	if asked < 10_000 || allowed < 1_000 {
		t.Errorf("only %d questions, of which %d were allowed", asked, allowed)
	}
	t.Logf("%d questions, %d allowed by both", asked, allowed)
}

// questionsOfTable returns what is asked about the virtual hosts of all gateways.
func questionsOfTable(tables map[string]pilotTable, keys []string, data []byte) (all []question) {
	table := pilotTable{}
	for _, key := range keys {
		for h, routes := range tables[key] {
			table[h] = append(table[h], routes...)
		}
	}
	hosts, paths := []string{"stranger.example.org"}, []string{"/", "/other"}
	origins := []string{"https://stranger.example.org", "null", "https://one.example.org", "https://two.example.org", "https://app.evil.example", "https://ab.example.com", "http://localhost:3000", "https://ok.example.com:8443"}
	add := func(list *[]string, more ...string) {
		for _, s := range more {
			if !slices.Contains(*list, s) {
				*list = append(*list, s)
			}
		}
	}
	for _, h := range slices.Sorted(maps.Keys(table)) {
		if rest, wild := strings.CutPrefix(h, "*"); !wild {
			add(&hosts, h)
		} else if rest != "" {
			add(&hosts, "x"+rest, "x.y"+rest)
		}
		for _, r := range table[h] {
			m := object(object(r)["match"])
			for _, key := range []string{"prefix", "path"} {
				if p, ok := m[key].(string); ok && strings.HasPrefix(p, "/") {
					add(&paths, p, p+"x", p+"/below", strings.ToUpper(p))
				}
			}
		}
	}
	if strings.Contains(string(data), "regex: \"/api") {
		add(&paths, "/api/v7/items", "/api/v7/itemsx")
	}
	if strings.Contains(string(data), "queryParams") {
		add(&paths, "/api?v=2", "/api?v=1")
	}
	for _, s := range []string{"a.example.com", "b.example.com", "c.example.com"} {
		add(&origins, "https://"+s, "https://evil-"+s)
	}
	for n, authority := range hosts {
		for i, path := range paths {
			for j, origin := range origins {
				if origin == "https://"+authority {
					continue
				}
				for k, q := range []question{
					{method: "GET"}, {method: "GET", credentials: true}, {method: "PUT", credentials: true, header: "X-Token"}, {method: "GET", header: "X-Token"},
					{method: "PATCH"}, {method: "DELETE"}, {method: "GET", header: "Authorization", credentials: true}, {method: "POST", header: "Content-Type"}, {method: "PURGE", header: "X-Unheard-Of"},
				} {
					// Elsewhere only the place is in question, and for strangers only whether they are let in.
					if k > 0 && (j < 1 || strings.Contains(origin, "evil")) || k > 3 && i > 1 || k != 0 && k != 2 && i > 1 || n > 2 && i > 3 {
						continue
					}
					q.origin, q.authority, q.path = origin, authority, path
					all = append(all, q)
				}
			}
		}
	}
	return all
}

// randomVirtualServices returns VirtualServices that were put together at random.
func randomVirtualServices(r *rand.Rand) []byte {
	one := func(list ...string) string { return list[r.IntN(len(list))] }
	var b strings.Builder
	for n := range 1 + r.IntN(3) {
		fmt.Fprintf(&b, "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: v%d\n  namespace: shop\n", n)
		if r.IntN(3) > 0 {
			fmt.Fprintf(&b, "  creationTimestamp: \"2024-01-0%dT00:00:00Z\"\n", 1+r.IntN(9))
		}
		fmt.Fprintf(&b, "spec:\n  hosts: [%s]\n  gateways: [%s]\n  http:\n", one("a.example.net", "a.example.net", "b.example.net", "\"*.example.net\"", "\"*\""), one("web", "web", "web, other"))
		for range 1 + r.IntN(4) {
			b.WriteString("  - route: [{destination: {host: up}}]\n")
			if r.IntN(3) > 0 {
				fmt.Fprintf(&b, "    match:\n    - uri: {%s}\n", one("prefix: /", "prefix: /a", "prefix: /a/b", "exact: /a", "regex: \"/a/.*\"", "prefix: \"\""))
				if r.IntN(3) == 0 {
					fmt.Fprintf(&b, "      %s\n", one("ignoreUriCase: true", "method: {exact: GET}", "method: {regex: GET|OPTIONS}", "headers: {x-token: {exact: x}}", "headers: {x-token: {prefix: y}}", "gateways: [other]"))
				}
			}
			if r.IntN(4) == 0 {
				continue
			}
			b.WriteString("    corsPolicy:\n      allowOrigins:\n")
			for range 1 + r.IntN(2) {
				fmt.Fprintf(&b, "      - %s\n", one("exact: https://a.example.com", "exact: https://b.example.com", "exact: \"*\"", "prefix: https://a", "prefix: http", "regex: https://.*", "regex: .*example.com", "exact: https://A.example.com", "regex: \"null|https://c.example.com\""))
			}
			some := func(name string, values ...string) {
				if r.IntN(2) == 0 {
					fmt.Fprintf(&b, "      %s: %s\n", name, one(values...))
				}
			}
			some("allowMethods", "[PUT]", "[\"*\"]", "[GET, \"*\"]", "[PATCH, DELETE]")
			some("allowHeaders", "[X-Token]", "[\"*\"]", "[x-token, authorization]", "[\"*\", x-token]")
			some("exposeHeaders", "[X-A]", "[\"*\"]", "[X-A, \"*\"]")
			some("allowCredentials", "true", "false")
			some("maxAge", "1h", "90s")
			some("unmatchedPreflights", "IGNORE", "FORWARD")
		}
	}
	return []byte(b.String())
}

// TestIstioCost holds that the work grows as the VirtualServices do.
func TestIstioCost(t *testing.T) {
	growth.Hold(t, 100, func(n int) func() {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: v%d\n  namespace: shop\n  creationTimestamp: \"2024-01-01T00:00:00Z\"\nspec:\n  hosts: [h%d.example.com, shared.example.com]\n  gateways: [web]\n  http:\n  - match: [{uri: {prefix: /p%d}}]\n    route: [{destination: {host: a}}]\n    corsPolicy: {allowOrigins: [{exact: https://a%d.example.com}]}\n", i, i, i, i)
		}
		data := []byte(b.String())
		return func() {
			if _, err := Convert("istio", []Source{{Name: "a.yaml", Data: data}}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestIstioBounds holds that VirtualServices that multiply each other end in an error or a warning.
func TestIstioBounds(t *testing.T) {
	head := func(name string) string {
		return "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: " + name + ", namespace: shop}\nspec:\n"
	}
	route := func(path string) string {
		return "  - {match: [{uri: {prefix: " + path + "}}], route: [{destination: {host: a}}], corsPolicy: {allowOrigins: [{exact: https://a.example.com}]}}\n"
	}
	t.Run("hosts and routes", func(t *testing.T) {
		// Each of 2,000 hosts has routes of its own, and all those of one with all hosts.
		var b strings.Builder
		hosts := make([]string, 2000)
		for i := range hosts {
			hosts[i] = fmt.Sprintf("h%d.example.com", i)
			b.WriteString(head(fmt.Sprintf("own%d", i)) + "  hosts: [" + hosts[i] + "]\n  http:\n" + route("/own"))
		}
		b.WriteString(head("all") + "  hosts: [" + strings.Join(hosts, ", ") + "]\n  http:\n" + strings.Repeat(route("/x"), 1001))
		_, err := Convert("istio", []Source{{Name: "a.yaml", Data: []byte(b.String())}})
		if err == nil || !strings.Contains(err.Error(), "more than 2000000") {
			t.Errorf("%v", err)
		}
	})
	t.Run("roots and delegates", func(t *testing.T) {
		root := head("root") + "  hosts: [a.example.com]\n  http:\n" + strings.Repeat("  - {match: [{uri: {prefix: /}}], delegate: {name: sub}}\n", 1001)
		sub := head("sub") + "  http:\n" + strings.Repeat(route("/a"), 1000)
		r, err := Convert("istio", []Source{{Name: "a.yaml", Data: []byte(root + sub)}})
		if err != nil || len(r.Warnings) == 0 || r.Warnings[0].Code != "delegate-missing" {
			t.Errorf("%v, %v", r, err)
		}
	})
	t.Run("routes whose order nobody knows", func(t *testing.T) {
		one := head("one") + "  hosts: [a.example.com]\n  http:\n" + strings.Repeat(route("/a"), 600)
		other := strings.ReplaceAll(strings.Replace(one, "one", "other", 1), "https://a", "https://b")
		r, err := Convert("istio", []Source{{Name: "a.yaml", Data: []byte(one + other)}})
		if err != nil || len(r.Warnings) != 1 || r.Warnings[0].Code != "order-unknown" || !strings.Contains(string(r.File), "policies: [none]") {
			t.Errorf("%v, %v", r, err)
		}
	})
}
