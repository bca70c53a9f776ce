package policyfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/finding"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// Result is what became of a content. It is safe for use by several goroutines.
type Result struct {
	Set      *policy.Set           // nil if any finding is an error
	Findings []*corsprocv1.Finding // of all files, sorted by file, line and column
	Hash     string                // the content's

	files []File

	mu      sync.Mutex
	layouts map[string]*layout // by file; made when the first rule in a file is asked for
}

// document is a file while its content is compiled.
type document struct {
	file   *File
	parsed bool       // the file could be parsed
	root   *yaml.Node // nil if not, and of a document that is condensed
	walk   *walk
	set    *corsprocv1.PolicySet
	layout *layout // nil until a position is asked for
}

// fill makes the set of a document from its root.
func (d *document) fill(root *yaml.Node, fixable func(problem)) {
	d.parsed, d.root, d.set = true, root, &corsprocv1.PolicySet{}
	d.walk = walkDocument(root, d.set.ProtoReflect(), fixable)
}

// whole reports whether all of the document was read.
func (d *document) whole() bool { return d.parsed && !d.walk.over() }

// condense fills the set of a document of a large content in which nothing is wrong, and lets go of its nodes meanwhile:
// they are most of what a large set takes while it is loaded, and work for the garbage collector while requests are
// answered. It reports false where something is wrong, and returns the root from which it can be told what.
func (d *document) condense(root *yaml.Node) (again *yaml.Node, ok bool) {
	layout, set := newLayout(root, nil), &corsprocv1.PolicySet{}
	switch ok, gone := consumeDocument(root, set.ProtoReflect()); {
	case ok:
		d.parsed, d.set, d.layout, d.walk = true, set, layout, new(walk)
		return nil, true
	case gone:
		root, _ = parse(*d.file)
	}
	return root, false
}

// Compile parses all files strictly and compiles them into one set. It reports everything that it finds in all of them,
// also what the engine has to say of files that have other faults: only what a fault leads to is left out.
func (c *Content) Compile() *Result { return c.compileFor(nil) }

// compileFor is Compile. With corrections it also collects every fix that may be written, however many there are, and
// leaves the nodes of the documents to them.
func (c *Content) compileFor(fixes *corrections) *Result {
	r := &Result{Hash: c.Hash, files: c.Files}
	if f, why := c.tooLarge(); f != nil {
		d := document{file: f}
		r.Findings = append(r.Findings, d.finding(located{problem: problem{code: CodeDirectoryTooLarge, pos: wholeFile, message: why}}))
		return r
	}
	documents := make(map[string]*document, len(c.Files))
	large := c.Large()
	for i := range c.Files {
		d := &document{file: &c.Files[i]}
		documents[d.file.Name] = d
		fixable := fixes.of(d)
		root, problems := parse(*d.file)
		for _, p := range problems {
			r.Findings = append(r.Findings, d.finding(located{problem: p}))
			if fixable != nil {
				fixable(p)
			}
		}
		if root == nil {
			continue
		}
		if p := strayFile(root); p != nil {
			r.Findings = append(r.Findings, d.finding(located{problem: *p}))
			continue
		}
		if fixes == nil && large {
			var ok bool
			if root, ok = d.condense(root); ok {
				continue
			}
		}
		d.fill(root, fixable)
		for _, p := range d.walk.problems {
			r.Findings = append(r.Findings, d.finding(p))
		}
	}
	set, found := c.compile(documents, fixes)
	r.Findings = append(r.Findings, found...)
	restated := c.compileRestated(documents, r.Findings)
	fixes.addAll(restated)
	r.Findings = append(r.Findings, restated...)
	slices.SortStableFunc(r.Findings, compareFindings)
	if !HasErrors(r.Findings) {
		r.Set = set
	}
	return r
}

// tooLarge returns the first of several files that is too much, and why; nil: there is none.
func (c *Content) tooLarge() (*File, string) {
	if c.TooLarge != "" {
		return &c.Files[len(c.Files)-1], c.TooLarge
	}
	entries := 0
	for i := range c.Files {
		n := countEntries(c.Files[i].Data)
		if entries += n; entries > maxEntries && n <= maxEntries { // else it is too much by itself
			return &c.Files[i], fmt.Sprintf("the policy files of the directory have more than %d entries together", maxEntries)
		}
	}
	return nil, ""
}

// compile compiles the documents of the files into one set, and returns what the engine has to say of them, but for noise.
func (c *Content) compile(documents map[string]*document, fixes *corrections) (*policy.Set, []*corsprocv1.Finding) {
	var sources []policy.Source
	for _, f := range c.Files {
		if d := documents[f.Name]; d.whole() {
			sources = append(sources, policy.Source{Name: f.Name, Set: d.set})
		}
	}
	noise := newNoise(documents)
	var each func(finding.Finding)
	if fixes != nil {
		each = func(f finding.Finding) {
			if isSafe(string(f.Code), f.Fix) && !noise.is(f) {
				d := documents[f.Location.Source]
				fixes.add(f.Location.Source, problem{code: string(f.Code), pos: d.position(f.Location), fix: validText(f.Fix)})
			}
		}
	}
	set, found := policy.CompileAll(each, sources...)
	var findings []*corsprocv1.Finding
	for _, f := range found {
		if !noise.is(f) {
			findings = append(findings, engineFinding(documents, f))
		}
	}
	return set, findings
}

// finding returns what is said of a problem of the file.
func (d *document) finding(p located) *corsprocv1.Finding {
	f := &corsprocv1.Finding{
		Severity: finding.Error.String(),
		Code:     p.code,
		File:     validText(d.file.Name),
		Line:     p.pos.line,
		Column:   p.pos.column,
		Field:    validText(p.path.String()),
		Message:  validText(p.message),
		Fix:      validText(p.fix),
	}
	if p.relatedAt.line > 0 {
		f.Related = &corsprocv1.Location{File: f.File, Line: p.relatedAt.line, Column: p.relatedAt.column, Field: f.Field}
	}
	if d.file.Outside {
		withhold(f)
	}
	return f
}

// engineFinding gives a finding of the engine its line and column.
func engineFinding(documents map[string]*document, f finding.Finding) *corsprocv1.Finding {
	at := documents[f.Location.Source].location(f.Location)
	message := f.Message
	if f.Value != "" {
		message = quote(f.Value) + ": " + message
	}
	found := &corsprocv1.Finding{
		Severity: f.Severity.String(),
		Code:     string(f.Code),
		File:     at.File,
		Line:     at.Line,
		Column:   at.Column,
		Field:    at.Field,
		Message:  validText(message),
		Fix:      validText(f.Fix),
	}
	if f.Related != nil {
		found.Related = documents[f.Related.Source].location(*f.Related)
		if documents[f.Related.Source].file.Outside {
			found.Related.Field = ""
		}
	}
	if documents[f.Location.Source].file.Outside {
		withhold(found)
	}
	return found
}

func (d *document) location(p finding.Location) *corsprocv1.Location {
	d.position(p)
	return d.layout.location(p)
}

// position returns where a place stands.
func (d *document) position(p finding.Location) position {
	if d.layout == nil {
		d.layout = newLayout(d.root, d.walk.spelling)
	}
	return d.layout.find(p.Path, p.Key)
}

// location returns where a place stands.
func (l *layout) location(p finding.Location) *corsprocv1.Location {
	pos := l.find(p.Path, p.Key)
	return &corsprocv1.Location{
		File: validText(p.Source), Line: pos.line, Column: pos.column, Field: validText(p.Path.String()),
	}
}

// validText makes text fit for a protobuf string: names of files and escapes in quotes can be anything.
func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func compareFindings(a, b *corsprocv1.Finding) int {
	return cmp.Or(
		strings.Compare(a.File, b.File),
		cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Column, b.Column),
		strings.Compare(a.Code, b.Code),
		strings.Compare(a.Field, b.Field),
	)
}

// Location returns where a rule of the set stands, nil for the zero rule and for what no file says. The first question
// about a file parses it again: to keep every position for rules that nobody asks for would cost more than the set.
func (r *Result) Location(rule policy.Rule) *corsprocv1.Location {
	place, ok := r.Set.Locate(rule)
	if !ok {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.layouts[place.Source]
	if l == nil {
		i := slices.IndexFunc(r.files, func(f File) bool { return f.Name == place.Source })
		l = newLayout(mustParse(r.files[i]), nil)
		if r.layouts == nil {
			r.layouts = map[string]*layout{}
		}
		r.layouts[place.Source] = l
	}
	return l.location(place)
}
