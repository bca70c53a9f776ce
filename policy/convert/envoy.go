package convert

// Tested by golden_test.go and envoy/e2e/importenvoy_test.go.

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// envoyReader reads configurations of Envoy.
type envoyReader struct {
	b    *builder
	left int // for envoyFile

	chains []*envoyChain  // the HTTP connection managers
	tables []*envoyRoutes // the route configurations that stand alone
	ecds   map[string]string
	found  bool // there is anything of Envoy's

	overrides int              // how many were read
	grants    map[string]place // by what they are made of
}

// readEnvoy reads bootstraps, listeners, route configurations and configuration dumps.
func readEnvoy(b *builder, sources []Source) error {
	r := &envoyReader{b: b, left: maxEnvoyNodes, ecds: map[string]string{}, grants: map[string]place{}}
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
		return &InputError{File: names[0], Line: 1, Column: 1, Message: message}
	}
	return r.hosts()
}

// document takes what a document holds: an object, or a list of some.
func (r *envoyReader) document(f *envoyFile, root *yaml.Node) error {
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
func (r *envoyReader) object(f *envoyFile, n *yaml.Node) error {
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
		return r.manager(m, "")
	}
	return r.dumped(m)
}

func (r *envoyReader) bootstrap(m envoyMap) error {
	r.found = true
	static, ok, err := m.child("static_resources")
	if !ok {
		return err
	}
	return static.children("listeners", r.listener)
}

// dump takes a configuration dump. What stands in it twice is taken once: the listeners of the bootstrap are among the
// static ones, and the routes in listeners among the static route configurations.
func (r *envoyReader) dump(m envoyMap) error {
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
func (r *envoyReader) dumped(m envoyMap) error {
	packed := func(name string, use func(envoyMap) error) func(envoyMap) error {
		return func(c envoyMap) error {
			inner, ok, err := c.child(name)
			if !ok {
				return err
			}
			return use(inner)
		}
	}
	if m.has("bootstrap") {
		return packed("bootstrap", r.bootstrap)(m)
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
				return packed("listener", r.listener)(s)
			}
		}
		return nil
	}
	static := func(m envoyMap) error { return r.table(m, true) }
	scoped := func(c envoyMap) error { return c.children("scoped_route_configs", r.scopedDump) }
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
		return packed("listener", r.listener)(m)
	case m.has("route_config"):
		return packed("route_config", r.routeConfiguration)(m)
	}
	return nil
}

// scopedDump takes a route configuration that stands inside a scope.
func (r *envoyReader) scopedDump(m envoyMap) error {
	inner, ok, err := m.child("route_configuration")
	if !ok {
		return err
	}
	return r.routeConfiguration(inner)
}

// extension takes a filter that a listener refers to by its name.
func (r *envoyReader) extension(m envoyMap) error {
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

func (r *envoyReader) listener(m envoyMap) error {
	r.found = true
	name, err := m.text("name")
	if err != nil {
		return err
	}
	chain := func(c envoyMap) error {
		return c.children("filters", func(filter envoyMap) error { return r.networkFilter(filter, name) })
	}
	if err := m.children("filter_chains", chain); err != nil {
		return err
	}
	if c, ok, err := m.child("default_filter_chain"); ok || err != nil {
		if err != nil {
			return err
		}
		if err := chain(c); err != nil {
			return err
		}
	}
	api, ok, err := m.child("api_listener")
	if !ok {
		return err
	}
	return r.packedManager(api, "api_listener", name)
}

func (r *envoyReader) networkFilter(m envoyMap, listener string) error {
	name, err := m.text("name")
	if err != nil {
		return err
	}
	if n, err := m.get("typed_config"); n == nil && err == nil && (name == "envoy.http_connection_manager" || name == "envoy.filters.network.http_connection_manager") {
		return m.file.fault(m.at, "%s has no typed_config", name)
	}
	return r.packedManager(m, "typed_config", listener)
}

// packedManager takes an HTTP connection manager, and nothing else, out of a field.
func (r *envoyReader) packedManager(m envoyMap, field, listener string) error {
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
	return r.manager(c, listener)
}
