package policyfile

// Tested by fix_test.go and testdata/fixes.yaml.

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/corsproc/corsproc/policy/finding"
	"go.yaml.in/yaml/v4"
)

// corrections are the safe fixes of a content. Findings are told up to a number that somebody reads; of corrections there
// are as many as there are faults, so that all of them are written in one go.
type corrections struct {
	documents []*document
	fixes     map[string][]problem // by the file's name; of each only the code, the position and the fix
}

// isSafe reports whether a fix may be written without asking.
func isSafe(code finding.Code, fix string) bool {
	e := Explain(code)
	return fix != "" && e != nil && e.SafeFix
}

// of returns what takes the problems of a document; nil where nobody wants them.
func (c *corrections) of(d *document) func(problem) {
	if c == nil {
		return nil
	}
	c.documents = append(c.documents, d)
	return func(p problem) {
		if p.fix = validText(p.fix); isSafe(p.code, p.fix) {
			c.add(d.file.Name, p)
		}
	}
}

func (c *corrections) add(file string, p problem) {
	if c.fixes == nil {
		c.fixes = map[string][]problem{}
	}
	c.fixes[file] = append(c.fixes[file], problem{code: p.code, pos: p.pos, fix: p.fix})
}

// addAll adds what findings say.
func (c *corrections) addAll(findings []finding.Diagnostic) {
	if c == nil {
		return
	}
	for _, f := range findings {
		i := slices.IndexFunc(c.documents, func(d *document) bool { return validText(d.file.Name) == f.File })
		if i >= 0 && isSafe(f.Code, f.Fix) {
			c.add(c.documents[i].file.Name, problem{code: f.Code, pos: position{f.Line, f.Column}, fix: f.Fix})
		}
	}
}

// write returns the files with all corrections that can be written at once, and how many these are. What lies outside of the
// directory of the policies is not ours to correct.
func (c *corrections) write(files []File) (fixed []File, n int) {
	fixed = slices.Clone(files)
	for i, d := range c.documents { // in the order of the files
		if fixes := c.fixes[d.file.Name]; len(fixes) > 0 && !d.file.Outside {
			w := fileWriter{file: files[i], fixes: fixes}
			fixed[i].Data = w.write(d.root)
			n += w.n
		}
	}
	return fixed, n
}

// A fileWriter writes fixes into a file, in one go through the file, the fixes and the nodes.
type fileWriter struct {
	file  File
	fixes []problem // that are left
	n     int       // that are written

	lines fileLines
	bom   int
	data  []byte
	end   int // of what is copied
}

// write returns the file with its fixes. root is that of its document; nil: it cannot be parsed.
func (w *fileWriter) write(root *yaml.Node) []byte {
	slices.SortStableFunc(w.fixes, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.pos.line, b.pos.line), cmp.Compare(a.pos.column, b.pos.column), cmp.Compare(a.code, b.code))
	})
	w.bom = len(w.file.Data) - len(bytes.TrimPrefix(w.file.Data, []byte("\uFEFF")))
	w.lines = fileLines{data: w.file.Data[w.bom:]}
	w.data = make([]byte, 0, len(w.file.Data))
	if root != nil {
		w.walk(root)
	}
	for ; len(w.fixes) > 0; w.fixes = w.fixes[1:] {
		w.fix(nil)
	}
	return append(w.data, w.file.Data[w.end:]...)
}

// walk writes the fixes of the scalars of a document, keys too, which stand in the order of the text.
func (w *fileWriter) walk(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		at := nodePosition(n)
		for ; len(w.fixes) > 0 && !at.before(w.fixes[0].pos); w.fixes = w.fixes[1:] {
			if w.fixes[0].pos == at {
				w.fix(n)
			} else {
				w.fix(nil)
			}
		}
	}
	for _, c := range n.Content {
		w.walk(c)
	}
}

// fix writes the next fix, of what stands in a node; nil: in none.
func (w *fileWriter) fix(n *yaml.Node) {
	f := &w.fixes[0]
	w.lines.from(int(f.pos.line), int(f.pos.column))
	offset := w.bom + w.lines.offset
	if offset < w.end {
		return // a fix of the same value is written already; the next round sees what is left
	}
	token, replacement, ok := fixValue(w.file, offset, n, f)
	if !ok {
		return
	}
	w.data = append(append(w.data, w.file.Data[w.end:offset]...), replacement...)
	w.end = offset + len(token)
	w.n++
}
