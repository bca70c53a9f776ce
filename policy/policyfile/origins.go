package policyfile

// Tested by origins_test.go and policy/policydir/origins_test.go.

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/finding"
)

// MaxOrigins is how many patterns a file of origins may hold. Who has more has several files.
const MaxOrigins = 1_000_000

// lineBlanks are what may stand around the pattern of a line.
const lineBlanks = " \t\r"

// An OriginFile is a file of origin patterns that a policy file names in origin_files, as it was read.
type OriginFile struct {
	File
	// Fault says, for people, why the file cannot be read or must not be; empty: it was read. There is no data then.
	Fault string
}

// OriginPaths returns the paths of files of origins that a policy file names, as they are written, each once. Of a file that
// cannot be parsed there are none.
func OriginPaths(f File) (paths []string) {
	if !bytes.Contains(f.Data, []byte("origin_f")) {
		return nil // as nearly all are, and to parse a large file takes seconds
	}
	root, _ := parse(f)
	if root == nil || root.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if files := root.Content[i+1]; strings.HasPrefix(root.Content[i].Value, "origin_f") && files.Kind == yaml.MappingNode {
			for j := 1; j < len(files.Content); j += 2 {
				if n := files.Content[j]; n.Kind == yaml.ScalarNode {
					paths = append(paths, n.Value)
				}
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// OriginName returns the name of a file of origins that a policy file names by a path, or what is wrong with the path. From
// standard input paths go from the working directory.
func OriginName(policyFile, path string) (name, fault string) {
	switch {
	case path == "" || strings.HasSuffix(path, "/") || filepath.Clean(path) == ".":
		return "", "the path of a file is wanted here, relative to this one"
	case filepath.IsAbs(path) || path[0] == '/':
		return "", "the path is relative to this file: an absolute one is not taken"
	case slices.Contains(strings.Split(path, "/"), "..") || !filepath.IsLocal(path):
		return "", "the file stands below the directory of this one: \"..\" is not taken"
	case strings.ContainsRune(path, 0):
		return "", "no file has such a name"
	}
	return filepath.Join(filepath.Dir(policyFile), path), ""
}

// parseOrigins returns the lines of a file of origins: each a pattern, or empty. A file without a pattern and without a comment
// is what an export that failed leaves, and most leave a newline behind.
func parseOrigins(f File) (lines []string, p *problem) {
	data := bytes.TrimPrefix(f.Data, []byte("\uFEFF"))
	if len(bytes.Trim(data, lineBlanks+"\n")) == 0 {
		return nil, &problem{code: CodeEmptyFile, pos: wholeFile, message: "the file is empty; one that is to name nobody says so in a comment: # nobody"}
	}
	if p := checkCharacters(f.Data, data, nil); p != nil {
		return nil, p
	}
	lines = make([]string, 0, bytes.Count(data, []byte{'\n'})+1)
	count := 0
	for line := range strings.SplitSeq(string(data), "\n") {
		line = strings.Trim(line, lineBlanks)
		if i := strings.IndexByte(line, '#'); i == 0 || i > 0 && (line[i-1] == ' ' || line[i-1] == '\t') {
			line = strings.TrimRight(line[:i], " \t")
		}
		if line != "" {
			if count++; count > MaxOrigins {
				return nil, &problem{code: CodeFileTooLarge, pos: position{int32(len(lines) + 1), 1},
					message: fmt.Sprintf("the file has more than %d origins", MaxOrigins)}
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// linePositions knows where the lines of a file of origins begin.
type linePositions struct {
	data   []byte
	starts []int32
}

func newLinePositions(f *File) *linePositions {
	l := &linePositions{data: bytes.TrimPrefix(f.Data, []byte("\uFEFF")), starts: []int32{0}}
	for i, c := range l.data {
		if c == '\n' {
			l.starts = append(l.starts, int32(i+1))
		}
	}
	return l
}

// find returns where the pattern of a line begins, by its path; of the file as a whole its beginning.
func (l *linePositions) find(path finding.Path) position {
	i, ok := path.LastIndex()
	if !ok || i >= len(l.starts) {
		return wholeFile
	}
	line, _ := cutLine(l.data[l.starts[i]:])
	return position{int32(i + 1), int32(utf8.RuneCount(textLine(line).blanks()) + 1)}
}

// shown returns where a place stands, as people look for it: the line says which it is, and the field of which set.
func (l *linePositions) shown(p finding.Location) finding.Position {
	pos := l.find(p.Path)
	set, _, _ := strings.Cut(string(p.Path), "\x01")
	return finding.Position{File: validText(p.Source), Line: pos.line, Column: pos.column, Field: validText(finding.Path(set).String())}
}

// Origins yields the names of the files of origins of the content, also of those that could not be read.
func (r *Result) Origins() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, f := range r.origins {
			if !yield(f.Name) {
				return
			}
		}
	}
}

// blanks returns what a line begins with before its text.
func (l textLine) blanks() []byte { return l[:len(l)-len(bytes.TrimLeft(l, " \t"))] }

// addOrigins adds the documents of the files of origins, and returns what is wrong with them.
func (c *Content) addOrigins(documents map[string]*document) (findings []finding.Diagnostic) {
	for i := range c.Origins {
		f := &c.Origins[i]
		if documents[f.Name] != nil || f.Fault != "" {
			continue
		}
		d := &document{file: &f.File, parsed: true, walk: new(walk), isOrigins: true}
		documents[f.Name] = d
		var p *problem
		if d.origins, p = parseOrigins(f.File); p != nil {
			findings = append(findings, d.finding(located{problem: *p}))
		}
	}
	return findings
}

// origins are the files of origins that sets have been made of. Each name is a set of its own, also of a file that has had one.
type origins struct {
	named map[string]bool
	again int // lines of files under further names
}

// originsOf returns what the files hold that a document names.
func (c *Content) originsOf(documents map[string]*document, d *document, seen *origins) map[string]policy.OriginFile {
	named := d.set.GetOriginFiles()
	if len(named) == 0 {
		return nil
	}
	all := make(map[string]policy.OriginFile, len(named))
	for _, set := range slices.Sorted(maps.Keys(named)) {
		if d.walk.refused[finding.Path("").Name("origin_files").Name(set)] {
			all[set] = policy.OriginFile{Name: d.file.Name}
			continue
		}
		of := c.originFile(documents, d, named[set])
		if text := documents[of.Name]; text != nil && text.isOrigins {
			if seen.named[of.Name] {
				seen.again += len(of.Lines)
			}
			seen.named[of.Name] = true
			if seen.again > maxEntries {
				of = policy.OriginFile{Name: d.file.Name, Fault: fmt.Sprintf("the file has other names too, and with this one such files have more than %d lines: refer to one name of it", maxEntries)}
			}
		}
		all[set] = of
	}
	return all
}

func (c *Content) originFile(documents map[string]*document, d *document, path string) policy.OriginFile {
	name, fault := OriginName(d.file.Name, path)
	if fault != "" {
		return policy.OriginFile{Name: d.file.Name, Fault: fault}
	}
	if of := documents[name]; of != nil {
		if !of.isOrigins {
			return policy.OriginFile{Name: d.file.Name, Fault: "this is a policy file itself; a file of origins has a pattern a line"}
		}
		return policy.OriginFile{Name: name, Lines: of.origins}
	}
	if i := slices.IndexFunc(c.Origins, func(f OriginFile) bool { return f.Name == name }); i >= 0 {
		return policy.OriginFile{Name: d.file.Name, Fault: c.Origins[i].Fault}
	}
	if len(d.walk.problems) > 0 { // its key may be mistyped, so that nobody looked for it
		return policy.OriginFile{Name: d.file.Name}
	}
	return policy.OriginFile{Name: d.file.Name, Fault: "this file does not exist"}
}
