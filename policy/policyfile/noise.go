package policyfile

// Tested by golden_test.go.

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy/finding"
)

// noise knows which findings of the engine only follow from what was refused before the engine saw it. Nobody could do
// anything about them, and they would hide what there is to do.
type noise struct {
	documents map[string]*document
	// policies and originSets say that some of them may be defined where they could not be read.
	policies, originSets bool
	// restated holds the paths of what is defined under keys that another one has stated: it exists, and does not count.
	restated map[finding.Path]bool
	// placesHoled and policiesHoled say that places may name policies, or policies refer to origin sets, where they could
	// not be read.
	placesHoled, policiesHoled bool
	// unparsed says that of a file nothing could be read, or not all was.
	unparsed bool
	// originsLost says that origins which are to be allowed could not be read.
	originsLost bool
}

func newNoise(documents map[string]*document) noise {
	n := noise{documents: documents, restated: map[finding.Path]bool{}}
	for _, d := range documents {
		if !d.whole() {
			n.policies, n.originSets, n.unparsed = true, true, true
			continue
		}
		n.originsLost = n.originsLost || d.isOrigins && d.origins == nil
		for _, r := range d.walk.restated {
			value := r.mapping.Content[r.key+1]
			for i := 0; value.Kind == yaml.MappingNode && i < len(value.Content); i += 2 {
				n.restated[r.path.Name(value.Content[i].Value)] = true
			}
		}
		n.policies = n.policies || d.hides("policies")
		files := finding.Path("").Name("origin_files")
		n.originSets = n.originSets || d.hides("origin_sets") || d.walk.refused[files] || d.walk.hidden[files]
		n.placesHoled = n.placesHoled || d.walk.misses("virtual_hosts") || d.walk.misses("default")
		n.policiesHoled = n.policiesHoled || d.walk.misses("policies")
	}
	return n
}

// hides reports whether a map at the top of a document may have entries that could not be read.
func (d *document) hides(name string) bool {
	root, path := finding.Path(""), finding.Path("").Name(name)
	return d.walk.refused[root] || d.walk.refused[path] || d.walk.hidden[path] ||
		d.walk.hidden[root] && !hasKey(d.root, name)
}

// misses reports whether something under a field at the top of a document could not be read, or the field itself.
func (w *walk) misses(name string) bool {
	within := func(path finding.Path) bool {
		return path == "" || strings.HasPrefix(string(path)+"\x00", string(finding.Path("").Name(name))+"\x00") ||
			strings.HasPrefix(string(path), string(finding.Path("").Name(name))+"\x01")
	}
	for _, paths := range [...]map[finding.Path]bool{w.refused, w.hidden} {
		for path := range paths {
			if within(path) {
				return true
			}
		}
	}
	return slices.ContainsFunc(w.restated, func(r restatement) bool { return within(r.path) })
}

// see takes in that a finding is there, which others may follow from.
func (n *noise) see(f finding.Finding) {
	switch f.Code {
	case finding.CodeOriginFile, finding.CodeOriginMalformed, finding.CodeOriginNotCanonical:
		n.originsLost = true
	}
}

// is reports whether a finding is noise.
func (n *noise) is(f finding.Finding) bool {
	w, path := n.documents[f.Location.Source].walk, f.Location.Path
	switch {
	case f.Code == finding.CodeUnknownPolicy && n.policies, f.Code == finding.CodeUnknownOriginSet && n.originSets:
		return true
	case f.Code == finding.CodeUnknownPolicy && n.restated[finding.Path("").Name("policies").Name(f.Value)],
		f.Code == finding.CodeUnknownOriginSet && (n.restated[finding.Path("").Name("origin_sets").Name(strings.TrimPrefix(f.Value, "@"))] ||
			n.restated[finding.Path("").Name("origin_files").Name(strings.TrimPrefix(f.Value, "@"))]):
		return true
	case f.Code == finding.CodeNoNameNoDomain && w.lacks(path, "name", "domains"),
		f.Code == finding.CodeRouteMatch && w.lacks(path, "route_name", "path", "prefix", "path_separated_prefix", "regex"):
		return true
	case f.Code == finding.CodeUnusedPolicy && n.placesHoled, f.Code == finding.CodeUnusedOriginSet && n.policiesHoled:
		return true
	case f.Code == finding.CodeDenyOutsideAllow && n.originsLost:
		return true
	case f.Severity != finding.Error && (n.unparsed || w.holed[path]):
		return true // advice about half of what was written
	}
	return w.refused[path] && !f.Location.Key
}

// lacks reports whether one of the fields of a message may be missing only because it was refused.
func (w *walk) lacks(message finding.Path, fields ...string) bool {
	return slices.ContainsFunc(fields, func(name string) bool { return w.refused[message.Name(name)] })
}
