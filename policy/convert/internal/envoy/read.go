// Package envoy reads the settings of Envoy's cors filter and of the csrf filter beside it. Start reading at Read. Istio's
// settings end as Envoy's, so that matchers (Converter), routes (PlacesOf) and hosts (Join) are for its room, too.
package envoy

// Tested by policy/convert/golden_test.go and envoy/e2e/importenvoy_test.go.

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/convert/internal/source"
)

// Reader reads configurations of Envoy.
type Reader struct {
	B    *build.Builder
	left int // for envoyFile

	chains []*envoyChain  // the HTTP connection managers
	tables []*envoyRoutes // the route configurations that stand alone
	ecds   map[string]string
	alike  map[[2]*build.Host]bool // what was asked of sameHost
	found  bool                    // there is anything of Envoy's

	overrides int                    // how many were read
	grants    map[string]build.Place // by what they are made of
}

// Read reads bootstraps, listeners, route configurations and configuration dumps.
func Read(b *build.Builder, sources []source.Source) error {
	r := &Reader{B: b, left: maxEnvoyNodes, ecds: map[string]string{}, grants: map[string]build.Place{}}
	for _, s := range sources {
		f := &envoyFile{name: s.Name, left: &r.left}
		if err := eachEnvoyDocument(s, func(root *yaml.Node) error { return r.document(f, root) }); err != nil {
			return err
		}
	}
	if !r.found {
		names := make([]string, len(sources))
		for i, s := range sources {
			names[i] = s.Name
		}
		message := "this is no configuration of Envoy with routes: import reads a bootstrap, a Listener, a RouteConfiguration or a config_dump"
		if len(names) > 1 {
			message = "none of these files has a bootstrap, a Listener, a RouteConfiguration or a config_dump of Envoy: " + strings.Join(names, ", ")
		}
		return &source.InputError{File: names[0], Line: 1, Column: 1, Message: message}
	}
	return r.hosts()
}

// document takes what a document holds: an object, or a list of some.
func (r *Reader) document(f *envoyFile, root *yaml.Node) error {
	if root.Kind != yaml.SequenceNode {
		return r.object(f, root)
	}
	for _, n := range root.Content {
		if err := r.object(f, n); err != nil {
			return err
		}
	}
	return nil
}

// object takes a bootstrap, a listener, a route configuration, a configuration dump or a part of one, or what xDS sends.
// They are told apart by their fields, as files seldom say what they are.
func (r *Reader) object(f *envoyFile, n *yaml.Node) error {
	_, m, err := f.packed(n)
	if err != nil {
		return err
	}
	switch {
	case m.has("configs"):
		return r.dump(m)
	case m.has("resources"): // what xDS sends, as a file
		r.found = true
		return m.children("resources", func(c envoyMap) error {
			if inner, ok, err := c.child("resource"); ok || err != nil { // wrapped
				if err != nil {
					return err
				}
				c = inner
			}
			return r.object(f, c.at)
		})
	case m.has("static_resources", "dynamic_resources"):
		return r.bootstrap(m)
	case m.has("filter_chains", "default_filter_chain", "api_listener"):
		return r.listener(m)
	case m.has("virtual_hosts", "vhds"):
		return r.routeConfiguration(m)
	case m.has("http_filters", "route_config", "rds") && m.has("stat_prefix", "http_filters"):
		return r.manager(m)
	}
	return r.dumped(m)
}

func (r *Reader) bootstrap(m envoyMap) error {
	r.found = true
	return m.within("static_resources", func(static envoyMap) error { return static.children("listeners", r.listener) })
}

// dump takes a configuration dump. What stands in it twice is taken once: the listeners of the bootstrap are among the
// static ones, and the routes in listeners among the static route configurations.
func (r *Reader) dump(m envoyMap) error {
	var listeners, bootstraps, tables, rest []envoyMap
	err := m.children("configs", func(c envoyMap) error {
		_, c, err := m.file.packed(c.at)
		switch {
		case err != nil:
			return err
		case c.has("bootstrap"):
			bootstraps = append(bootstraps, c)
		case c.has("static_listeners", "dynamic_listeners"):
			listeners = append(listeners, c)
		case c.has("static_route_configs", "dynamic_route_configs"):
			tables = append(tables, c)
		default:
			rest = append(rest, c)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(listeners) > 0 {
		r.found = r.found || len(bootstraps) > 0
		bootstraps = nil
	}
	before := len(r.chains)
	for _, list := range [][]envoyMap{bootstraps, listeners, rest, tables} {
		for _, c := range list {
			if err := r.dumped(c); err != nil {
				return err
			}
		}
	}
	inline := map[string]bool{}
	for _, c := range r.chains[before:] {
		for _, t := range c.inline {
			inline[t.name] = true
		}
	}
	kept := r.tables[:0]
	for _, t := range r.tables {
		if !t.static || !inline[t.name] {
			kept = append(kept, t)
		}
	}
	r.tables = kept
	return nil
}

// dumped takes a part of a configuration dump; nothing of anything else.
func (r *Reader) dumped(m envoyMap) error {
	packed := func(name string, use func(envoyMap) error) func(envoyMap) error {
		return func(c envoyMap) error { return c.within(name, use) }
	}
	if m.has("bootstrap") {
		return m.within("bootstrap", r.bootstrap)
	}
	if m.has("static_listeners", "dynamic_listeners", "static_route_configs", "dynamic_route_configs") {
		r.found = true
	}
	dynamic := func(c envoyMap) error {
		for _, state := range []string{"active_state", "warming_state"} { // one that is drained answers nobody any more
			if s, ok, err := c.child(state); ok || err != nil {
				if err != nil {
					return err
				}
				return s.within("listener", r.listener)
			}
		}
		return nil
	}
	static := func(m envoyMap) error { return r.table(m, true) }
	scoped := func(c envoyMap) error {
		return c.children("scoped_route_configs", packed("route_configuration", r.routeConfiguration))
	}
	for _, part := range []struct {
		name string
		use  func(envoyMap) error
	}{
		{"static_listeners", packed("listener", r.listener)},
		{"dynamic_listeners", dynamic},
		{"ecds_filters", packed("ecds_filter", r.extension)},
		{"static_route_configs", packed("route_config", static)},
		{"dynamic_route_configs", packed("route_config", r.routeConfiguration)},
		{"inline_scoped_route_configs", scoped},
	} {
		if err := m.children(part.name, part.use); err != nil {
			return err
		}
	}
	// Parts of a dump that were asked for alone (?resource=).
	switch {
	case m.has("active_state", "warming_state"):
		return dynamic(m)
	case m.has("listener"):
		return m.within("listener", r.listener)
	case m.has("route_config"):
		return m.within("route_config", r.routeConfiguration)
	}
	return nil
}

// extension takes a filter that a listener refers to by its name.
func (r *Reader) extension(m envoyMap) error {
	name, err := m.text("name")
	if err != nil {
		return err
	}
	n, err := m.get("typed_config")
	if n == nil || err != nil {
		return err
	}
	r.ecds[name], _, err = m.file.packed(n)
	return err
}

func (r *Reader) listener(m envoyMap) error {
	r.found = true
	if _, err := m.text("name"); err != nil { // nobody needs it, and it has to be a text
		return err
	}
	chain := func(c envoyMap) error { return c.children("filters", r.networkFilter) }
	if err := m.children("filter_chains", chain); err != nil {
		return err
	}
	if err := m.within("default_filter_chain", chain); err != nil {
		return err
	}
	return m.within("api_listener", func(api envoyMap) error { return r.packedManager(api, "api_listener") })
}

func (r *Reader) networkFilter(m envoyMap) error {
	name, err := m.text("name")
	if err != nil {
		return err
	}
	if n, err := m.get("typed_config"); n == nil && err == nil && (name == "envoy.http_connection_manager" || name == "envoy.filters.network.http_connection_manager") {
		return m.file.fault(m.at, "%s has no typed_config", name)
	}
	return r.packedManager(m, "typed_config")
}

// packedManager takes an HTTP connection manager, and nothing else, out of a field.
func (r *Reader) packedManager(m envoyMap, field string) error {
	n, err := m.get(field)
	if n == nil || err != nil {
		return err
	}
	typeName, c, err := m.file.packed(n)
	if err != nil || !strings.HasSuffix(typeName, ".HttpConnectionManager") && !strings.HasSuffix(typeName, ".EnvoyMobileHttpConnectionManager") {
		return err
	}
	if inner, ok, err := c.child("config"); ok || err != nil { // of Envoy Mobile
		if err != nil {
			return err
		}
		c = inner
	}
	return r.manager(c)
}
