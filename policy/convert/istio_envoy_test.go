package convert

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// This file makes of VirtualServices the configuration of Envoy that Istio's control plane makes of them
// (pilot/pkg/networking/core), and starts a real Envoy with it. It knows nothing of the code that is tested.

// A pilotTable is the virtual hosts of a gateway: the routes of each host, as Envoy reads them.
type pilotTable map[string][]any

type pilotVS struct {
	name, namespace, created string
	spec                     map[string]any
}

func texts(v any) (list []string) {
	items, _ := v.([]any)
	for _, i := range items {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// pilotTables returns the virtual hosts of every gateway of a file. ok: nothing in it is refused, so that all of it counts.
func pilotTables(t *testing.T, data []byte, refused []string) map[string]pilotTable {
	var all []pilotVS
	servers := map[string][]string{}
	for _, o := range ctlObjects(t, data) {
		meta := object(o["metadata"])
		v := pilotVS{name: fmt.Sprint(meta["name"]), namespace: "default", created: fmt.Sprint(meta["creationTimestamp"]), spec: object(o["spec"])}
		if ns, ok := meta["namespace"].(string); ok {
			v.namespace = ns
		}
		switch {
		case o["kind"] == "Gateway":
			for _, s := range list(v.spec, "servers") {
				servers[v.namespace+"/"+v.name] = append(servers[v.namespace+"/"+v.name], texts(s["hosts"])...)
			}
		case o["kind"] == "VirtualService" && !slices.Contains(refused, v.name):
			all = append(all, v)
		}
	}
	slices.SortStableFunc(all, func(a, b pilotVS) int {
		return strings.Compare(a.created+" "+a.name+"."+a.namespace, b.created+" "+b.name+"."+b.namespace)
	})
	find := func(namespace, name string) *pilotVS {
		for i := range all {
			if all[i].namespace == namespace && all[i].name == name {
				return &all[i]
			}
		}
		return nil
	}
	tables := map[string]pilotTable{}
	for i := range all {
		v := &all[i]
		hosts := texts(v.spec["hosts"])
		if len(hosts) == 0 {
			continue
		}
		gateways := texts(v.spec["gateways"])
		if len(gateways) == 0 {
			gateways = []string{"mesh"}
		}
		var routes []map[string]any
		for _, h := range list(v.spec, "http") {
			d := object(h["delegate"])
			if d == nil {
				routes = append(routes, h)
				continue
			}
			namespace, ok := d["namespace"].(string)
			if !ok {
				namespace = v.namespace
			}
			if sub := find(namespace, fmt.Sprint(d["name"])); sub != nil {
				for _, s := range list(sub.spec, "http") {
					if m := pilotMerge(h, s); m != nil {
						routes = append(routes, m)
					}
				}
			}
		}
		for _, g := range gateways {
			full := g
			if g != "mesh" {
				full = v.namespace + "/" + g
			}
			own := tables[full]
			if own == nil {
				own = pilotTable{}
				tables[full] = own
			}
			for _, h := range hosts {
				if !strings.Contains(h, ".") && h != "*" {
					h += "." + v.namespace + ".svc.cluster.local"
				}
				names := []string{h}
				if s, known := servers[full]; known {
					names = pilotIntersect(s, h, v.namespace)
				}
				for _, n := range names {
					own[n] = append(own[n], pilotRoutes(routes, g)...)
				}
			}
		}
	}
	for _, table := range tables {
		for h, routes := range table {
			catchAll := func(r any) bool { return object(r)["catchAll"] == true }
			sorted := slices.DeleteFunc(slices.Clone(routes), catchAll)
			table[h] = append(sorted, slices.DeleteFunc(slices.Clone(routes), func(r any) bool { return !catchAll(r) })...)
		}
	}
	return tables
}

// pilotIntersect returns what a gateway and a VirtualService have in common of a host.
func pilotIntersect(servers []string, h, namespace string) (names []string) {
	for _, s := range servers {
		if ns, name, ok := strings.Cut(s, "/"); ok {
			if s = name; ns != "*" && ns != namespace {
				continue
			}
		}
		switch {
		case s == h, strings.HasPrefix(s, "*") && strings.HasSuffix(h, s[1:]):
			names = append(names, h)
		case strings.HasPrefix(h, "*") && strings.HasSuffix(s, h[1:]):
			names = append(names, s)
		}
	}
	return names
}

// pilotMerge merges a root's route with one of its delegate, for the matches that the fixtures have: by path.
func pilotMerge(root, sub map[string]any) map[string]any {
	m := map[string]any{}
	for k, v := range sub {
		m[k] = v
	}
	if m["corsPolicy"] == nil && root["corsPolicy"] != nil {
		m["corsPolicy"] = root["corsPolicy"]
	}
	roots, subs := list(root, "match"), list(sub, "match")
	switch {
	case len(roots) == 0:
	case len(subs) == 0:
		m["match"] = root["match"]
	default:
		var both []any
		for _, s := range subs {
			for _, r := range roots {
				rp, sp := object(r["uri"]), object(s["uri"])
				prefix, _ := rp["prefix"].(string)
				exact, isExact := sp["exact"].(string)
				below, isPrefix := sp["prefix"].(string)
				if prefix != "" && (isExact && strings.HasPrefix(exact, prefix) || isPrefix && strings.HasPrefix(below, prefix)) || isExact && rp["exact"] == exact {
					both = append(both, s)
				}
			}
		}
		if len(both) == 0 {
			return nil
		}
		m["match"] = both
	}
	return m
}

// pilotRoutes makes routes of Envoy of those of a VirtualService.
func pilotRoutes(from []map[string]any, gateway string) (routes []any) {
	for _, h := range from {
		matches := list(h, "match")
		if len(matches) == 0 {
			return append(routes, pilotRoute(h, nil))
		}
		for _, m := range matches {
			if g := texts(m["gateways"]); len(g) > 0 && !slices.Contains(g, gateway) {
				continue
			}
			r := pilotRoute(h, m)
			routes = append(routes, r)
			if r["catchAll"] == true {
				return routes
			}
		}
	}
	return routes
}

func pilotText(v any) map[string]any {
	m := object(v)
	switch {
	case m["exact"] != nil:
		return map[string]any{"exact": m["exact"]}
	case m["prefix"] != nil:
		return map[string]any{"prefix": m["prefix"]}
	}
	return map[string]any{"safe_regex": map[string]any{"regex": m["regex"]}}
}

func pilotRoute(h, m map[string]any) map[string]any {
	match := map[string]any{"prefix": "/"}
	r := map[string]any{"match": match}
	if u := object(m["uri"]); u != nil {
		delete(match, "prefix")
		switch {
		case u["exact"] != nil:
			match["path"] = u["exact"]
		case u["prefix"] != nil:
			match["prefix"] = u["prefix"]
		default:
			match["safe_regex"] = map[string]any{"regex": u["regex"]}
		}
	}
	if m["ignoreUriCase"] == true {
		match["case_sensitive"] = false
	}
	var headers, query []any
	for name, v := range object(m["headers"]) {
		headers = append(headers, map[string]any{"name": name, "string_match": pilotText(v)})
	}
	if m["method"] != nil {
		headers = append(headers, map[string]any{"name": ":method", "string_match": pilotText(m["method"])})
	}
	for name, v := range object(m["queryParams"]) {
		query = append(query, map[string]any{"name": name, "string_match": pilotText(v)})
	}
	if headers != nil {
		match["headers"] = headers
	}
	if query != nil {
		match["query_parameters"] = query
	}
	r["catchAll"] = match["prefix"] == "/" && headers == nil && query == nil
	switch {
	case h["redirect"] != nil:
		r["redirect"] = map[string]any{"path_redirect": object(h["redirect"])["uri"]}
	case h["directResponse"] != nil:
		r["direct_response"] = map[string]any{"status": object(h["directResponse"])["status"]}
	default:
		r["route"] = map[string]any{"cluster": "up"}
	}
	if c := object(h["corsPolicy"]); c != nil {
		cors := map[string]any{"@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
			"filter_enabled":                  map[string]any{"default_value": map[string]any{"numerator": 100}},
			"forward_not_matching_preflights": c["unmatchedPreflights"] != "IGNORE"}
		var origins []any
		if o := list(c, "allowOrigins"); o != nil {
			for _, m := range o {
				origins = append(origins, pilotText(m))
			}
		} else {
			for _, s := range texts(c["allowOrigin"]) {
				origins = append(origins, map[string]any{"exact": s})
			}
		}
		if origins != nil {
			cors["allow_origin_string_match"] = origins
		}
		for theirs, envoys := range map[string]string{"allowMethods": "allow_methods", "allowHeaders": "allow_headers", "exposeHeaders": "expose_headers"} {
			if l := texts(c[theirs]); l != nil {
				cors[envoys] = strings.Join(l, ",")
			}
		}
		if c["allowCredentials"] != nil {
			cors["allow_credentials"] = c["allowCredentials"]
		}
		if age, ok := c["maxAge"].(string); ok {
			if d, err := time.ParseDuration(age); err == nil {
				cors["max_age"] = fmt.Sprint(int64(d / time.Second))
			}
		}
		r["typed_per_filter_config"] = map[string]any{"envoy.filters.http.cors": cors}
	}
	return r
}

// A realEnvoy answers for tables, each at a socket of its own.
type realEnvoy struct{ dir string }

func (e *realEnvoy) socket(name string) string { return filepath.Join(e.dir, name+".sock") }

// startEnvoy starts an Envoy with a listener for each table. Where there is none the test is skipped, or fails if everything
// has to be there.
func startEnvoy(t *testing.T, tables map[string]pilotTable) *realEnvoy {
	t.Helper()
	path := os.Getenv("ENVOY")
	for _, p := range []string{"../../.tools/envoy/bin/envoy"} {
		if path == "" && isFile(p) {
			path = p
		}
	}
	if path == "" {
		path, _ = exec.LookPath("envoy")
	}
	if path == "" {
		if os.Getenv("CORSPROC_REQUIRE_E2E") != "" {
			t.Fatal("there is no Envoy")
		}
		t.Skip("SKIPPED, not tested: there is no Envoy")
	}
	dir, err := os.MkdirTemp("", "cors")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	e := &realEnvoy{dir}
	up, err := net.Listen("unix", e.socket("up"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(up) }()
	t.Cleanup(func() { server.Close() })
	var listeners []any
	for name, table := range tables {
		var hosts []any
		for h, routes := range table {
			var clean []any
			for _, r := range routes {
				m := map[string]any{}
				for k, v := range object(r) {
					if k != "catchAll" {
						m[k] = v
					}
				}
				clean = append(clean, m)
			}
			hosts = append(hosts, map[string]any{"name": h, "domains": []string{h}, "routes": clean})
		}
		filter := func(name, typeName string) any {
			return map[string]any{"name": name, "typed_config": map[string]any{"@type": "type.googleapis.com/" + typeName}}
		}
		listeners = append(listeners, map[string]any{
			"name":    name,
			"address": map[string]any{"pipe": map[string]any{"path": e.socket(name)}},
			"filter_chains": []any{map[string]any{"filters": []any{map[string]any{
				"name": "envoy.filters.network.http_connection_manager",
				"typed_config": map[string]any{
					"@type":        "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
					"stat_prefix":  "x",
					"route_config": map[string]any{"virtual_hosts": hosts, "ignore_port_in_host_matching": true},
					"http_filters": []any{
						filter("envoy.filters.http.cors", "envoy.extensions.filters.http.cors.v3.Cors"),
						filter("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router"),
					},
				},
			}}}},
		})
	}
	config, err := json.Marshal(map[string]any{"static_resources": map[string]any{
		"listeners": listeners,
		"clusters": []any{map[string]any{"name": "up", "type": "STATIC", "load_assignment": map[string]any{"cluster_name": "up", "endpoints": []any{map[string]any{
			"lb_endpoints": []any{map[string]any{"endpoint": map[string]any{"address": map[string]any{"pipe": map[string]any{"path": e.socket("up")}}}}},
		}}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "envoy.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", file, "--disable-hot-restart", "--concurrency", "1", "-l", "error")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		ended <- nil
	})
	for range 1200 {
		ready := true
		for name := range tables {
			c, err := net.Dial("unix", e.socket(name))
			if err != nil {
				ready = false
				break
			}
			c.Close()
		}
		if ready {
			return e
		}
		select {
		case err := <-ended:
			ended <- nil
			t.Fatalf("Envoy ended: %v\n%s", err, said.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("Envoy does not start")
	return nil
}
