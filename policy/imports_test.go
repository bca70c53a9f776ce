package policy_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/corsproc/corsproc/"

// mayImport says which of our rooms a room may import, itself and rooms below it not counted. A room that is not here
// has to be entered before it can be built. Tests may import more.
var mayImport = map[string][]string{
	"proto/corsproc/v1/corsprocv1connect": {"proto/corsproc/v1"}, // generated

	"internal/disk":           {},
	"proto/corsproc/v1":       {},
	"proto/schemagen":         {},
	"policy":                  {"proto/corsproc/v1"},
	"policy/policyfile":       {"policy", "policy/printable", "proto/corsproc/v1", "internal/disk"},
	"policy/casetable":        {"policy"},
	"policy/growth":           {}, // for tests
	"policy/printable":        {},
	"policy/browser":          {"policy", "proto/corsproc/v1"},
	"policy/browser/chromium": {}, // for tests
	"policy/draft":            {"policy/printable", "proto/corsproc/v1"},
	"policy/convert":          {"policy", "policy/draft", "policy/policyfile", "policy/printable", "proto/corsproc/v1"},
	"policy/policytest":       {"policy", "policy/policyfile", "policy/printable", "policy/browser", "proto/corsproc/v1"},
	"server/extproc":          {"policy"},
	"server/loop":             {"server/extproc"},
	"server/grpcgo":           {"server/extproc", "server/loop"},
	"server/tracing":          {"policy", "server/extproc"},
	"server/admin":            {"policy", "policy/policyfile", "policy/browser", "proto/corsproc/v1", "proto/corsproc/v1/corsprocv1connect"},
	"server/tlstest":          {},
	"server":                  {"server/extproc", "server/loop", "server/grpcgo", "server/tracing", "server/admin", "policy", "policy/policyfile", "policy/printable", "proto/corsproc/v1", "internal/disk"},
	"cmd/corsproc":            {"server", "internal/disk", "policy", "policy/policyfile", "policy/browser", "policy/policytest", "policy/convert", "policy/printable", "proto/corsproc/v1"},
	"envoy":                   {}, // and every room below it; they drive the built program and know nothing of its inside
}

// policyDependencies are all that package policy may import beside the standard library.
var policyDependencies = []string{
	"golang.org/x/net/idna", "golang.org/x/net/publicsuffix", module + "proto/corsproc/v1",
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
		if strings.HasPrefix(room, "envoy/") {
			room = "envoy"
		}
		allowed, known := mayImport[room]
		if !known {
			t.Errorf("%s: no rule says what this room may import", room)
			continue
		}
		rooms++
		for _, imported := range fields[1:] {
			if room == "policy" && strings.Contains(imported, ".") && !slices.Contains(policyDependencies, imported) {
				t.Errorf("policy imports %s", imported)
			}
			ours, ok := strings.CutPrefix(imported, module)
			if ok && !slices.Contains(allowed, ours) && !(room == "envoy" && strings.HasPrefix(ours, "envoy/")) {
				t.Errorf("%s imports %s, which is not its direction", room, ours)
			}
		}
	}
	if rooms < 8 {
		t.Errorf("only %d rooms were looked at", rooms)
	}
}
