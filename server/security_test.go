package server

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	// quoted is a name, a file or a setting in the table of limits.
	quoted = regexp.MustCompile("`([^`]+)`")
	// quantity is a number, and what it counts where that changes it.
	quantity = regexp.MustCompile(`(\d{1,3}(?:,\d{3})+|\d+)(?: (MiB|KiB|min|s)\b)?`)
	// cConstant is a constant of C, of an enumeration or a macro, and its expression.
	cConstant = regexp.MustCompile(`\b([A-Z][A-Z0-9_]*) (?:= )?\(?(\d[\d <]*)`)
	// aTest is the name of a test.
	aTest = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`")
)

// TestTableOfLimits holds SECURITY.md's table: every constant that it names is in that file and has that value, and every line
// names a test that there is.
func TestTableOfLimits(t *testing.T) {
	text, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t)
	for _, m := range aTest.FindAllStringSubmatch(string(text), -1) {
		if !tests[m[1]] {
			t.Errorf("SECURITY.md names %s, and there is no such test", m[1])
		}
	}
	_, table, _ := strings.Cut(string(text), "| limit | value | protects from |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	constants := 0
	for i, line := range strings.Split(table, "\n") {
		if i == 0 {
			continue // the rule below the head
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 3 {
			t.Errorf("%d cells: %s", len(cells), line)
			continue
		}
		about, value, why := cells[0], cells[1], cells[2]
		if !aTest.MatchString(why) {
			t.Errorf("no test is named: %s", line)
		}
		var values []string
		for _, m := range quantity.FindAllStringSubmatch(value, -1) {
			values = append(values, fmt.Sprint(amount(m[1], m[2])))
		}
		var names []string
		for _, m := range quoted.FindAllStringSubmatch(about, -1) {
			if !strings.Contains(m[1], "/") {
				if !strings.HasPrefix(m[1], "--") {
					names = append(names, m[1])
				}
				continue
			}
			defined := constantsOf(t, filepath.Join("..", m[1]))
			for _, name := range names {
				constants++
				got, ok := defined[name]
				if !ok || len(values) == 0 || fmt.Sprint(got) != values[0] {
					t.Errorf("%s in %s: %d (there: %v), the table says %v", name, m[1], got, ok, values)
				}
				if len(values) > 1 { // otherwise it is that of all
					values = values[1:]
				}
			}
			names = nil
		}
		if len(names) > 0 {
			t.Errorf("no file is named for %v", names)
		}
	}
	if constants < 40 {
		t.Errorf("only %d constants are looked at", constants)
	}
}

// amount is a number in bytes, nanoseconds or pieces.
func amount(number, unit string) int64 {
	n, err := strconv.ParseInt(strings.ReplaceAll(number, ",", ""), 10, 64)
	if err != nil {
		panic(err) // of the expression
	}
	return n * map[string]int64{"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "s": int64(time.Second), "min": int64(time.Minute)}[unit]
}

// constantsOf returns the whole numbers that a file names.
func constantsOf(t *testing.T, path string) map[string]int64 {
	t.Helper()
	if filepath.Ext(path) == ".c" {
		return constantsOfC(t, path)
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int64{"time.Second": int64(time.Second), "time.Minute": int64(time.Minute), "time.Hour": int64(time.Hour)}
	for _, imported := range file.Imports {
		// Of what it imports from our packages, those that need nothing else.
		_, dir, ours := strings.Cut(strings.Trim(imported.Path.Value, `"`), "corsproc/corsproc/")
		files, _ := filepath.Glob(filepath.Join("..", dir, "*.go"))
		for _, f := range files {
			if ours && !strings.HasSuffix(f, "_test.go") {
				addConstants(t, f, filepath.Base(dir)+".", found)
			}
		}
	}
	addConstants(t, path, "", found)
	return found
}

// constantsOfC does so with a file of C, whose expressions of numbers and shifts are Go's too.
func constantsOfC(t *testing.T, path string) map[string]int64 {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int64{}
	for _, m := range cConstant.FindAllStringSubmatch(string(text), -1) {
		if e, err := parser.ParseExpr(strings.TrimSpace(m[2])); err == nil {
			if v, ok := number(e, nil); ok {
				found[m[1]] = v
			}
		}
	}
	return found
}

// addConstants adds those of a file to found, with a prefix to their names.
func addConstants(t *testing.T, path, prefix string, found map[string]int64) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for i, name := range spec.Names {
				if i < len(spec.Values) {
					if v, ok := number(spec.Values[i], found); ok {
						found[prefix+name.Name] = v
					}
				}
			}
		}
		return true
	})
}

// number is the value of an expression of literals, durations and constants that stand before it in the file.
func number(e ast.Expr, known map[string]int64) (int64, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		v, err := strconv.ParseInt(e.Value, 0, 64)
		return v, err == nil
	case *ast.Ident:
		v, ok := known[e.Name]
		return v, ok
	case *ast.SelectorExpr:
		if of, ok := e.X.(*ast.Ident); ok {
			v, ok := known[of.Name+"."+e.Sel.Name]
			return v, ok
		}
	case *ast.CallExpr: // a place in a queue of so many turns, or a conversion
		if len(e.Args) == 0 {
			return 0, false
		}
		return number(e.Args[len(e.Args)-1], known)
	case *ast.BinaryExpr:
		a, okA := number(e.X, known)
		b, okB := number(e.Y, known)
		switch e.Op {
		case token.ADD:
			return a + b, okA && okB
		case token.MUL:
			return a * b, okA && okB
		case token.SHL:
			return a << b, okA && okB
		}
	}
	return 0, false
}

// testNames are the names of all tests of the repository.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	names := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != ".." {
			if err == nil {
				err = fs.SkipDir
			}
			return err
		}
		if strings.HasSuffix(path, "_test.go") {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, m := range declared.FindAllSubmatch(text, -1) {
				names[string(m[1])] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
