package policy

import (
	"github.com/corsproc/corsproc/policy/internal/diff"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// Diff says who gains and who loses what, and where, when the set after takes the place of before. It returns nothing
// where browsers would notice nothing.
//
// It compares what is granted, not what is written: it asks both sets about requests and origins that stand for all that
// the sets can tell apart, by the functions that decide in serve. So the order of what does not overlap, names of policies,
// origin sets, inheritance, the case of field names, and methods and headers that need no permission make no difference.
// Expressions for origins and routes are compared as text. What changes nothing for anybody is no difference either:
// candidates, and policies that no place of the sets names. It takes Envoy at its word: requests whose name belongs to one
// virtual host of a set and whose authority to another are not looked at. Nor are paths that can be read in more than one
// way: what they are granted is what their places grant, unless those name other policies that say the same.
func Diff(before, after *Set) []*corsprocv1.Difference {
	var all []*corsprocv1.Difference
	for _, d := range diff.Sets(&before.set, &after.set) {
		m := &corsprocv1.Difference{}
		for _, p := range d.Places {
			m.Places = append(m.Places, &corsprocv1.DiffPlace{VirtualHost: p.VirtualHost, Only: p.Only, Route: p.Route, Text: p.Text})
		}
		for _, c := range d.Changes {
			change := &corsprocv1.GrantChange{
				Effect: c.Effect.String(), What: c.What.String(), Origins: c.Origins, Except: c.Except, Values: c.Values,
				Old: c.Old, New: c.New, Text: c.Text,
			}
			if g := c.Grant; g != nil {
				change.Grant = &corsprocv1.Grant{
					Methods: g.Methods, Headers: g.Headers, ExposedHeaders: g.Exposed, Credentials: g.Credentials, ExposeUpstream: g.ExposeUpstream, MaxAgeSeconds: int32(g.MaxAge),
				}
			}
			m.Changes = append(m.Changes, change)
		}
		all = append(all, m)
	}
	return all
}
