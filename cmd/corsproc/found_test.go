package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// heldFolders are those whose files TestTestsAreFound looks at, with all that is below them.
var heldFolders = []string{"cmd", "envoy", "internal", "policy", "proto", "server", "tools"}

// testedBy is the line that names the tests of a file which has none of its own name.
var testedBy = regexp.MustCompile(`(?m)^Tested by (.+)\.$`)

// testFile is a file of tests or of test cases: in the same folder, or from the root of the repository.
var testFile = regexp.MustCompile(`[\w./-]+(?:_test\.go|testdata/[\w./-]*)`)

// TestTestsAreFound: whoever reads a file finds what holds it. That is the file of tests of the same name, or what a comment
// above the first declaration names: "Tested by loop_test.go and server/transports_test.go." Files without a function, and
// generated ones, need nothing.
func TestTestsAreFound(t *testing.T) {
	const root = "../.."
	files := 0
	for _, folder := range heldFolders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/testdata/") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			if ast.IsGenerated(file) || !hasFunction(file) {
				return nil
			}
			files++
			base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(path, ".go"), "_linux"), "_other")
			if _, err := os.Stat(base + "_test.go"); err == nil {
				return nil
			}
			named := testedBy.FindStringSubmatch(head(file))
			if named == nil {
				t.Errorf("%s: there is no %s_test.go, and no line says what it is tested by", path, filepath.Base(base))
				return nil
			}
			for _, name := range testFile.FindAllString(named[1], -1) {
				from := filepath.Dir(path)
				if strings.Contains(name, "/") && !strings.HasPrefix(name, "testdata/") {
					from = root
				}
				if _, err := os.Stat(filepath.Join(from, name)); err != nil {
					t.Errorf("%s: it says that it is tested by %s, and there is no such file", path, name)
				}
			}
			if !testFile.MatchString(named[1]) {
				t.Errorf("%s: it is tested by %q, which names no file", path, named[1])
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 100 {
		t.Errorf("only %d files are looked at", files)
	}
}

// hasFunction reports whether a file declares a function that does something.
func hasFunction(file *ast.File) bool {
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil && len(f.Body.List) > 0 {
			return true
		}
	}
	return false
}

// head is the text of the comments between the package clause and the first declaration that imports nothing.
func head(file *ast.File) string {
	end := file.FileEnd
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); !ok || g.Tok != token.IMPORT {
			end = d.Pos()
			break
		}
	}
	var b strings.Builder
	for _, c := range file.Comments {
		if c.Pos() > file.Package && c.End() < end {
			b.WriteString(c.Text())
		}
	}
	return b.String()
}
