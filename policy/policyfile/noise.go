package policyfile

import (
	"slices"

	"github.com/corsproc/corsproc/policy"
)

// noise knows which findings of the engine only follow from what was refused before the engine saw it. Nobody could do
// anything about them, and they would hide what there is to do.
type noise struct {
	documents map[string]*document
	// policies and originSets say that some of them may be defined where they could not be read.
	policies, originSets bool
	// unparsed says that of a file nothing could be read.
	unparsed bool
}

func newNoise(documents map[string]*document) noise {
	n := noise{documents: documents}
	for _, d := range documents {
		if d.root == nil {
			n.policies, n.originSets, n.unparsed = true, true, true
			continue
		}
		n.policies = n.policies || d.hides("policies")
		n.originSets = n.originSets || d.hides("origin_sets")
	}
	return n
}

// hides reports whether a map at the top of a document may have entries that could not be read.
func (d *document) hides(name string) bool {
	root, path := policy.Path(""), policy.Path("").Name(name)
	return d.walk.refused[root] || d.walk.refused[path] || d.walk.hidden[path] ||
		d.walk.hidden[root] && !hasKey(d.root, name)
}

// is reports whether a finding is noise.
func (n *noise) is(f policy.Finding) bool {
	w, path := n.documents[f.Place.Source].walk, f.Place.Path
	switch {
	case f.Code == policy.CodeUnknownPolicy && n.policies, f.Code == policy.CodeUnknownOriginSet && n.originSets:
		return true
	case f.Code == policy.CodeNoNameNoDomain && w.lacks(path, "name", "domains"),
		f.Code == policy.CodeRouteMatch && w.lacks(path, "route_name", "path", "prefix", "path_separated_prefix", "regex"):
		return true
	case f.Severity != policy.Error && (n.unparsed || w.holed[path]):
		return true // advice about half of what was written
	}
	return w.refused[path] && !f.Place.Key
}

// lacks reports whether one of the fields of a message may be missing only because it was refused.
func (w *walk) lacks(message policy.Path, fields ...string) bool {
	return slices.ContainsFunc(fields, func(name string) bool { return w.refused[message.Name(name)] })
}
