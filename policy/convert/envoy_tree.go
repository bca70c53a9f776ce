package convert

// Tested by golden_test.go and envoy/e2e/importenvoy_test.go.

import (
	"go.yaml.in/yaml/v4"
)

// matcherRoutes returns one route for all that a virtual host finds by a matching tree: it grants what all of them grant.
func (r *envoyReader) matcherRoutes(c *envoyChain, m envoyMap, host string, levels []*envoyLevel) ([]envoyRoute, error) {
	tree, err := m.get("matcher")
	if tree == nil || err != nil {
		return nil, err
	}
	p, same := place{at: m.positionOf("matcher")}, true // no route at all
	err = r.eachRoute(m.file, tree, 0, func(rm envoyMap) error {
		route, ok, err := r.route(c, rm, host, levels)
		if !ok || err != nil {
			return err
		}
		var alike bool
		p, alike = meet(p, route.place)
		same = same && alike
		return nil
	})
	if err != nil || same {
		return nil, err
	}
	p.notes = notes{}
	r.b.warn(&p.notes, m.positionOf("matcher"), codeRouteFinder, "matcher", "a matching tree finds the routes of this virtual host, and a policy file does not look at what it looks at: "+
		"here everybody gets what all of them grant; write routes")
	return []envoyRoute{{match: everyPath, place: p}}, nil
}

// eachRoute calls use for every route that is packed anywhere below a node.
func (r *envoyReader) eachRoute(f *envoyFile, n *yaml.Node, depth int, use func(envoyMap) error) error {
	n, err := f.look(n)
	if err != nil || depth > maxKubernetesDepth {
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
