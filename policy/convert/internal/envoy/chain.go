package envoy

// Tested by policy/convert/golden_test.go and envoy/e2e/importenvoy_test.go.

import (
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/source"
)

// The messages that count, without their packages: the versions of the API differ in those.
const (
	envoyCors    = "Cors"
	corsPolicy   = "CorsPolicy"
	csrfPolicy   = "CsrfPolicy"
	filterConfig = "FilterConfig"
	withMatcher  = "ExtensionWithMatcher"
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
	cors    []envoyFilter
	csrf    []envoyFilter
	anyName bool // the filters are not known: whatever has a policy is one
	inline  []*envoyRoutes
	rds     []string
	rdsAt   source.Position
}

// An envoyFilter is a cors or a csrf filter in a chain.
type envoyFilter struct {
	name     string
	disabled bool // unless a route enables it
	partly   bool // a matcher says for which requests it is there
	config   envoyMap
	at       source.Position
}

// An envoyRoutes is a route configuration.
type envoyRoutes struct {
	envoyMap
	name   string
	static bool // in a dump: it stands in a listener
	scoped bool
}

func (r *Reader) manager(m envoyMap) error {
	r.found = true
	c := &envoyChain{}
	if err := m.children("http_filters", func(f envoyMap) error { return r.filter(c, f) }); err != nil {
		return err
	}
	if err := m.within("route_config", func(t envoyMap) error { return c.addInline(t, false) }); err != nil {
		return err
	}
	if err := m.within("rds", func(rds envoyMap) error { return c.addName(rds, "route_config_name") }); err != nil {
		return err
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
	add := func(s envoyMap) error {
		if t, ok, err := s.child("route_configuration"); ok || err != nil {
			if err != nil {
				return err
			}
			return c.addInline(t, true)
		}
		return c.addName(s, "route_configuration_name")
	}
	return m.within("scoped_routes", func(scoped envoyMap) error {
		return scoped.within("scoped_route_configurations_list", func(list envoyMap) error {
			return list.children("scoped_route_configurations", add)
		})
	})
}

// filter takes an HTTP filter, if it is one of the two.
func (r *Reader) filter(c *envoyChain, m envoyMap) error {
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
	case isEnvoy(typeName, csrfPolicy):
		c.csrf = append(c.csrf, f)
	}
	return nil
}

// read returns the type of a filter's configuration, and keeps the configuration.
func (f *envoyFilter) read(r *Reader, m envoyMap) (typeName string, err error) {
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
	if isEnvoy(typeName, withMatcher) {
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

func (r *Reader) routeConfiguration(m envoyMap) error { return r.table(m, false) }

func (r *Reader) table(m envoyMap, static bool) error {
	r.found = true
	name, err := m.text("name")
	r.tables = append(r.tables, &envoyRoutes{envoyMap: m, name: name, static: static})
	return err
}
