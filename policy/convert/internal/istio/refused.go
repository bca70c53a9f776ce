package istio

// Tested by policy/convert/istio_test.go and policy/convert/istio_envoy_test.go.

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/corsproc/corsproc/policy/convert/internal/kube"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/printable"
)

// What the control plane refuses of a VirtualService (ValidateVirtualService), as far as it is read here. A resource with
// one of these faults is refused as a whole.

// corsMethodsOfIstio are the methods that a policy may list, by their exact names.
var corsMethodsOfIstio = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"}

// refused says why the control plane refuses a VirtualService, and where; empty: it does not.
func (v *virtualService) refused() (kube.Place, string) {
	spec := &v.spec.Spec
	delegate := len(spec.Hosts) == 0
	if delegate && len(spec.Gateways) > 0 {
		return spec.Gateways[0].Place, "one without hosts is a delegate, and has no gateways"
	}
	toMesh := len(spec.Gateways) == 0 || !slices.ContainsFunc(spec.Gateways, func(g kube.Field[string]) bool { return g.Value != mesh })
	for _, h := range spec.Hosts {
		if h.Value == "" || len(h.Value) > 253 || strings.ContainsAny(h.Value, " /:_") && !strings.Contains(h.Value, "::") || strings.LastIndexByte(h.Value, '*') > 0 || len(h.Value) > 1 && h.Value[0] == '*' && h.Value[1] != '.' {
			return h.Place, printable.Cut(strconv.Quote(h.Value)) + " is no host"
		}
		if toMesh && h.Value == "*" {
			return h.Place, "the host * is not for the mesh"
		}
	}
	known := hostIndex{}
	for _, h := range spec.Hosts {
		if known[h.Value] {
			return h.Place, printable.Cut(h.Value) + " is there twice"
		}
		known[h.Value] = true
	}
	for _, h := range spec.Hosts {
		if o := known.around(h.Value); o != "" {
			return h.Place, fmt.Sprintf("%s and %s are duplicates, as the one covers the other", printable.Cut(o), printable.Cut(h.Value))
		}
	}
	if len(spec.HTTP) == 0 && !spec.TCP.Set() && !spec.TLS.Set() {
		return kube.Place{}, "it has no http, tcp or tls"
	}
	for i := range spec.HTTP {
		if at, why := spec.HTTP[i].refused(delegate); why != "" {
			if at.Line == 0 {
				at = spec.HTTP[i].At
			}
			return at, why
		}
	}
	return kube.Place{}, ""
}

func (h *httpRoute) refused(delegate bool) (kube.Place, string) {
	switch {
	case h.Delegate != nil && delegate:
		return h.Delegate.At, "a delegate cannot delegate"
	case h.Delegate != nil && (h.Redirect != nil || len(h.Route) > 0):
		return h.At, "an http route that delegates has no route and no redirect"
	case h.Delegate == nil && h.Redirect == nil && h.Response == nil && len(h.Route) == 0:
		return h.At, "an http route has a route, a redirect or a directResponse"
	case h.Delegate == nil && b2i(h.Redirect != nil)+b2i(h.Response != nil)+b2i(len(h.Route) > 0) > 1:
		return h.At, "an http route has only one of route, redirect and directResponse"
	}
	for i := range h.Match {
		if at, why := h.Match[i].refused(); why != "" {
			return at, why
		}
	}
	return h.CORS.refused()
}

func (m *istioMatch) refused() (kube.Place, string) {
	if at, why := m.URI.refused(true); why != "" {
		return at, "uri: " + why
	}
	for _, t := range []*istioText{m.Scheme, m.Method, m.Authority} {
		if at, why := t.refused(false); why != "" {
			return at, why
		}
	}
	for i, list := range []map[string]*istioText{m.Headers, m.QueryParams} {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			t := list[name]
			if t == nil && i == 0 {
				return m.At, "headers: a match is null"
			}
			if at, why := t.refused(false); why != "" {
				return at, printable.Cut(name) + ": " + why
			}
		}
	}
	return kube.Place{}, ""
}

// refused says why a match of text is refused. empty: a prefix may be empty.
func (t *istioText) refused(empty bool) (kube.Place, string) {
	if t == nil {
		return kube.Place{}, ""
	}
	if b2i(t.Exact.Set())+b2i(t.Prefix.Set())+b2i(t.Regex.Set()) > 1 {
		return t.At, "only one of exact, prefix and regex can stand there"
	}
	if t.Prefix.Set() && t.Prefix.Value == "" && !empty {
		return t.Prefix.Place, "the prefix is empty"
	}
	if t.Regex.Set() && t.Regex.Value != "*" {
		if _, err := regexp.Compile(t.Regex.Value); err != nil {
			return t.Regex.Place, printable.Cut(err.Error())
		}
	}
	return kube.Place{}, ""
}

func (c *corsPolicy) refused() (kube.Place, string) {
	if c == nil {
		return kube.Place{}, ""
	}
	for i := range c.AllowOrigins {
		t := &c.AllowOrigins[i]
		if t.Exact.Value+t.Prefix.Value+t.Regex.Value == "" {
			return t.At, "allowOrigins: an entry has a text in exact, prefix or regex"
		}
		if at, why := t.refused(false); why != "" {
			return at, "allowOrigins: " + why
		}
	}
	for _, m := range c.AllowMethods {
		if !slices.Contains(corsMethodsOfIstio, m.Value) {
			return m.Place, "allowMethods: " + printable.Cut(strconv.Quote(m.Value)) + " is no method that it knows"
		}
	}
	for _, list := range [][]kube.Field[string]{c.AllowHeaders, c.ExposeHeaders} {
		for _, name := range list {
			if !fetch.IsToken(name.Value) {
				return name.Place, printable.Cut(strconv.Quote(name.Value)) + " is no name of a header"
			}
		}
	}
	if c.MaxAge.Set() {
		if d, err := time.ParseDuration(c.MaxAge.Value); err != nil || d < time.Millisecond || d%time.Second != 0 {
			return c.MaxAge.Place, fmt.Sprintf("maxAge: %s is no duration of whole seconds above 0, such as 24h", printable.Cut(strconv.Quote(c.MaxAge.Value)))
		}
	}
	if u := c.Unmatched; u.Set() && !slices.Contains([]string{"UNSPECIFIED", "FORWARD", "IGNORE"}, u.Value) {
		return u.Place, "unmatchedPreflights is FORWARD or IGNORE"
	}
	return kube.Place{}, ""
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
