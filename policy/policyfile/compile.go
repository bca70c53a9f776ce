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
	Set      *policy.Set          // nil if any finding is an error
	Findings []finding.Diagnostic // of all files, sorted by file, line and column
	Hash     string               // the content's

	files   []File
	origins []OriginFile

	mu      sync.Mutex
	layouts map[string]*layout        // by file; made when the first rule in a file is asked for
	lines   map[string]*linePositions // the same of files of origins
}

// document is a file while its content is compiled.
type document struct {
	file   *File
	parsed bool       // the file could be parsed
	root   *yaml.Node // nil if not, and of a document that is condensed
	walk   *walk
	set    *corsprocv1.PolicySet
	layout *layout // nil until a position is asked for

	isOrigins bool // it is no policy file, but one of origins
	origins   []string
	lines     *linePositions // nil until a position is asked for
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
	r := &Result{Hash: c.Hash, files: c.Files, origins: c.Origins}
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
	r.Findings = append(r.Findings, c.addOrigins(documents)...)
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
func (c *Content) compile(documents map[string]*document, fixes *corrections) (*policy.Set, []finding.Diagnostic) {
	var sources []policy.Source
	seen := origins{named: map[string]bool{}}
	for _, f := range c.Files {
		if d := documents[f.Name]; d.whole() {
			sources = append(sources, policy.Source{Name: f.Name, Set: d.set, Origins: c.originsOf(documents, d, &seen)})
		}
	}
	noise := newNoise(documents)
	var each func(finding.Finding)
	if fixes != nil {
		each = func(f finding.Finding) {
			// What a program writes into a file of origins it would write again.
			if d := documents[f.Location.Source]; isSafe(f.Code, f.Fix) && !d.isOrigins && !noise.is(f) {
				fixes.add(f.Location.Source, problem{code: f.Code, pos: d.position(f.Location), fix: validText(f.Fix)})
			}
		}
	}
	set, found := policy.CompileAll(each, sources...)
	var findings []finding.Diagnostic
	for _, f := range found {
		noise.see(f)
	}
	for _, f := range found {
		if !noise.is(f) {
			findings = append(findings, engineFinding(documents, f))
		}
	}
	return set, findings
}

// finding returns what is said of a problem of the file.
func (d *document) finding(p located) finding.Diagnostic {
	f := finding.Diagnostic{
		Severity: finding.Error,
		Code:     p.code,
		Position: finding.Position{
			File: validText(d.file.Name), Line: p.pos.line, Column: p.pos.column, Field: validText(p.path.String()),
		},
		Message: validText(p.message),
		Fix:     validText(p.fix),
	}
	if p.relatedAt.line > 0 {
		f.Related = &finding.Position{File: f.File, Line: p.relatedAt.line, Column: p.relatedAt.column, Field: f.Field}
	}
	if d.file.Outside {
		withhold(&f)
	}
	return f
}

// engineFinding gives a finding of the engine its line and column.
func engineFinding(documents map[string]*document, f finding.Finding) finding.Diagnostic {
	message := f.Message
	if f.Value != "" {
		message = quote(f.Value) + ": " + message
	}
	found := finding.Diagnostic{
		Severity: f.Severity,
		Code:     f.Code,
		Position: documents[f.Location.Source].shown(f.Location),
		Message:  validText(message),
		Fix:      validText(f.Fix),
	}
	if f.Related != nil {
		related := documents[f.Related.Source].shown(*f.Related)
		if documents[f.Related.Source].file.Outside {
			related.Field = ""
		}
		found.Related = &related
	}
	if documents[f.Location.Source].file.Outside {
		withhold(&found)
	}
	return found
}

// shown returns where a place stands, as people look for it.
func (d *document) shown(p finding.Location) finding.Position {
	pos := d.position(p)
	if d.isOrigins {
		return d.lines.shown(p)
	}
	return finding.Position{File: validText(p.Source), Line: pos.line, Column: pos.column, Field: validText(p.Path.String())}
}

// position returns where a place stands.
func (d *document) position(p finding.Location) position {
	if d.isOrigins {
		if d.lines == nil {
			d.lines = newLinePositions(d.file)
		}
		return d.lines.find(p.Path)
	}
	if d.layout == nil {
		d.layout = newLayout(d.root, d.walk.spelling)
	}
	return d.layout.find(p.Path, p.Key)
}

// shown returns where a place stands, as people look for it.
func (l *layout) shown(p finding.Location) finding.Position {
	pos := l.find(p.Path, p.Key)
	return finding.Position{
		File: validText(p.Source), Line: pos.line, Column: pos.column, Field: validText(p.Path.String()),
	}
}

// validText makes text fit for a protobuf string: names of files and escapes in quotes can be anything.
func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func compareFindings(a, b finding.Diagnostic) int {
	return cmp.Or(
		strings.Compare(a.File, b.File),
		cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Column, b.Column),
		cmp.Compare(a.Code, b.Code),
		strings.Compare(a.Field, b.Field),
	)
}

// Where returns where a rule stands as file:line:column. It is empty if the rule is of another set, or if no file says it.
func (r *Result) Where(set *policy.Set, rule policy.Rule) string {
	if r.Set != set {
		return ""
	}
	l := r.Location(rule)
	if l == nil {
		return ""
	}
	return finding.Position{File: l.GetFile(), Line: l.GetLine(), Column: l.GetColumn()}.FileLine()
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
	if i := slices.IndexFunc(r.origins, func(f OriginFile) bool { return f.Name == place.Source }); i >= 0 {
		l := r.lines[place.Source]
		if l == nil {
			l = newLinePositions(&r.origins[i].File)
			if r.lines == nil {
				r.lines = map[string]*linePositions{}
			}
			r.lines[place.Source] = l
		}
		return locationMessage(l.shown(place))
	}
	l := r.layouts[place.Source]
	if l == nil {
		i := slices.IndexFunc(r.files, func(f File) bool { return f.Name == place.Source })
		l = newLayout(mustParse(r.files[i]), nil)
		if r.layouts == nil {
			r.layouts = map[string]*layout{}
		}
		r.layouts[place.Source] = l
	}
	return locationMessage(l.shown(place))
}
