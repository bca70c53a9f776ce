package policy_test

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOnlyReads: lint and diff read what is compiled, and change none of it. A set that is in force is theirs to look at.
func TestOnlyReads(t *testing.T) {
	const compiled = module + "policy/internal/compiled"
	for _, room := range []string{"lint", "diff"} {
		dir := filepath.Join("internal", room)
		if writes := writesTo(t, dir, compiled); len(writes) > 0 {
			t.Errorf("%s writes to what is compiled:\n%s", room, strings.Join(writes, "\n"))
		}
	}
	// That a write would be seen: compile does nothing else.
	if n := len(writesTo(t, filepath.Join("internal", "compile"), compiled)); n < 20 {
		t.Errorf("of what compile writes %d places were found", n)
	}
}

// writesTo returns the places of a package that assign to what a type of another package holds.
func writesTo(t *testing.T, dir, owner string) (writes []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(dir, err)
	}
	fset := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", exported(t, dir))}
	if _, err := config.Check(module+"policy/"+filepath.ToSlash(dir), fset, parsed, info); err != nil {
		t.Fatal(err)
	}
	note := func(target ast.Expr) {
		for at := target; ; {
			var inner ast.Expr
			switch e := at.(type) {
			case *ast.SelectorExpr:
				inner = e.X
			case *ast.IndexExpr:
				inner = e.X
			case *ast.StarExpr:
				inner = e.X
			case *ast.ParenExpr:
				inner = e.X
			default:
				return
			}
			of := info.Types[inner].Type
			if pointer, ok := of.(*types.Pointer); ok {
				of = pointer.Elem()
			}
			if named, ok := of.(*types.Named); ok && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == owner {
				writes = append(writes, fset.Position(target.Pos()).String())
				return
			}
			at = inner
		}
	}
	for _, f := range parsed {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, target := range n.Lhs {
					note(target)
				}
			case *ast.IncDecStmt:
				note(n.X)
			case *ast.CallExpr: // what is emptied, and what somebody else gets a pointer to a part of
				if name, ok := n.Fun.(*ast.Ident); ok && (name.Name == "clear" || name.Name == "delete") {
					note(&ast.IndexExpr{X: n.Args[0]})
				}
			}
			return true
		})
	}
	return writes
}

// exported finds what the packages that a package imports export, as the compiler writes it.
func exported(t *testing.T, dir string) func(path string) (io.ReadCloser, error) {
	t.Helper()
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "./"+dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		at[path] = file
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(at[path]) }
}
