//go:build cgo

package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/corsproc/corsproc/envoy/module/fakeenvoy"
)

func TestSettings(t *testing.T) {
	for _, test := range []struct {
		config string
		want   settings
		wrong  []string // all of them, in their order
	}{
		{`{"policies": "p"}`, settings{"p", 30 * time.Second, slog.LevelInfo}, nil},
		{`{"policies": "p", "reload-interval": "0", "log-level": "WARN"}`, settings{"p", 0, slog.LevelWarn}, nil},
		{`{"policies": "p", "reload-interval": 0, "log-level": "debug"}`, settings{"p", 0, slog.LevelDebug}, nil},
		{`{"policies": "p", "reload-interval": "1m30s"}`, settings{"p", 90 * time.Second, slog.LevelInfo}, nil},
		{``, settings{}, []string{"filter_config has to be a google.protobuf.Struct with the key policies"}},
		{`policies.yaml`, settings{}, []string{"filter_config has to be a google.protobuf.Struct with the key policies"}},
		{`"policies.yaml"`, settings{}, []string{"filter_config has to be a google.protobuf.Struct with the key policies"}},
		{`null`, settings{}, []string{"filter_config has to be a google.protobuf.Struct with the key policies"}},
		{`{}`, settings{}, []string{"filter_config: policies: is missing; it names the policy file or directory"}},
		{`{"policies": ""}`, settings{}, []string{"filter_config: policies: is empty; it names the policy file or directory"}},
		{`{"policies": "-"}`, settings{}, []string{"filter_config: policies: standard input cannot be read inside Envoy"}},
		{`{"policies": ["p"]}`, settings{}, []string{"filter_config: policies: is no text"}},
		{`{"policies": null}`, settings{}, []string{"filter_config: policies: is no text"}},
		{`{"policy": "p", "reload-interval": 30, "log-level": "loud", "\u0007": true}`, settings{}, []string{
			`filter_config: "\a": there is no such key; the keys are policies, reload-interval and log-level`,
			`filter_config: log-level: "loud" is no log level; write debug, info, warn or error`,
			`filter_config: "policy": there is no such key; the keys are policies, reload-interval and log-level`,
			`filter_config: reload-interval: "30" has no unit; write for instance 30s`,
			"filter_config: policies: is missing; it names the policy file or directory",
		}},
		{`{"policies": "p", "reload-interval": "30"}`, settings{}, []string{
			`filter_config: reload-interval: "30" has no unit; write for instance 30s`}},
		{`{"policies": "p", "reload-interval": true}`, settings{}, []string{"filter_config: reload-interval: is no text"}},
		{`{"policies": "p", "reload-interval": "-1s"}`, settings{}, []string{`filter_config: reload-interval: "-1s" is negative`}},
	} {
		t.Run(test.config, func(t *testing.T) {
			got, err := parseSettings([]byte(test.config))
			if test.wrong == nil {
				if err != nil || got != test.want {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if err == nil || err.Error() != strings.Join(test.wrong, "\n") {
				t.Errorf("error\n%v, want\n%s", err, strings.Join(test.wrong, "\n"))
			}
		})
	}
}

// TestRejected: a configuration that cannot be used is rejected, all that is wrong stands in Envoy's log, and nothing of it is left.
func TestRejected(t *testing.T) {
	broken, config := writePolicies(t, "policies:\n  shop:\n    allow_origins: [https://Shop.example/, nope]\n    allow_methods: [put]\n    max: 1\n")
	for _, test := range []struct {
		name, config string
		want         []string
	}{
		{"keys", `{"policies": 1, "x": 2}`, []string{"policies: is no text", `"x": there is no such key`}},
		{"missing", configOf(filepath.Join(t.TempDir(), "missing.yaml")), []string{"missing.yaml does not exist"}},
		{"broken", config, []string{"the policies do not load", broken + ":3:21", "code=origin-not-canonical", broken + ":3:44", `message="\"nope\": an origin pattern`, broken + ":5:5", "code=unknown-key"}},
	} {
		for _, validate := range []bool{false, true} {
			t.Run(test.name, func(t *testing.T) {
				fakeenvoy.Validate(validate)
				defer fakeenvoy.Validate(false)
				fakeenvoy.Logged()
				if c := fakeenvoy.NewConfig(test.config); c != nil {
					t.Fatal("it is not rejected")
				}
				var errors []string
				for _, line := range fakeenvoy.Logged() {
					if strings.Contains(line.Text, "\n") || !strings.HasPrefix(line.Text, "corsproc: ") {
						t.Errorf("logged %q", line.Text)
					}
					checkPlace(t, line)
					if line.Level == fakeenvoy.Error {
						errors = append(errors, line.Text)
					}
				}
				all := strings.Join(errors, "\n")
				for _, want := range test.want {
					if !strings.Contains(all, want) {
						t.Errorf("%q is not in the log:\n%s", want, all)
					}
				}
				if fakeenvoy.Schedulers() != 0 || len(sources.byPath) != 0 {
					t.Error("something is left of it")
				}
			})
		}
	}
}

// TestAllFindings: a file that rejects a configuration is told with every finding, however many there are. Of a reload the log has
// fewer, and what keeps the file from loading comes first, wherever it stands.
func TestAllFindings(t *testing.T) {
	var text strings.Builder
	text.WriteString("policies:\n")
	const n = 600
	for i := range n {
		fmt.Fprintf(&text, "  p%d: {allow_origins: [\"null\"], allow_methods: [patch]}\n", i) // two warnings
	}
	text.WriteString("  shop: {allow_origins: [nope]}\n")
	findings := func() (all []string) {
		for _, line := range fakeenvoy.Logged() {
			if strings.HasPrefix(line.Text, "corsproc: finding ") {
				all = append(all, line.Text)
			}
		}
		return all
	}
	path, config := writePolicies(t, text.String())
	fakeenvoy.Logged()
	if fakeenvoy.NewConfig(config) != nil {
		t.Fatal("it is not rejected")
	}
	if got, fault := findings(), fmt.Sprintf("place=%s:%d:26 severity=error", path, n+2); len(got) != 2*n+1 || !strings.Contains(got[0], fault) {
		t.Errorf("%d findings, the first is %.200v; want %d, the first with %s", len(got), got, 2*n+1, fault)
	}

	path, config = writePolicies(t, shop)
	c := newConfig(t, config)
	defer c.Destroy()
	fakeenvoy.Logged()
	replace(t, path, text.String())
	reads(t, c)
	var got []string
	eventually(t, "the findings are logged", func() bool { got = append(got, findings()...); return len(got) >= maxReported })
	if len(got) != maxReported || !strings.Contains(got[0], "severity=error") {
		t.Errorf("%d findings, the first is %.200v", len(got), got)
	}
}

// TestValidate: with --mode validate nothing is watched.
func TestValidate(t *testing.T) {
	_, config := writePolicies(t, shop)
	fakeenvoy.Validate(true)
	defer fakeenvoy.Validate(false)
	c := fakeenvoy.NewConfig(config)
	if c == nil {
		t.Fatal("rejected")
	}
	defer c.Destroy()
	if sources.at(0).unwatch != nil {
		t.Error("the policies are watched")
	}
}

func configWith(path string, more map[string]any) string {
	more["policies"] = path
	text, err := json.Marshal(more)
	if err != nil {
		panic(err)
	}
	return string(text)
}
