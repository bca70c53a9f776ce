package envoy

// Tested by policy/convert/golden_test.go and envoy/e2e/importenvoy_test.go.

import (
	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/convert/internal/build"
	"github.com/corsproc/corsproc/policy/convert/internal/source"
)

// matcherRoutes returns one route for all that a virtual host finds by a matching tree: it grants what all of them grant.
func (r *Reader) matcherRoutes(c *envoyChain, m envoyMap, host string, levels []*envoyLevel) ([]Route, error) {
	tree, err := m.get("matcher")
	if tree == nil || err != nil {
		return nil, err
	}
	p, same := build.Place{At: m.positionOf("matcher")}, true // no route at all
	err = r.eachRoute(m.file, tree, 0, func(rm envoyMap) error {
		route, ok, err := r.route(c, rm, host, levels)
		if !ok || err != nil {
			return err
		}
		var alike bool
		p, alike = build.Meet(p, route.Place)
		same = same && alike
		return nil
	})
	if err != nil || same {
		return nil, err
	}
	p.Notes = build.Notes{}
	r.B.Warn(&p.Notes, m.positionOf("matcher"), codeRouteFinder, "matcher", "a matching tree finds the routes of this virtual host, and a policy file does not look at what it looks at: "+
		"here everybody gets what all of them grant; write routes")
	return []Route{{Match: build.EveryPath, Place: p}}, nil
}

// eachRoute calls use for every route that is packed anywhere below a node.
func (r *Reader) eachRoute(f *envoyFile, n *yaml.Node, depth int, use func(envoyMap) error) error {
	n, err := f.look(n)
	if err != nil || depth > source.MaxKubernetesDepth {
		return err
	}
	if n.Kind == yaml.MappingNode {
		typeName, m, err := f.packed(n)
		if err != nil {
			return err
		}
		if isEnvoy(typeName, "Route") {
			return use(m)
		}
	}
	for _, c := range n.Content {
		if err := r.eachRoute(f, c, depth+1, use); err != nil {
			return err
		}
	}
	return nil
}
