//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
)

// randomImports is how many configurations one run makes up. More at a time, with other seeds, found nothing else.
const randomImports = 20

// TestImportRandomEnvoy is TestImportEnvoy with configurations that nobody would write: every setting by chance, at every
// level.
func TestImportRandomEnvoy(t *testing.T) {
	var all []*imported
	for seed := range uint64(randomImports) {
		r := &nativeRandom{rand.New(rand.NewPCG(seed, 7))}
		data, err := json.Marshal(r.table())
		if err != nil {
			t.Fatal(err)
		}
		f := importOf(t, fmt.Sprintf("random-%d.json", seed), data)
		r.Shuffle(len(f.origins), func(i, j int) { f.origins[i], f.origins[j] = f.origins[j], f.origins[i] })
		f.origins = f.origins[:min(len(f.origins), 8)]
		all = append(all, f)
	}
	compareImports(t, all)
}

// nativeRandom makes up settings of the native filter.
type nativeRandom struct{ *rand.Rand }

func (r *nativeRandom) of(list ...any) any     { return list[r.IntN(len(list))] }
func (r *nativeRandom) often(percent int) bool { return r.IntN(100) < percent }

func (r *nativeRandom) table() map[string]any {
	var hosts []any
	for _, domains := range [][]any{{"a.example"}, {"*.b.example"}, {"*"}}[:1+r.IntN(3)] {
		hosts = append(hosts, r.level(map[string]any{"name": fmt.Sprint("host-", len(hosts)), "domains": domains, "routes": r.routes()}, 80))
	}
	return r.level(map[string]any{"name": "random", "virtual_hosts": hosts}, 20)
}

func (r *nativeRandom) routes() (routes []any) {
	for range r.IntN(4) {
		match := map[string]any{r.of("prefix", "path", "path_separated_prefix").(string): r.of("/a", "/a/b", "/b", "/A", "/c-d")}
		if r.often(20) {
			match = map[string]any{"safe_regex": map[string]any{"regex": r.of("/[ab]", "/a/.*", ".*b", "/.")}}
		}
		if r.often(20) {
			match["case_sensitive"] = false
		}
		if r.often(15) {
			match["headers"] = []any{map[string]any{"name": r.of(":method", "x-a"), "string_match": map[string]any{"exact": r.of("GET", "PUT", "1")}}}
		}
		route := map[string]any{"match": match}
		switch {
		case r.often(10):
			route["redirect"] = map[string]any{"path_redirect": "/"}
		case r.often(10):
			route["direct_response"] = map[string]any{"status": 200}
		default:
			route["route"] = r.action()
			route = r.level(route, 50)
		}
		routes = append(routes, route)
	}
	if r.often(80) {
		routes = append(routes, r.level(map[string]any{"match": map[string]any{"prefix": r.of("/", "")}, "route": r.action()}, 20))
	}
	return routes
}

func (r *nativeRandom) action() map[string]any {
	action := map[string]any{"cluster": "c"}
	if r.often(15) {
		var clusters []any
		for range 1 + r.IntN(2) {
			clusters = append(clusters, r.level(map[string]any{"name": "c", "weight": 1}, 40))
		}
		action = map[string]any{"weighted_clusters": map[string]any{"clusters": clusters}}
	}
	if r.often(10) {
		action["cors"] = r.policy(false)
	}
	return action
}

// level gives a mapping a policy, or a switch, with a chance.
func (r *nativeRandom) level(m map[string]any, percent int) map[string]any {
	if !r.often(percent) {
		return m
	}
	policy := r.policy(true)
	switch {
	case r.often(10):
		policy = map[string]any{"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": true}
	case r.often(10):
		policy = map[string]any{"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": policy}
	}
	m["typed_per_filter_config"] = map[string]any{"envoy.filters.http.cors": policy}
	return m
}

func (r *nativeRandom) policy(typed bool) map[string]any {
	p := map[string]any{}
	if typed {
		p["@type"] = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy"
	}
	var matchers []any
	for range r.IntN(4) {
		matchers = append(matchers, r.matcher())
	}
	if len(matchers) > 0 {
		p["allow_origin_string_match"] = matchers
	}
	for field, values := range map[string][]any{
		"allow_methods":     {"PUT", "PUT, DELETE", "*", "PUT,*", "", "put", "PUT;", "GET,POST , PATCH"},
		"allow_headers":     {"x-a", "X-A, content-type,x-request-id", "*", "authorization", "*, x-a", "", "x a", "x-own,x-version,x-on"},
		"expose_headers":    {"x-b", "*", "x-b,x-c", "", "x b"},
		"max_age":           {"600", "0", "abc", "-1", "10s", "", "4294967296"},
		"allow_credentials": {true, false, true},
		"filter_enabled": {percentOf(0, "HUNDRED"), percentOf(100, "HUNDRED"), percentOf(100, "TEN_THOUSAND"), percentOf(1_000_000, "MILLION"),
			percentOf(100, "HUNDRED"), percentOf(200, "HUNDRED")},
		"forward_not_matching_preflights": {true, false, false},
	} {
		if i := r.IntN(2 * len(values)); i < len(values) && (field != "filter_enabled" || r.often(30)) {
			p[field] = values[i]
		}
	}
	return p
}

func percentOf(n int, denominator string) map[string]any {
	return map[string]any{"default_value": map[string]any{"numerator": n, "denominator": denominator}}
}

func (r *nativeRandom) matcher() map[string]any {
	if r.often(25) {
		return map[string]any{"safe_regex": map[string]any{"regex": r.of(`https://shop\.example\.com`, `https?://.*\.example\.com`, `^(null|https://a\.test)$`, `.*`, `[^.]+`, `https://shop.example.com`, `.`, `(?i)HTTPS://SHOP\.EXAMPLE\.COM`)}}
	}
	m := map[string]any{r.of("exact", "prefix", "suffix", "contains").(string): r.of("https://shop.example.com", "https://", "*", "null", ".example.com", "shop", "https://Shop.Example.com", "l", "http://shop.example.com", "/", ":")}
	if r.often(25) {
		m["ignore_case"] = true
	}
	return m
}
