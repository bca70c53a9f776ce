//go:build unix

package e2e

import (
	"regexp"
	"strings"
	"testing"
)

// TestDocsModule starts the demo as the module's page says, asks it what the page shows being asked, and compares the answers.
func TestDocsModule(t *testing.T) {
	text := read(t, "docs/module.md")
	start := regexp.MustCompile(`(?m)^make module\nmake run ARGS='(.*)'$`).FindStringSubmatch(text)
	if start == nil {
		t.Fatal("docs/module.md does not say how to start the demo")
	}
	d := startDemo(t, append(strings.Fields(start[1]), "-module", findModule(t))...)
	ports := strings.NewReplacer("http://localhost:8080", d.api, "http://localhost:8081", d.page, "http://localhost:9901", d.stats)
	asked := 0
	for _, block := range regexp.MustCompile("(?ms)^```console\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		for _, step := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			command, want, _ := strings.Cut(ports.Replace(step), "\n")
			asked++
			got := ""
			eventually(t, command+" answers as shown", func() bool { // what workers count is added up now and then
				got = curl(t, command)
				return sorted(got) == sorted(want) || !strings.Contains(command, "/stats")
			})
			if sorted(got) != sorted(want) {
				t.Errorf("%s\ngot\n%s\nwant\n%s", command, got, want)
			}
		}
	}
	if !strings.Contains(d.log.String(), "ready listen= admin=") {
		t.Error("the process beside Envoy listens for it")
	}
	if asked < 2 {
		t.Errorf("the page asks %d things", asked)
	}
}
