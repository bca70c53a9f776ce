package main

// Tested by main_test.go.

import (
	"errors"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"sort"
	"strings"

	"golang.org/x/tools/go/packages"
)

// module is what is declared in a module, and what uses what.
type module struct {
	fset  *token.FileSet
	files map[string]*file // by path
	decls []*decl          // in the order of the packages, and of the files in them
}

// file is a file that people write.
type file struct {
	path  string
	room  string // the package's path without the module's
	lines int
	decls []*decl // in their order
}

// decl is a declaration outside of functions: a function, a method, a type, or a line of constants or variables.
type decl struct {
	name       string // room.Name, room.(*Type).Method
	file       *file
	start, end token.Pos
	lines      int // without the comment above it
	uses       map[*decl]bool
}

// load reads the module in a folder.
func load(dir string) (*module, error) {
	m := &module{fset: token.NewFileSet(), files: map[string]*file{}}
	loaded, err := packages.Load(&packages.Config{Dir: dir, Fset: m.fset, Mode: packages.LoadSyntax | packages.NeedModule}, "./...")
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, p := range loaded {
		for _, e := range p.Errors {
			faults = append(faults, e)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	for _, p := range loaded {
		room, below := strings.CutPrefix(p.PkgPath, p.Module.Path+"/")
		if !below {
			room = p.Name
		}
		for _, syntax := range p.Syntax {
			if !ast.IsGenerated(syntax) {
				m.addFile(room, syntax)
			}
		}
	}
	for _, p := range loaded {
		for name, object := range p.TypesInfo.Uses {
			m.use(name, object)
		}
	}
	return m, nil
}

func (m *module) addFile(room string, syntax *ast.File) {
	whole := m.fset.File(syntax.FileStart)
	f := &file{path: whole.Name(), room: room, lines: whole.LineCount()}
	m.files[f.path] = f
	add := func(name string, node ast.Node) {
		d := &decl{name: room + "." + name, file: f, start: node.Pos(), end: node.End(), uses: map[*decl]bool{}}
		d.lines = m.fset.Position(d.end).Line - m.fset.Position(d.start).Line + 1
		f.decls = append(f.decls, d)
		m.decls = append(m.decls, d)
	}
	for _, d := range syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				receiver := types.ExprString(d.Recv.List[0].Type)
				if strings.HasPrefix(receiver, "*") {
					receiver = "(" + receiver + ")"
				}
				name = receiver + "." + name
			}
			add(name, d)
		case *ast.GenDecl:
			if d.Tok == token.CONST && len(d.Specs) > 0 && len(d.Specs[len(d.Specs)-1].(*ast.ValueSpec).Values) == 0 {
				add(d.Specs[0].(*ast.ValueSpec).Names[0].Name, d) // iota: what each is depends on those above
				continue
			}
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					add(spec.Name.Name, spec)
				case *ast.ValueSpec:
					add(spec.Names[0].Name, spec)
				}
			}
		}
	}
}

// at returns the declaration that a position is in, nil where that is none of the module's.
func (m *module) at(pos token.Pos) *decl {
	whole := m.fset.File(pos)
	if whole == nil || m.files[whole.Name()] == nil {
		return nil
	}
	decls := m.files[whole.Name()].decls
	i := sort.Search(len(decls), func(i int) bool { return decls[i].end > pos })
	if i == len(decls) || decls[i].start > pos {
		return nil
	}
	return decls[i]
}

// use takes note of the use of an object.
func (m *module) use(name *ast.Ident, object types.Object) {
	if _, isPackage := object.(*types.PkgName); isPackage {
		return
	}
	from, to := m.at(name.Pos()), m.at(object.Pos())
	if from != nil && to != nil && from != to {
		from.uses[to] = true
	}
}

// find returns the declaration of that name: of the whole, or of its end behind a slash.
func (m *module) find(name string) []*decl {
	return slices.Collect(func(yield func(*decl) bool) {
		for _, d := range m.decls {
			if (d.name == name || strings.HasSuffix(d.name, "/"+name)) && !yield(d) {
				return
			}
		}
	})
}
