//go:build unix

package e2e

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/casetable"
)

// uncarried are the cases of the tables that a platform cannot carry, and why. Everything else is answered as by the
// reference configuration.
var uncarried = map[*platform]map[string]string{
	istioGateway:  {},
	istioSidecar:  merge(routesOfOwn("requests for all hosts come to one route of one virtual host"), named("one route of one virtual host names policies for all hosts")),
	istioWaypoint: merge(routesOfOwn("requests for all hosts come to one route of one virtual host"), named("one route of one virtual host names policies for all hosts")),
	envoyGateway: merge(
		named("the attributes with policies cannot be asked for, nor metadata be given to routes"),
		uncarriedFor(redirected, withEscapedSlashes), map[string]string{
			"seen with its response only, allowed":                       noOrigin,
			"seen with its response only, it cannot be stopped any more": noOrigin,
			"a preflight seen with its response only":                    noOrigin,
			"a preflight seen with its response only, static place":      noOrigin,
			"a fixed origin on a preflight that was answered before":     noOrigin,
			"a fixed origin on an error page of an earlier filter":       noOrigin,
			"exposed on an error page of an earlier filter":              noOrigin,
		}),
}

// withEscapedSlashes are the cases whose paths have one, but for those of policies that Envoy names.
var withEscapedSlashes = []string{
	"an ambiguous path that begins in a passthrough place",
	"an ambiguous path that ends in a passthrough place",
	"an ambiguous path between two passthrough places",
	"an ambiguous path without an Origin, in a passthrough place by one reading",
	"an ambiguous path keeps the timing that all readings agree on, and counts candidates",
	"an ambiguous path between a fixed origin and partners",

	"an escaped slash in a place of its own",
	"an escaped slash in a place of the other spelling",
	"places that differ in their timing only grant, and set none",
	"places that differ in their timing only, preflight",
	"places that differ in their timing only refuse as each of them does",
	"places that differ in their candidates only grant, and try none",
	"places with the same policies decide alike, wherever they stand",
	"the same policies in the same order decide alike",
	"the same policies in another order do not",
	"places that differ in unmatched_preflights",
	"places that differ in reject, the stricter of which stops the request",
	"places that differ in reject, by another reading",
	"places that differ in reject, which lets safe methods pass",
	"passthrough by every reading, whatever else the places say",
	"Envoy's name for the route stands for every reading",
}

const (
	noOrigin   = "a header of the request cannot be asked for as an attribute; Envoy Gateway's own filters all stand behind corsproc, so that it sees requests"
	redirected = "a path with escaped slashes is answered with a redirect before the filters"
)

func routesOfOwn(reason string) map[string]string {
	return uncarriedFor(reason, []string{"a route name", "Envoy's name for the route stands for every reading"})
}

// named are the cases of policies that routes and virtual hosts name in their metadata.
func named(reason string) map[string]string {
	return uncarriedFor(reason, []string{
		"named by a virtual host's metadata", "named by a route's metadata, which beats the virtual host's", "named, tried in order",
		"a name that does not exist", "a name that does not exist, preflight", "a list that a file could not hold", "passthrough by name",
		"none by name", "a static list by name",
		"policies that Envoy names are those of every reading", "policies that Envoy names, in places that differ in reject",
		"passthrough that Envoy names is that of every reading", "the private network of policies named by Envoy",
		"the private network of one policy named by Envoy", "the private network of a list that names a missing policy",
		"a fixed origin named by Envoy alone", "a fixed origin named by Envoy with another one",
	})
}

func uncarriedFor(reason string, names []string) map[string]string {
	all := map[string]string{}
	for _, name := range names {
		all[name] = reason
	}
	return all
}

func merge(all ...map[string]string) map[string]string {
	merged := map[string]string{}
	for _, m := range all {
		maps.Copy(merged, m)
	}
	return merged
}

// TestMeshCases runs every case table through the configurations of the platforms. The policy files are those of the
// tables but for how places are found: by `domains`, as the platforms' pages say.
func TestMeshCases(t *testing.T) {
	withPlatforms(t, func(t *testing.T, p *platform) {
		met := map[string]bool{}
		for _, table := range casetable.Load(t) {
			t.Run(table.File, func(t *testing.T) { runCasesAt(t, p.carry(&table, met), p.setup(t, &table)) })
		}
		for name := range uncarried[p] {
			if !met[name] {
				t.Errorf("%s is listed, and no case", name)
			}
		}
	})
}

// carry returns the table with the cases marked that the platform cannot carry.
func (p *platform) carry(table *casetable.Table, met map[string]bool) *casetable.Table {
	carried := *table
	carried.Cases = slices.Clone(table.Cases)
	for i := range carried.Cases {
		c := &carried.Cases[i]
		if reason, ok := uncarried[p][c.Name]; ok {
			met[c.Name] = true
			c.NoEnvoy = reason
		}
	}
	return &carried
}

// setup is the gateway that the table is run through.
func (p *platform) setup(t *testing.T, table *casetable.Table) setup {
	s := setup{platform: p, policies: p.policies(t, table), before: denyFilter}
	for _, h := range table.Envoy.VirtualHosts {
		host := hosted{hosts: withoutPorts(h.Domains)}
		for _, r := range h.Routes {
			if r.Policies == "" {
				r.Policies = h.Policies
			}
			host.routes = append(host.routes, hostedRoute{name: r.Name, prefix: r.Prefix, policies: r.Policies})
		}
		s.hosts = append(s.hosts, host)
	}
	return s
}

func withoutPorts(domains []string) (hosts []string) {
	for _, d := range domains {
		if host, _, _ := strings.Cut(d, ":"); !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// policies returns the table's policy file with every virtual host that is found by Envoy's name found by the domains of
// those that have that name, and with the route names that the platform has.
func (p *platform) policies(t *testing.T, table *casetable.Table) string {
	t.Helper()
	var file map[string]any
	if err := yaml.Unmarshal([]byte(table.Policies), &file); err != nil {
		t.Fatal(err)
	}
	places := file["virtual_hosts"].([]any)
	for _, h := range table.Envoy.VirtualHosts {
		if place := placeNamed(places, h.Name); place != nil {
			domains, _ := place["domains"].([]any)
			for _, host := range withoutPorts(h.Domains) {
				if !slices.Contains(domains, any(host)) {
					domains = append(domains, host)
				}
			}
			place["domains"] = domains
		}
	}
	var found []any
	for _, place := range places {
		place := place.(map[string]any)
		if delete(place, "name"); place["domains"] == nil {
			continue
		}
		found = append(found, place)
		routes, _ := place["routes"].([]any)
		for _, r := range routes {
			if r := r.(map[string]any); r["route_name"] != nil && p == envoyGateway {
				r["route_name"] = "httproute/" + r["route_name"].(string)
			}
		}
	}
	file["virtual_hosts"] = found
	data, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// placeNamed returns the place of a virtual host's name: the one of that very name, else of the longest pattern.
func placeNamed(places []any, name string) (found map[string]any) {
	best := ""
	for _, place := range places {
		place := place.(map[string]any)
		pattern, _ := place["name"].(string)
		if pattern == name {
			return place
		}
		if ok, _ := path.Match(strings.ReplaceAll(pattern, "/", "."), strings.ReplaceAll(name, "/", ".")); ok && len(pattern) > len(best) {
			found, best = place, pattern
		}
	}
	return found
}
