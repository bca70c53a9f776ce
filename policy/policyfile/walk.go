package policyfile

// Tested by golden_test.go and testdata/bad.txt.

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/corsproc/corsproc/policy/finding"
)

// A walk fills a message from a document and reports everything that does not fit its descriptor. It never stops at an
// error, and what it can tell how to write right it takes as if it were written so: then one go reports what else is
// wrong, and nothing is reported only because of what was refused before.
type walk struct {
	problems []located
	path     []step

	// refused holds the paths of values that were refused, and the paths around them: of what stands there, the engine
	// does not see what the author wrote.
	refused map[finding.Path]bool
	holed   map[finding.Path]bool
	// hidden holds the paths of mappings that may have entries which could not be read.
	hidden map[finding.Path]bool
	// restated holds what stands under a key that another one has stated: it is walked for the faults in it, and does not
	// count.
	restated []restatement
	aside    string // the turn of the restatement that the walk is in; empty: of none
	// spelling holds the right spelling of keys that were mistyped; spare those that mean what another key of their mapping
	// says already.
	spelling map[*yaml.Node]string
	spare    map[*yaml.Node]bool
	// names holds the keys of the mappings that the walk is in, rightly spelt, as far as one of them is mistyped.
	names map[*yaml.Node]map[string]bool

	// consume says that what was walked is not looked at again. Its nodes are let go then, so that they need not be there
	// together with the message. The first problem ends such a walk: to tell it, and the others, takes the nodes.
	consume bool
	gone    bool            // some nodes are
	fixable func(p problem) // called for every problem with a fix, also where there are too many; nil: nobody wants to know
}

// located is a problem with the path of what it is about.
type located struct {
	problem
	path finding.Path
}

// A restatement is a key of a mapping that names what an earlier key names. Restatements of one turn can take the places
// of those keys at the same time: they are as deep, as far behind the first of their names, and inside restatements of
// the same turn, which theirs begins with.
type restatement struct {
	path     finding.Path
	mapping  *yaml.Node
	key      int // where it stands in the mapping's content
	original int // where the key stands that counts; -1: that of a mistyped one
	turn     string
}

// A step is the part of a path that one level of a document adds. Paths are only put together for a report: most files
// have none.
type step struct {
	name  string
	index int // of a list's element; -1: name counts
}

// consumeDocument fills m from the root of a document and lets go of its nodes. It reports whether nothing is wrong with
// it, and whether nodes are gone.
func consumeDocument(root *yaml.Node, m protoreflect.Message) (ok, gone bool) {
	w := newWalk()
	w.consume = true
	w.document(root, m)
	return len(w.problems) == 0, w.gone
}

// walkDocument fills m from the root of a document. With fixable it goes through all of it, also where there are too many
// problems to tell.
func walkDocument(root *yaml.Node, m protoreflect.Message, fixable func(problem)) *walk {
	w := newWalk()
	w.fixable = fixable
	w.document(root, m)
	return w
}

func newWalk() *walk {
	return &walk{
		refused:  map[finding.Path]bool{},
		holed:    map[finding.Path]bool{},
		hidden:   map[finding.Path]bool{},
		spelling: map[*yaml.Node]string{},
		spare:    map[*yaml.Node]bool{},
		names:    map[*yaml.Node]map[string]bool{},
	}
}

func (w *walk) document(root *yaml.Node, m protoreflect.Message) {
	if w.expect(root, yaml.MappingNode, "a mapping") {
		w.message(m, root)
	}
}

// done says that a value was walked.
func (w *walk) done(n *yaml.Node) {
	if w.consume && n.Content != nil && len(w.problems) == 0 {
		n.Content, w.gone = nil, true
	}
}

func (w *walk) push(name string) { w.path = append(w.path, step{name, -1}) }
func (w *walk) pushIndex(i int)  { w.path = append(w.path, step{"", i}) }
func (w *walk) pop()             { w.path = w.path[:len(w.path)-1] }

// where returns the path of the current value, and that of what it stands in.
func (w *walk) where() (path, parent finding.Path) {
	for _, s := range w.path {
		parent = path
		if s.index >= 0 {
			path = path.Index(s.index)
		} else {
			path = path.Name(s.name)
		}
	}
	return path, parent
}

// maxProblems bounds what is said of one file, and what is looked at: a hostile one of a few megabytes can hold millions
// of faults, and nobody reads them.
const maxProblems = 1000

// over reports whether more is wrong than is told. Of such a document nothing is used.
func (w *walk) over() bool { return len(w.problems) > maxProblems }

// full reports whether so much is wrong that the rest of the file is not looked at.
func (w *walk) full() bool {
	return w.over() && w.fixable == nil || w.consume && len(w.problems) > 0
}

// report reports a problem with the node at the current path, unless there are too many already; that there are is the
// last problem.
func (w *walk) report(n *yaml.Node, code finding.Code, message, fix string) {
	w.reportBeside(n, position{}, code, message, fix)
}

// reportBeside reports a problem that has to do with what stands at another position.
func (w *walk) reportBeside(n *yaml.Node, relatedAt position, code finding.Code, message, fix string) {
	if w.fixable != nil && fix != "" {
		w.fixable(problem{code: code, pos: nodePosition(n), fix: fix})
	}
	switch {
	case w.over():
		return
	case len(w.problems) == maxProblems:
		code, fix, relatedAt = finding.CodeTooManyFindings, "", position{}
		message = fmt.Sprintf("there are more than %d faults; the rest of the file is not looked at", maxProblems)
	}
	path, _ := w.where()
	w.problems = append(w.problems, located{
		problem{code: code, pos: nodePosition(n), message: message, fix: fix, relatedAt: relatedAt}, path,
	})
}

// refuse reports a value that the engine will not see as it was written.
func (w *walk) refuse(n *yaml.Node, code finding.Code, message, fix string) {
	switch {
	case n.Kind == yaml.ScalarNode && finding.IsPlaceholder(n.Value):
		message, fix = literal(n)+": "+finding.PlaceholderMessage, ""
	case n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[0].Kind == yaml.MappingNode: // {{ … }}
		message, fix = finding.PlaceholderMessage, ""
	}
	w.report(n, code, message, fix)
	if w.aside != "" || w.over() {
		return // what counts at this path was not refused, or nothing counts
	}
	path, parent := w.where()
	w.refused[path], w.holed[parent] = true, true
}

// hide says that the mapping at a path may have entries which could not be read.
func (w *walk) hide(path finding.Path) {
	if w.aside == "" && !w.over() {
		w.hidden[path] = true
	}
}

// message fills m from a mapping of its fields.
func (w *walk) message(m protoreflect.Message, n *yaml.Node) {
	fields := m.Descriptor().Fields()
	w.mapping(n, func(key *yaml.Node) (string, bool) { return w.fieldName(fields, n, key) },
		func(name string, value *yaml.Node, again bool) {
			target := m
			if again {
				target = m.New() // what stands in it is checked, and counts for nothing
			}
			w.field(target, fields.ByName(protoreflect.Name(name)), value)
		})
}

// mapping calls entry for each entry of a mapping whose key has a name; again says that another key is the one that
// counts.
func (w *walk) mapping(n *yaml.Node, nameOf func(key *yaml.Node) (string, bool), entry func(name string, value *yaml.Node, again bool)) {
	first := make(map[string]int, len(n.Content)/2)
	number := map[string]int{} // of restatements, by name
	aside := w.aside
	defer delete(w.names, n)
	for i := 0; i+1 < len(n.Content) && !w.full(); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !w.isKey(key) {
			continue
		}
		name, ok := nameOf(key)
		if !ok {
			continue
		}
		w.push(name)
		original, again := first[name]
		switch {
		case w.spare[key]:
			original, again = -1, true
		case again:
			w.reportBeside(key, nodePosition(n.Content[original]), CodeDuplicateKey, quote(key.Value)+": this key stands in the same mapping already", "")
		default:
			first[name] = i
		}
		if again {
			number[name]++
			w.aside = fmt.Sprintf("%s%d.%d/", aside, len(w.path), number[name])
			if path, _ := w.where(); !w.over() {
				w.restated = append(w.restated, restatement{path, n, i, original, w.aside})
			}
		}
		entry(name, value, again)
		w.done(value)
		w.aside = aside
		w.pop()
	}
}

// isKey reports whether a key is text, and reports it otherwise. A number or boolean is taken for its text.
func (w *walk) isKey(key *yaml.Node) bool {
	w.push(key.Value)
	defer w.pop()
	_, mapping := w.where()
	switch {
	case !w.plainNode(key):
		w.hide(mapping)
		return false
	case key.Kind == yaml.MappingNode && key.Style&yaml.FlowStyle != 0: // {{ … }} where a mapping is wanted
		w.refuse(key, CodeWrongType, finding.PlaceholderMessage, "")
		w.hide(mapping)
		return false
	case key.Kind != yaml.ScalarNode || key.Tag == "!!null":
		w.refuse(key, CodeWrongType, "a key is text, not "+describe(key), "")
		w.hide(mapping)
		return false
	case key.Tag == "!!merge":
		w.refuse(key, CodeAlias, "merge keys are not allowed: write out what holds", "")
		w.hide(mapping)
		return false
	case !isText(key):
		w.report(key, CodeWrongType, key.Value+": a key is text, not "+describe(key), `"`+key.Value+`"`)
	}
	return true
}

// fieldName returns the name of the field that a key means, or reports that there is none.
func (w *walk) fieldName(fields protoreflect.FieldDescriptors, mapping, key *yaml.Node) (string, bool) {
	if fields.ByName(protoreflect.Name(key.Value)) != nil {
		return key.Value, true
	}
	known := make([]string, fields.Len())
	for i := range known {
		known[i] = string(fields.Get(i).Name())
	}
	w.push(key.Value)
	defer w.pop()
	near, guess := nearest(snakeCase(key.Value), known)
	switch {
	case near == "":
		w.report(key, CodeUnknownKey, quote(key.Value)+": unknown field; known here: "+strings.Join(known, ", "), "")
		_, parent := w.where()
		w.hide(parent)
		return "", false
	case w.namesOf(mapping)[near]:
		w.report(key, CodeUnknownKey, quote(key.Value)+": unknown field, and the nearest that there is, "+near+", stands here already", "")
		w.spare[key] = true
		return near, true
	}
	if guess {
		w.report(key, CodeUnknownKey, quote(key.Value)+": unknown field; if "+near+" is meant, write that", "")
	} else {
		w.report(key, CodeUnknownKey, quote(key.Value)+": unknown field", near)
	}
	w.spelling[key] = near
	w.namesOf(mapping)[near] = true
	return near, true
}

// namesOf returns the names that the keys of a mapping are, or mean as far as they were looked at.
func (w *walk) namesOf(mapping *yaml.Node) map[string]bool {
	names := w.names[mapping]
	if names == nil {
		names = make(map[string]bool, len(mapping.Content)/2)
		for i := 0; i < len(mapping.Content); i += 2 {
			names[mapping.Content[i].Value] = true
		}
		w.names[mapping] = names
	}
	return names
}

// hasKey reports whether a mapping has a key.
func hasKey(mapping *yaml.Node, name string) bool {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return true
		}
	}
	return false
}

// field fills one field of m.
func (w *walk) field(m protoreflect.Message, fd protoreflect.FieldDescriptor, n *yaml.Node) {
	switch {
	case fd.IsMap():
		w.entries(m.Mutable(fd).Map(), fd.MapValue(), n)
	case fd.IsList():
		w.list(m.Mutable(fd).List(), fd, n)
	case fd.Message() != nil:
		w.value(m.Mutable(fd).Message(), n)
	default:
		if v, ok := w.scalar(fd, n); ok {
			m.Set(fd, v)
		}
	}
}

// value fills a message, which is written as a list if a list is all it has.
func (w *walk) value(m protoreflect.Message, n *yaml.Node) {
	fields := m.Descriptor().Fields()
	switch {
	case fields.Len() == 1 && fields.Get(0).IsList():
		w.list(m.Mutable(fields.Get(0)).List(), fields.Get(0), n)
	case w.expect(n, yaml.MappingNode, "a mapping"):
		w.message(m, n)
	}
}

// entries fills a map from names to values of one kind.
func (w *walk) entries(m protoreflect.Map, fd protoreflect.FieldDescriptor, n *yaml.Node) {
	if !w.expect(n, yaml.MappingNode, "a mapping from names") {
		return
	}
	nameOf := func(key *yaml.Node) (string, bool) { return key.Value, true }
	w.mapping(n, nameOf, func(name string, value *yaml.Node, again bool) {
		v, ok := m.NewValue(), true
		if fd.Message() != nil {
			w.value(v.Message(), value)
		} else {
			v, ok = w.scalar(fd, value)
		}
		if ok && !again {
			m.Set(protoreflect.ValueOfString(name).MapKey(), v)
		}
	})
}

// list fills a list. An element that is refused leaves a zero value, so that the others keep their indexes.
func (w *walk) list(l protoreflect.List, fd protoreflect.FieldDescriptor, n *yaml.Node) {
	if single := n.Kind == yaml.ScalarNode && !isNull(n); single && fd.Message() == nil {
		n = w.single(fd, n)
	} else if !w.expect(n, yaml.SequenceNode, "a list") {
		return
	}
	for i, element := range n.Content {
		if w.full() {
			return
		}
		w.pushIndex(i)
		if fd.Message() != nil {
			w.value(l.AppendMutable().Message(), element)
		} else if v, ok := w.scalar(fd, element); ok {
			l.Append(v)
		} else {
			l.Append(l.NewElement())
		}
		w.done(element)
		w.pop()
	}
}

// single refuses a scalar where a list is wanted, and returns the list that must have been meant.
func (w *walk) single(fd protoreflect.FieldDescriptor, n *yaml.Node) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}}
	if parts := strings.Split(n.Value, ","); isText(n) && len(parts) > 1 && fd.Name() != "allow_origin_regexes" {
		list.Content = nil // PUT, DELETE: only expressions have commas of their own
		for _, part := range parts {
			element := *n
			element.Value = strings.TrimSpace(part)
			list.Content = append(list.Content, &element)
		}
	}
	elements := make([]string, len(list.Content))
	for i, element := range list.Content {
		elements[i] = flowText(element)
	}
	w.refuse(n, CodeWrongType, literal(n)+": a list is wanted here, not a single value", "["+strings.Join(elements, ", ")+"]")
	if finding.IsPlaceholder(n.Value) {
		list.Content = nil // what it stands for is not known
	}
	return list
}

// expect reports whether a node is of a kind, which messages call wanted, and refuses it otherwise.
func (w *walk) expect(n *yaml.Node, kind yaml.Kind, wanted string) bool {
	switch {
	case !w.plainNode(n):
		return false
	case n.Kind == kind:
		return true
	case isNull(n):
		w.refuse(n, CodeNullValue, wanted+" is missing here; leave out what has nothing to say", "")
	default:
		w.refuse(n, CodeWrongType, valued(n)+wanted+" is wanted here, not "+describe(n), "")
	}
	return false
}

// plainNode refuses what makes a value depend on more than what stands in its place: anchors, aliases and tags. It
// reports whether there is a value.
func (w *walk) plainNode(n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode && leadsNowhere(n):
		w.refuse(n, CodeAlias, starMessage, `"*`+n.Value+`"`)
		return false
	case n.Kind == yaml.AliasNode:
		w.refuse(n, CodeAlias, fmt.Sprintf("%s: aliases are not allowed: write out the value; text that starts with * has to be quoted",
			quote("*"+n.Value)), "")
		return false
	case n.Anchor != "":
		w.report(n, CodeAlias, quote("&"+n.Anchor)+": anchors are not allowed, as nothing may refer to them", "")
	case n.Style&yaml.TaggedStyle != 0 || n.Tag == "!":
		w.report(n, CodeTag, quote(n.Tag)+": tags are not allowed; text that looks like something else is quoted", "")
	}
	return true
}
