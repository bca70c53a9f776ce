package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityNames looks for every constant that SECURITY.md names in the file that it names, and for every setting.
func TestSecurityNames(t *testing.T) {
	root := filepath.Join("..", "..")
	data, err := os.ReadFile(filepath.Join(root, "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	constants := 0
	for _, m := range regexp.MustCompile("((?:`[a-zA-Z]+`(?:, )?)+) \\(`([a-z/_]+\\.go)`\\)").FindAllStringSubmatch(page, -1) {
		source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m[2])))
		if err != nil {
			t.Error(err)
			continue
		}
		for name := range strings.SplitSeq(m[1], ", ") {
			name = strings.Trim(name, "`")
			constants++
			if !regexp.MustCompile(`(?m)^(const |\t)` + name + `\s+=`).Match(source) {
				t.Errorf("%s has no constant %s", m[2], name)
			}
		}
	}
	if constants < 20 {
		t.Errorf("only %d constants were looked at", constants)
	}
	known := map[string]bool{}
	for _, s := range allSettings {
		known[s.name] = true
	}
	for _, m := range regexp.MustCompile("`--([a-z-]+)`").FindAllStringSubmatch(page, -1) {
		if !known[m[1]] {
			t.Errorf("there is no setting --%s", m[1])
		}
	}
}
