package convert

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/growth"
)

// golden holds what becomes of every file below testdata/KIND: the warnings, and the policy file.
func golden(t *testing.T, kind string) (results map[string]*Result, inputs map[string][]byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", kind, "*.yaml"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	results, inputs = map[string]*Result{}, map[string][]byte{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Convert(kind, []Source{{Name: name + ".yaml", Data: data}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		results[name], inputs[name] = r, data
		var b strings.Builder
		for _, w := range r.Warnings {
			fmt.Fprintf(&b, "%s:%d:%d: %s: %s [%s]\n", w.File, w.Line, w.Column, w.Field, w.Message, w.Code)
		}
		b.WriteString("---\n")
		b.Write(r.File)
		want := strings.TrimSuffix(file, ".yaml") + ".want"
		if *update {
			if err := os.WriteFile(want, []byte(b.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		wanted, err := os.ReadFile(want)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(wanted) {
			t.Errorf("%s: it is\n%s\nand not\n%s", name, b.String(), wanted)
		}
	}
	return results, inputs
}

// TestIngressNginx puts the same questions to what was imported and to a real nginx with the configuration that the
// controller makes.
func TestIngressNginx(t *testing.T) {
	results, inputs := golden(t, "ingress-nginx")
	r := rand.New(rand.NewPCG(1, 7))
	for i := 0; i < 40; { // and random ones
		data := randomIngresses(r)
		if ctlDuplicates(ctlServers(ctlIngresses(t, data))) {
			continue // nginx refuses what the controller makes of it
		}
		i++
		name := fmt.Sprintf("random-%d", i)
		inputs[name] = data
		result, err := Convert("ingress-nginx", []Source{{Name: name, Data: inputs[name]}})
		if err != nil {
			t.Fatalf("%v\n%s", err, inputs[name])
		}
		results[name] = result
	}
	parts := map[string][]*ctlServer{}
	for name, data := range inputs {
		parts[name] = ctlServers(ctlIngresses(t, data))
	}
	nginx := startNginx(t, parts)
	asked, allowed := 0, 0
	for _, name := range slices.Sorted(maps.Keys(results)) {
		result := results[name]
		set := setOf(t, result)
		client := socketClient(nginx.socket(name))
		codes := map[string]bool{}
		for _, w := range result.Warnings {
			codes[w.Code] = true
		}
		differences := map[string]int{}
		for _, q := range questionsOf(parts[name]) {
			theirs := q.theirs(q.put(t, client, name))
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
			wider := codes[codeOneLabel] || codes[codePreflight] || codes[codeNoPathType] || codes[codeSnippet]
			if how == "wider" && !wider || len(codes) == 0 {
				t.Errorf("%s: %s: %s: ours %+v, theirs %+v\n%s\n%s", name, how, q, ours, theirs, inputs[name], result.File)
				break
			}
		}
		client.CloseIdleConnections()
		if len(differences) > 0 {
			t.Logf("%s differs as it warns: %v", name, differences)
		}
	}
	if asked < 10_000 || allowed < 500 {
		t.Errorf("only %d questions, of which %d were allowed", asked, allowed)
	}
	t.Logf("%d questions, %d allowed by both", asked, allowed)
}

// questionsOf returns what is asked about servers: every path and its neighbours, from every origin that is named and its
// neighbours.
func questionsOf(servers []*ctlServer) (all []question) {
	hosts, paths, origins := []string{"stranger.example.org"}, []string{"/", "/other"}, []string{"https://stranger.example.org", "null"}
	add := func(list *[]string, more ...string) {
		for _, s := range more {
			if !slices.Contains(*list, s) {
				*list = append(*list, s)
			}
		}
	}
	for _, s := range servers {
		for _, name := range append([]string{s.host}, s.aliases...) {
			switch {
			case name == "_", strings.HasPrefix(name, "~"):
			case strings.HasPrefix(name, "*."):
				add(&hosts, "x"+name[1:], "x.y"+name[1:], name[2:])
			default:
				add(&hosts, name)
			}
		}
		for _, l := range s.locations {
			plain := strings.NewReplacer("[0-9]+", "7", "(/|$)(.*)", "/z", "(?!admin).*", "free", "?$", "", "(.*)", "z", "|", "", "$", "", ".*", "q").Replace(l.path)
			add(&paths, plain, strings.TrimSuffix(plain, "/"), plain+"x", strings.TrimSuffix(plain, "/")+"/below", strings.ToUpper(plain))
			for _, o := range strings.Split(l.cors["nginx.ingress.kubernetes.io/cors-allow-origin"], ",") {
				scheme, host, ok := strings.Cut(strings.ToLower(strings.TrimSpace(o)), "://")
				if !ok || host == "" || strings.Contains(host, " ") {
					continue
				}
				if rest, wild := strings.CutPrefix(host, "*."); wild {
					add(&origins, scheme+"://a."+rest, scheme+"://a.b."+rest, scheme+"://"+rest, scheme+"://a-"+rest)
					continue
				}
				add(&origins, scheme+"://"+host, scheme+"://evil-"+host, scheme+"://a."+host)
				if name, _, port := strings.Cut(host, ":"); port {
					add(&origins, scheme+"://"+name)
				} else {
					add(&origins, scheme+"://"+host+":8443")
				}
			}
		}
	}
	named := map[string]bool{}
	for _, o := range origins[2:] {
		named[o] = !strings.Contains(o, "evil")
	}
	paths = slices.DeleteFunc(paths, func(p string) bool { return !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "()[]?|\\ ") })
	for _, authority := range hosts {
		for i, path := range paths {
			for _, origin := range origins {
				if origin == "https://"+authority {
					continue // it is no other origin
				}
				for j, q := range []question{
					{method: "GET"}, {method: "GET", credentials: true}, {method: "POST"}, {method: "PUT", credentials: true}, {method: "patch"}, {method: "PURGE"},
					{method: "GET", header: "Authorization", credentials: true}, {method: "POST", header: "Content-Type"}, {method: "DELETE", header: "X-Token"}, {method: "GET", header: "X-Unheard-Of"},
				} {
					// Elsewhere only the place is in question, and for strangers only whether they are let in.
					if j > 1 && (i > 1 || !named[origin]) || j > 0 && i > 1 {
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

// randomIngresses returns Ingresses that were put together at random.
func randomIngresses(r *rand.Rand) []byte {
	one := func(list ...string) string { return list[r.IntN(len(list))] }
	var b strings.Builder
	for n := range 1 + r.IntN(3) {
		fmt.Fprintf(&b, "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: i%d\n  namespace: shop\n", n)
		if r.IntN(4) > 0 {
			fmt.Fprintf(&b, "  creationTimestamp: \"2024-01-0%dT00:00:00Z\"\n", 1+r.IntN(9))
		}
		b.WriteString("  annotations:\n    nginx.ingress.kubernetes.io/ssl-redirect: \"false\"\n")
		some := func(name string, values ...string) {
			if r.IntN(2) == 0 {
				fmt.Fprintf(&b, "    nginx.ingress.kubernetes.io/%s: %q\n", name, one(values...))
			}
		}
		if r.IntN(4) > 0 {
			fmt.Fprintf(&b, "    nginx.ingress.kubernetes.io/enable-cors: %q\n", one("true", "true", "true", "T", "yes", "false"))
		}
		some("cors-allow-origin", "*", "https://a.example.com", "https://*.example.com,https://a.example.com:8443", "null", "a.example.com", "https://a.example.com, *", "https://a b", "http://a.example.com, ionic://localhost", "-", ",", " ")
		some("cors-allow-methods", "GET, PUT", "*", "put,PATCH", "GET PUT", "GET,  PUT", "")
		some("cors-allow-headers", "X-Token", "*", "Authorization,X-Token", "X-A X-B", ",", "X-Token,")
		some("cors-expose-headers", "X-A", "*", "X-A, *", "X A", "X-A;")
		some("cors-allow-credentials", "true", "false", "0", "maybe")
		some("cors-max-age", "1", "-5", "x", "99999999999999")
		if r.IntN(6) == 0 {
			some("use-regex", "true")
		}
		if r.IntN(6) == 0 {
			some("rewrite-target", "/", "/a", "/$1")
		}
		b.WriteString("spec:\n  ingressClassName: nginx\n  rules:\n")
		for range 1 + r.IntN(2) {
			fmt.Fprintf(&b, "  - host: %q\n    http:\n      paths:\n", one("a.example.net", "a.example.net", "b.example.net", "*.example.net"))
			for range 1 + r.IntN(3) {
				fmt.Fprintf(&b, "      - path: %s\n        pathType: %s\n        backend: {service: {name: web, port: {number: 80}}}\n",
					one("/", "/", "/a", "/a/b", "/a/", "/A", "/ab"), one("Prefix", "Prefix", "Exact", "ImplementationSpecific"))
			}
		}
	}
	return []byte(b.String())
}

// TestIngressNginxCost holds that the work grows as the Ingresses do: 5,000 of them are a large cluster.
func TestIngressNginxCost(t *testing.T) {
	growth.Hold(t, 200, func(n int) func() {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: i%d\n  namespace: shop\n  annotations:\n    nginx.ingress.kubernetes.io/enable-cors: \"true\"\n    nginx.ingress.kubernetes.io/cors-allow-origin: https://a%d.example.com, https://*.b%d.example.com\nspec:\n  rules:\n  - host: h%d.example.com\n    http:\n      paths:\n      - {path: /, pathType: Prefix, backend: {service: {name: a}}}\n  - host: shared.example.com\n    http:\n      paths:\n      - {path: /p%d/, pathType: Prefix, backend: {service: {name: a}}}\n", i, i, i, i, i)
		}
		data := []byte(b.String())
		return func() {
			if _, err := Convert("ingress-nginx", []Source{{Name: "a.yaml", Data: data}}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
