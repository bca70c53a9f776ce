package envoy

// Tested by policy/convert/golden_test.go and envoy/e2e/importenvoy_test.go.

import (
	"fmt"
	"strings"

	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	csrfv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/csrf/v3"
)

// An envoyLevel is what one level (weighted cluster, route, virtual host, route configuration) says of filters.
type envoyLevel struct {
	name    string // what a policy that stands here is called
	entries []*override
	legacy  *override // the cors field
}

// An override is what a level says of one filter.
type override struct {
	filter   string // its name
	name     string // of the policy
	disabled bool
	cors     *corsv3.CorsPolicy
	csrf     *csrfv3.CsrfPolicy
	envoyMap // of the policy
	id       int
}

// level reads what a mapping with typed_per_filter_config says.
func (r *Reader) level(m envoyMap, name string) (*envoyLevel, error) {
	l := &envoyLevel{name: name}
	configs, ok, err := m.child("typed_per_filter_config")
	if !ok {
		return l, err
	}
	for _, e := range configs.entries {
		typeName, c, err := m.file.packed(e.value)
		if err != nil {
			return nil, err
		}
		o := &override{filter: e.key.Value, name: name, envoyMap: c}
		if isEnvoy(typeName, filterConfig) {
			if o.disabled, err = c.flag("disabled"); err != nil {
				return nil, err
			}
			n, err := c.get("config")
			switch {
			case err != nil:
				return nil, err
			case n == nil && !o.disabled:
				return nil, m.file.fault(c.at, "Envoy refuses this: a FilterConfig of %s has neither config nor disabled: true", o.filter)
			case n != nil && !o.disabled:
				if typeName, o.envoyMap, err = m.file.packed(n); err != nil {
					return nil, err
				}
			}
		}
		if err := o.read(typeName); err != nil {
			return nil, err
		}
		r.keep(o)
		l.entries = append(l.entries, o)
	}
	return l, nil
}

// read decodes the policy of one of the two filters. What other filters are told says only that it is there.
func (o *override) read(typeName string) error {
	switch {
	case o.disabled:
	case isEnvoy(typeName, corsPolicy):
		return o.readCors()
	case isEnvoy(typeName, csrfPolicy):
		return o.readCsrf()
	}
	return nil
}

func (o *override) readCors() error {
	o.cors = &corsv3.CorsPolicy{}
	if err := o.decode(o.cors.ProtoReflect()); err != nil {
		return err
	}
	return checkExpressions(o, "allow_origin_string_match", o.cors.GetAllowOriginStringMatch())
}

func (o *override) readCsrf() error {
	o.csrf = &csrfv3.CsrfPolicy{}
	if err := o.decode(o.csrf.ProtoReflect()); err != nil {
		return err
	}
	return checkExpressions(o, "additional_origins", o.csrf.GetAdditionalOrigins())
}

// keep gives an override a number by which what is made of it is found again.
func (r *Reader) keep(o *override) {
	r.overrides++
	o.id = r.overrides
}

// readLegacy reads the cors field of a virtual host or of a route's action, which has the same fields.
func (r *Reader) readLegacy(m envoyMap, name string) (*override, error) {
	c, ok, err := m.child("cors")
	if !ok {
		return nil, err
	}
	o := &override{name: name, envoyMap: c}
	r.keep(o)
	return o, o.readCors()
}

// find returns what a level says of a filter.
func (l *envoyLevel) find(filter string) *override {
	for _, o := range l.entries {
		if o.filter == filter {
			return o
		}
	}
	return nil
}

// corsOf returns the policies of a cors filter, the most specific first; none: it has no effect there. Levels are the most
// specific first, too.
func (f *envoyFilter) corsOf(levels []*envoyLevel) (policies []*override) {
	disabled := f.disabled
	for _, l := range levels {
		if o := l.find(f.name); o != nil {
			disabled = o.disabled
			break
		}
	}
	if disabled {
		return nil
	}
	for _, l := range levels {
		if o := l.find(f.name); o != nil && o.cors != nil {
			policies = append(policies, o)
		}
	}
	if len(policies) > 0 {
		return policies
	}
	for _, l := range levels {
		if l.legacy != nil {
			policies = append(policies, l.legacy)
		}
	}
	return policies
}

// csrfOf returns the policy of a csrf filter, which comes from one level alone; nil: it has no effect there.
func (f *envoyFilter) csrfOf(levels []*envoyLevel) (*override, error) {
	disabled := f.disabled
	for i, l := range levels {
		o := l.find(f.name)
		if o == nil {
			continue
		}
		if disabled = o.disabled; disabled {
			return nil, nil
		}
		for _, l := range levels[i:] {
			if o := l.find(f.name); o != nil && o.csrf != nil {
				return o, nil
			}
		}
		break
	}
	if disabled || f.config.at == nil {
		return nil, nil
	}
	o := &override{filter: f.name, envoyMap: f.config}
	return o, o.readCsrf()
}

// filtersOf returns the filters that a chain has, or, where that is not known, those of which the levels speak.
func (c *envoyChain) filtersOf(levels []*envoyLevel) (cors, csrf []envoyFilter) {
	if !c.anyName {
		return c.cors, c.csrf
	}
	seen := map[string]bool{}
	legacy := false
	for _, l := range levels {
		legacy = legacy || l.legacy != nil
		for _, o := range l.entries {
			switch {
			case seen[o.filter]:
			case o.cors != nil:
				cors = append(cors, envoyFilter{name: o.filter})
			case o.csrf != nil:
				csrf = append(csrf, envoyFilter{name: o.filter})
			default:
				continue
			}
			seen[o.filter] = true
		}
	}
	if legacy && len(cors) == 0 {
		cors = append(cors, envoyFilter{name: corsFilterName})
	}
	return cors, csrf
}

// first returns the first policy that has a field, as Envoy looks for each field on its own: nil, if none has.
func first(policies []*override, has func(*corsv3.CorsPolicy) bool) *override {
	for _, o := range policies {
		if has(o.cors) {
			return o
		}
	}
	return nil
}

// policiesKey is a text that is the same for the same policies.
func policiesKey(policies []*override) string {
	var b strings.Builder
	for _, o := range policies {
		fmt.Fprintf(&b, "%d ", o.id)
	}
	return b.String()
}
