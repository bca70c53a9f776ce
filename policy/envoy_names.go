package policy

// Tested by server/admin/status_test.go.

import (
	"iter"

	"github.com/corsproc/corsproc/policy/internal/compiled"
)

// EnvoyNames yields, for each virtual host of the set, Envoy's name for it as the file writes it, empty where it has none,
// with the names of the routes that stand in it, in their order. A "*" in a name stands for any run of characters.
func (s *Set) EnvoyNames() iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		names := make([]string, len(s.set.Hosts))
		for r := range s.set.Names.All() {
			names[r.Value] = string(r.Text)
		}
		for i := 1; i < len(s.set.Hosts); i++ { // the first is default, which has neither
			var routes []string
			for j := range s.set.Hosts[i].Routes {
				if r := &s.set.Hosts[i].Routes[j]; r.Kind == compiled.RouteName {
					routes = append(routes, r.Text)
				}
			}
			if !yield(names[i], routes) {
				return
			}
		}
	}
}
