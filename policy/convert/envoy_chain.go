package convert

// Tested by golden_test.go and envoy/e2e/importenvoy_test.go.

import "strings"

// The messages that count, without their packages: the versions of the API differ in those.
const (
	envoyCors         = "Cors"
	envoyCorsPolicy   = "CorsPolicy"
	envoyCsrfPolicy   = "CsrfPolicy"
	envoyFilterConfig = "FilterConfig"
	envoyWithMatcher  = "ExtensionWithMatcher"
)

// The names that the two filters usually have.
const (
	corsFilterName = "envoy.filters.http.cors"
	csrfFilterName = "envoy.filters.http.csrf"
)

// isEnvoy reports whether a type is one of Envoy's messages of a name.
func isEnvoy(typeName, message string) bool {
	return strings.HasPrefix(typeName, "envoy.") && typeName[strings.LastIndexByte(typeName, '.')+1:] == message
}

// An envoyChain is an HTTP connection manager: which filters it has, and where its routes are.
type envoyChain struct {
	at       Position
	listener string
	cors     []envoyFilter
	csrf     []envoyFilter
	anyName  bool // the filters are not known: whatever has a policy is one
	inline   []*envoyRoutes
	rds      []string
	rdsAt    Position
}

// An envoyFilter is a cors or a csrf filter in a chain.
type envoyFilter struct {
	name     string
	disabled bool // unless a route enables it
	partly   bool // a matcher says for which requests it is there
	config   envoyMap
	at       Position
}

// An envoyRoutes is a route configuration.
type envoyRoutes struct {
	envoyMap
	name   string
	static bool // in a dump: it stands in a listener
	scoped bool
}

func (r *envoyReader) manager(m envoyMap, listener string) error {
	r.found = true
	c := &envoyChain{at: m.position(), listener: listener}
	if err := m.children("http_filters", func(f envoyMap) error { return r.filter(c, f) }); err != nil {
		return err
	}
	if t, ok, err := m.child("route_config"); ok || err != nil {
		if err != nil {
			return err
		}
		if err := c.addInline(t, false); err != nil {
			return err
		}
	}
	if rds, ok, err := m.child("rds"); ok || err != nil {
		if err != nil {
			return err
		}
		if err := c.addName(rds, "route_config_name"); err != nil {
			return err
		}
	}
	if err := c.addScopes(m); err != nil {
		return err
	}
	r.chains = append(r.chains, c)
	return nil
}

func (c *envoyChain) addInline(m envoyMap, scoped bool) error {
	name, err := m.text("name")
	c.inline = append(c.inline, &envoyRoutes{envoyMap: m, name: name, scoped: scoped})
	return err
}

func (c *envoyChain) addName(m envoyMap, field string) error {
	name, err := m.text(field)
	if err == nil && name != "" {
		c.rds = append(c.rds, name)
		c.rdsAt = m.positionOf(field)
	}
	return err
}

// addScopes takes the route configurations of which a request's header picks one.
func (c *envoyChain) addScopes(m envoyMap) error {
	scoped, ok, err := m.child("scoped_routes")
	if !ok {
		return err
	}
	list, ok, err := scoped.child("scoped_route_configurations_list")
	if !ok {
		return err
	}
	return list.children("scoped_route_configurations", func(s envoyMap) error {
		if t, ok, err := s.child("route_configuration"); ok || err != nil {
			if err != nil {
				return err
			}
			return c.addInline(t, true)
		}
		return c.addName(s, "route_configuration_name")
	})
}

// filter takes an HTTP filter, if it is one of the two.
func (r *envoyReader) filter(c *envoyChain, m envoyMap) error {
	f := envoyFilter{at: m.position()}
	var err error
	if f.name, err = m.text("name"); err != nil {
		return err
	}
	if f.disabled, err = m.flag("disabled"); err != nil {
		return err
	}
	typeName, err := f.read(r, m)
	if err != nil {
		return err
	}
	switch {
	case isEnvoy(typeName, envoyCors):
		c.cors = append(c.cors, f)
	case isEnvoy(typeName, envoyCsrfPolicy):
		c.csrf = append(c.csrf, f)
	}
	return nil
}

// read returns the type of a filter's configuration, and keeps the configuration.
func (f *envoyFilter) read(r *envoyReader, m envoyMap) (typeName string, err error) {
	if discovery, ok, err := m.child("config_discovery"); ok || err != nil {
		if err != nil {
			return "", err
		}
		if typeName = r.ecds[f.name]; typeName != "" {
			return typeName, nil
		}
		urls, err := discovery.list("type_urls")
		if err != nil || len(urls) != 1 {
			return "", err
		}
		return urls[0].Value[strings.LastIndexByte(urls[0].Value, '/')+1:], nil
	}
	n, err := m.get("typed_config")
	if err != nil {
		return "", err
	}
	if n == nil { // as older Envoys took it
		if f.name == corsFilterName || f.name == "envoy.cors" {
			return "envoy." + envoyCors, nil
		}
		return "", nil
	}
	typeName, config, err := m.file.packed(n)
	if err != nil {
		return "", err
	}
	f.config = config
	if isEnvoy(typeName, envoyWithMatcher) {
		inner, ok, err := config.child("extension_config")
		if !ok {
			return "", err
		}
		f.partly = config.has("xds_matcher", "matcher")
		if n, err = inner.get("typed_config"); n == nil || err != nil {
			return "", err
		}
		if typeName, f.config, err = m.file.packed(n); err != nil {
			return "", err
		}
	}
	return typeName, nil
}

func (r *envoyReader) routeConfiguration(m envoyMap) error { return r.table(m, false) }

func (r *envoyReader) table(m envoyMap, static bool) error {
	r.found = true
	name, err := m.text("name")
	r.tables = append(r.tables, &envoyRoutes{envoyMap: m, name: name, static: static})
	return err
}
