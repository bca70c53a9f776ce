package policy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/corsproc/corsproc/"

// mayImport says which of our rooms a room may import, itself and rooms below it not counted. A room that is not here
// has to be entered before it can be built. Tests may import more.
var mayImport = map[string][]string{
	"proto/corsproc/v1/corsprocv1connect": {"proto/corsproc/v1"}, // generated

	"internal/fault":                  {},
	"internal/disk":                   {"internal/fault"},
	"internal/aside":                  {"internal/fault"},
	"internal/parse":                  {},
	"proto/corsproc/v1":               {},
	"proto/schemagen":                 {},
	"policy":                          {"policy/finding", "policy/internal/compile", "policy/internal/compiled", "policy/internal/diff", "policy/internal/fetch", "policy/internal/lint", "policy/internal/match", "policy/internal/origin", "policy/internal/regex", "proto/corsproc/v1"},
	"policy/finding":                  {},
	"policy/internal/fetch":           {},
	"policy/internal/junit":           {},
	"policy/internal/origin":          {"policy/internal/fetch"},
	"policy/internal/regex":           {"policy/internal/origin"},
	"policy/internal/match":           {"policy/internal/fetch", "policy/internal/origin"},
	"policy/internal/compiled":        {"policy/internal/fetch", "policy/internal/match", "policy/internal/origin", "policy/internal/regex"},
	"policy/internal/compile":         {"policy/finding", "policy/internal/compiled", "policy/internal/fetch", "policy/internal/match", "policy/internal/origin", "policy/internal/regex", "proto/corsproc/v1"},
	"policy/internal/lint":            {"policy/finding", "policy/internal/compile", "policy/internal/compiled", "policy/internal/fetch", "policy/internal/match", "policy/internal/origin", "policy/internal/regex", "proto/corsproc/v1"},
	"policy/internal/diff":            {"policy/internal/compiled", "policy/internal/fetch", "policy/internal/match", "policy/internal/origin", "policy/internal/regex"},
	"policy/policyfile":               {"policy", "policy/finding", "policy/printable", "proto/corsproc/v1"},
	"policy/policydir":                {"policy/policyfile", "internal/disk"},
	"policy/casetable":                {"policy"},
	"policy/growth":                   {}, // for tests
	"policy/browser":                  {"policy", "policy/internal/fetch", "policy/internal/origin", "proto/corsproc/v1"},
	"policy/printable":                {},
	"policy/browser/chromium":         {}, // for tests
	"policy/policytest":               {"policy", "policy/finding", "policy/internal/junit", "policy/policydir", "policy/policyfile", "policy/printable", "policy/browser", "proto/corsproc/v1"},
	"policy/draft":                    {"policy/printable", "proto/corsproc/v1"},
	"policy/convert":                  {"policy/convert/internal/build", "policy/convert/internal/envoy", "policy/convert/internal/gateway", "policy/convert/internal/istio", "policy/convert/internal/nginx", "policy/convert/internal/source"},
	"policy/convert/internal/source":  {},
	"policy/convert/internal/build":   {"policy/convert/internal/source", "policy", "policy/draft", "policy/finding", "policy/internal/match", "policy/internal/origin", "policy/policyfile", "policy/printable", "proto/corsproc/v1"},
	"policy/convert/internal/kube":    {"policy/convert/internal/source"},
	"policy/convert/internal/envoy":   {"policy/convert/internal/source", "policy/convert/internal/build", "policy", "policy/internal/fetch", "policy/printable", "proto/corsproc/v1"},
	"policy/convert/internal/istio":   {"policy/convert/internal/source", "policy/convert/internal/build", "policy/convert/internal/kube", "policy/convert/internal/envoy", "policy/internal/fetch", "policy/printable", "proto/corsproc/v1"},
	"policy/convert/internal/gateway": {"policy/convert/internal/source", "policy/convert/internal/build", "policy/convert/internal/kube", "policy", "policy/finding", "policy/internal/fetch", "policy/printable", "proto/corsproc/v1"},
	"policy/convert/internal/nginx":   {"policy/convert/internal/source", "policy/convert/internal/build", "policy/convert/internal/kube", "policy/printable", "proto/corsproc/v1"},
	"policy/learn":                    {"policy", "policy/browser", "policy/draft", "policy/finding", "policy/internal/fetch", "policy/internal/origin", "policy/printable", "proto/corsproc/v1"},
	"policy/verify":                   {"policy", "policy/browser", "policy/finding", "policy/internal/fetch", "policy/internal/junit", "policy/internal/origin", "policy/internal/regex", "policy/printable", "proto/corsproc/v1"},
	"server/extproc":                  {"policy"},
	"server/loop":                     {"server/extproc"},
	"server/grpcgo":                   {"server/extproc", "server/loop"},
	"server/tracing":                  {"policy", "server/extproc"},
	"server/logs":                     {"policy", "policy/printable", "proto/corsproc/v1"},
	"server/logtest":                  {}, // for tests
	"server/certs":                    {"policy/printable", "internal/disk", "server/logs"},
	// Of the rooms of server that it imports, it knows the words for what it counts and keeps.
	"server/admin":   {"server/extproc", "server/logs", "server/certs", "policy", "policy/finding", "policy/printable", "policy/policydir", "policy/policyfile", "policy/browser", "proto/corsproc/v1", "proto/corsproc/v1/corsprocv1connect"},
	"server/tlstest": {},
	"server":         {"internal/aside", "internal/fault", "server/extproc", "server/loop", "server/grpcgo", "server/tracing", "server/admin", "server/logs", "server/certs", "policy", "policy/finding", "policy/policydir", "policy/policyfile", "proto/corsproc/v1"},
	"cmd/corsproc":   {"server", "server/logs", "server/certs", "internal/disk", "internal/parse", "policy", "policy/finding", "policy/policydir", "policy/policyfile", "policy/browser", "policy/policytest", "policy/convert", "policy/learn", "policy/verify", "policy/printable", "proto/corsproc/v1"},
	// The module is the program inside Envoy. Nothing imports it.
	"envoy/module":           {"internal/aside", "internal/parse", "policy", "policy/finding", "policy/policydir", "policy/policyfile", "proto/corsproc/v1", "server/logs"},
	"envoy/module/fakeenvoy": {}, // for tests
	"envoy":                  {}, // and every other room below it; they drive the built program and know nothing of its inside
}

// mayDepend says what else rooms may import beside the standard library, where that is held.
var mayDepend = map[string][]string{
	"policy":                   {},
	"policy/finding":           {},
	"policy/internal/fetch":    {},
	"policy/internal/junit":    {},
	"policy/internal/origin":   {"golang.org/x/net/idna", "golang.org/x/net/publicsuffix"},
	"policy/internal/regex":    {},
	"policy/internal/match":    {"golang.org/x/net/idna"},
	"policy/internal/compiled": {},
	"policy/internal/compile":  {"connectrpc.com/cors"},
	"policy/internal/lint":     {"golang.org/x/net/publicsuffix"},
	"policy/internal/diff":     {},
}

// mustNotKnow says which packages of the standard library are not for a room.
var mustNotKnow = map[string][]string{
	"policy":                   {"fmt", "regexp", "regexp/syntax"}, // deciding formats nothing and parses nothing
	"policy/internal/compiled": {"fmt", "regexp/syntax"},
	"policy/internal/fetch":    {"fmt", "regexp", "regexp/syntax"},
	"policy/internal/junit":    {},
	"policy/internal/match":    {"fmt", "regexp", "regexp/syntax"},
}

// askNothing are rooms that ask the system for nothing: they work in WebAssembly, and on bytes from wherever they come.
var askNothing = []string{"policy/policyfile", "policy/browser", "policy/convert", "policy/draft", "policy/learn", "policy/verify"}

// TestAskNothing looks through askNothing and all rooms that they import, as they are built for WebAssembly.
func TestAskNothing(t *testing.T) {
	args := []string{"list", "-deps", "-f", `{{if .Module}}{{.Dir}} {{.ImportPath}} {{join .GoFiles " "}}{{end}}`}
	for _, room := range askNothing {
		args = append(args, module+room)
	}
	list := exec.Command("go", args...)
	list.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	var stderr strings.Builder
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	rooms := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		room, ours := strings.CutPrefix(fields[1], module)
		if !ours {
			continue
		}
		rooms++
		for _, name := range fields[2:] {
			for _, asked := range systemUses(t, filepath.Join(fields[0], name)) {
				t.Errorf("%s/%s uses %s", room, name, asked)
			}
		}
	}
	if rooms < 15 {
		t.Errorf("only %d rooms were looked at", rooms)
	}
}

// systemUses returns what of a file of Go asks the system: imports, and the functions of path/filepath that are about
// more than text.
func systemUses(t *testing.T, path string) (uses []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range f.Imports {
		name := strings.Trim(i.Path.Value, `"`)
		first, _, _ := strings.Cut(name, "/")
		if first == "os" || first == "syscall" || name == "net" || strings.HasPrefix(name, "net/http") ||
			strings.HasPrefix(name, "golang.org/x/sys") || strings.Contains(name, "fsnotify") {
			uses = append(uses, name)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			x, ok := s.X.(*ast.Ident)
			if ok && x.Name == "filepath" && slices.Contains([]string{"Abs", "EvalSymlinks", "Glob", "Walk", "WalkDir"}, s.Sel.Name) {
				uses = append(uses, "filepath."+s.Sel.Name)
			}
		}
		return true
	})
	return uses
}

// TestImportDirections holds the direction in which the rooms of the house import each other.
func TestImportDirections(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	rooms := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		room := strings.TrimPrefix(fields[0], module)
		allowed, known := mayImport[room]
		if !known && strings.HasPrefix(room, "envoy/") {
			room = "envoy"
			allowed, known = mayImport[room]
		}
		if !known {
			t.Errorf("%s: no rule says what this room may import", room)
			continue
		}
		rooms++
		for _, imported := range fields[1:] {
			ours, ok := strings.CutPrefix(imported, module)
			if others, held := mayDepend[room]; held && !ok && strings.Contains(imported, ".") && !slices.Contains(others, imported) {
				t.Errorf("%s imports %s", room, imported)
			}
			if slices.Contains(mustNotKnow[room], imported) {
				t.Errorf("%s imports %s, which it must not know", room, imported)
			}
			if ok && !slices.Contains(allowed, ours) && !(room == "envoy" && strings.HasPrefix(ours, "envoy/")) {
				t.Errorf("%s imports %s, which is not its direction", room, ours)
			}
		}
	}
	if rooms < 8 {
		t.Errorf("only %d rooms were looked at", rooms)
	}
}
