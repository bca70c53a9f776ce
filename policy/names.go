package policy

import "iter"

// EnvoyNames yields, for each virtual host of the set, Envoy's name for it as the file writes it, empty where it has none,
// with the names of the routes that stand in it, in their order. A "*" in a name stands for any run of characters.
func (s *Set) EnvoyNames() iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		names := make([]string, len(s.hosts))
		for r := range s.names.All() {
			names[r.Value] = string(r.Text)
		}
		for i := 1; i < len(s.hosts); i++ { // the first is default, which has neither
			var routes []string
			for j := range s.hosts[i].routes {
				if r := &s.hosts[i].routes[j]; r.kind == routeName {
					routes = append(routes, r.text)
				}
			}
			if !yield(names[i], routes) {
				return
			}
		}
	}
}
