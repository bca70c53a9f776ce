package istio

// Tested by policy/convert/istio_test.go and policy/convert/istio_envoy_test.go.

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/convert/internal/kube"
	"github.com/corsproc/corsproc/policy/printable"
)

// delegated returns the routes of a VirtualService, with those of its delegates in their places (MergeHTTPRoutes).
func (r *reader) delegated(v *virtualService) (routes []httpRoute) {
	for _, h := range v.spec.Spec.HTTP {
		if h.Delegate == nil {
			routes = append(routes, h)
			continue
		}
		namespace := h.Delegate.Namespace.Value
		if namespace == "" {
			namespace = v.Namespace()
		}
		name := namespace + "/" + h.Delegate.Name.Value
		other := r.byName[name]
		why := ""
		if other == nil {
			why = "is in none of the files, so its routes are left alone here (passthrough): add the file"
		} else if r.merged += len(other.spec.Spec.HTTP) + countMatches(other)*max(len(h.Match), 1); r.merged > maxMerged {
			why = "makes too many routes together with the others, so its routes are left alone here (passthrough)"
		}
		if why != "" {
			r.b.Warn(nil, v.Position(h.Delegate.At), codeDelegate, "delegate", fmt.Sprintf("VirtualService %s, to which %s delegates, %s", printable.Cut(name), printable.Cut(v.Name()), why))
			h.CORS, h.Delegate = nil, nil
			routes = append(routes, h)
			continue
		}
		for _, sub := range other.spec.Spec.HTTP {
			if merged, ok := mergeRoutes(h, sub); ok {
				routes = append(routes, merged)
			}
		}
	}
	return routes
}

// maxMerged bounds the routes that are made of roots and delegates: each root can have all routes of the same delegate.
const maxMerged = 1_000_000

func countMatches(v *virtualService) (n int) {
	for i := range v.spec.Spec.HTTP {
		n += len(v.spec.Spec.HTTP[i].Match)
	}
	return n
}

// codeDelegate is of delegates that no file has.
const codeDelegate = "delegate-missing"

// mergeRoutes is mergeHTTPRoute. A delegate's route that asks for what its root does not has no effect.
func mergeRoutes(root, sub httpRoute) (merged httpRoute, ok bool) {
	merged = sub
	switch {
	case len(root.Match) == 0:
	case len(sub.Match) == 0:
		merged.Match = root.Match
	default:
		merged.Match = nil
		for i := range sub.Match {
			found := false
			for j := range root.Match {
				if !conflict(&root.Match[j], &sub.Match[i]) {
					merged.Match = append(merged.Match, mergeMatches(&root.Match[j], &sub.Match[i]))
					found = true
				}
			}
			if !found {
				return merged, false
			}
		}
	}
	if root.Name.Set() && sub.Name.Set() {
		merged.Name.Value = root.Name.Value + "-" + sub.Name.Value
	} else if root.Name.Set() {
		merged.Name = root.Name
	}
	if merged.CORS == nil {
		merged.CORS = root.CORS
		if merged.CORS != nil {
			merged.from = root.from
		}
	}
	if merged.Response == nil {
		merged.Response = root.Response
	}
	if merged.Headers == nil {
		merged.Headers = root.Headers
	}
	return merged, true
}

// mergeMatches is mergeHTTPMatchRequest.
func mergeMatches(root, sub *istioMatch) istioMatch {
	m := *sub
	for _, f := range []struct{ own, roots **istioText }{{&m.URI, &root.URI}, {&m.Scheme, &root.Scheme}, {&m.Method, &root.Method}, {&m.Authority, &root.Authority}} {
		if *f.own == nil {
			*f.own = *f.roots
		}
	}
	merge := func(roots, own map[string]*istioText) map[string]*istioText {
		all := maps.Clone(roots)
		if all == nil {
			return own
		}
		maps.Copy(all, own)
		return all
	}
	m.Headers = merge(root.Headers, m.Headers)
	m.WithoutHeaders = merge(root.WithoutHeaders, m.WithoutHeaders)
	m.QueryParams = merge(root.QueryParams, m.QueryParams)
	if !m.Port.Set() {
		m.Port = root.Port
	}
	m.SourceLabels = append(slices.Clone(root.SourceLabels), m.SourceLabels...)
	if m.SourceNamespace.Value == "" {
		m.SourceNamespace = root.SourceNamespace
	}
	if len(m.Gateways) == 0 {
		m.Gateways = root.Gateways
	}
	return m
}

// conflict is hasConflict: a delegate's match is not one of its root's.
func conflict(root, sub *istioMatch) bool {
	if textsConflict(root.URI, sub.URI) || textsConflict(root.Scheme, sub.Scheme) || textsConflict(root.Method, sub.Method) || textsConflict(root.Authority, sub.Authority) {
		return true
	}
	for _, lists := range [][2]map[string]*istioText{{root.Headers, sub.Headers}, {root.WithoutHeaders, sub.WithoutHeaders}, {root.QueryParams, sub.QueryParams}} {
		for name, t := range lists[1] {
			if textsConflict(lists[0][name], t) {
				return true
			}
		}
	}
	switch {
	case root.IgnoreCase.Value != sub.IgnoreCase.Value,
		root.Port.Value > 0 && sub.Port.Value > 0 && root.Port.Value != sub.Port.Value,
		root.SourceNamespace.Value != "" && sub.SourceNamespace.Value != root.SourceNamespace.Value:
		return true
	}
	for _, e := range sub.SourceLabels {
		if f := root.SourceLabels.Get(e.Key); f.Set() && f.Value != e.Value {
			return true
		}
	}
	if len(root.Gateways) > 0 && len(sub.Gateways) > 0 {
		for _, g := range sub.Gateways {
			if len(root.Gateways) < len(sub.Gateways) || !slices.ContainsFunc(root.Gateways, func(o kube.Field[string]) bool { return o.Value == g.Value }) {
				return true
			}
		}
	}
	return false
}

// textsConflict is stringMatchConflict.
func textsConflict(root, sub *istioText) bool {
	switch {
	case root == nil || sub == nil:
		return false
	case root.Regex.Value != "" && sub.Regex.Value+sub.Prefix.Value+sub.Exact.Value != "",
		sub.Regex.Value != "" && root.Regex.Value+root.Prefix.Value+root.Exact.Value != "":
		return true
	case root.Exact.Value != "":
		return sub.Prefix.Value != "" || sub.Exact.Value != root.Exact.Value
	case root.Prefix.Value != "" && sub.Prefix.Value != "":
		return !strings.HasPrefix(sub.Prefix.Value, root.Prefix.Value)
	case root.Prefix.Value != "" && sub.Exact.Value != "":
		return !strings.HasPrefix(sub.Exact.Value, root.Prefix.Value)
	}
	return true
}
