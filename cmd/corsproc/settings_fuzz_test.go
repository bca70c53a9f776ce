package main

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/server"
)

// FuzzSettingsFile: whatever a settings file holds, it is taken or said what is wrong with it.
func FuzzSettingsFile(f *testing.F) {
	for _, content := range []string{
		"policies: p\nlisten: [\"127.0.0.1:1\", \"unix:///s\"]\ndrain-delay: 1s\n", "policies: &p p\nlisten: [*p]\n", "socket-mode: 0660\npolicies: p\npprof: true\n",
		`{"policies": "p", "max-connections": 7, "plaintext": true, "admin-hosts": ["a"]}`, "policies = \"p\"\nmax-connections = 7\n", "a: b\n---\nc: d\n", "",
	} {
		f.Add(byte(len(content)), content)
	}
	extensions := []string{"yaml", "toml", "json"}
	f.Fuzz(func(t *testing.T, format byte, content string) {
		s, err := settingsFrom(t, nil, nil, "settings."+extensions[int(format)%len(extensions)], content)
		checkSettings(t, s, err)
	})
}

// FuzzSetting: a value means the same whether a flag, the environment or a settings file says it.
func FuzzSetting(f *testing.F) {
	for i := range allSettings {
		for _, value := range []string{allSettings[i].fallback, "", "true", "-1", "1e9", "0660", "5s", "a,b", "127.0.0.1:0", "spiffe://a/b", "http://[::1]:4317"} {
			f.Add(byte(i), value)
		}
	}
	f.Fuzz(func(t *testing.T, which byte, value string) {
		if strings.ContainsRune(value, 0) || !utf8.ValidString(value) {
			t.Skip("no variable and no YAML can hold it")
		}
		s := &allSettings[int(which)%len(allSettings)]
		policies := map[string]string{"CORSPROC_POLICIES": "p"}
		if s.name == "policies" {
			policies = nil
		}
		file, err := yaml.Marshal(map[string]string{s.name: value})
		if err != nil {
			t.Skip(err)
		}
		if back := map[string]string{}; yaml.Unmarshal(file, &back) != nil || back[s.name] != value {
			t.Skip("YAML cannot hold it")
		}
		if isNull(scalarOf(t, file)) {
			t.Skip("a text that YAML's writer leaves without quotes and its reader takes for null")
		}
		flag, flagErr := settingsFrom(t, []string{"--" + s.name + "=" + value}, policies, "", "")
		inFile, fileErr := settingsFrom(t, nil, policies, "settings.yaml", string(file))
		env := map[string]string{envName(s.name): value}
		for name, value := range policies {
			env[name] = value
		}
		inEnv, envErr := settingsFrom(t, nil, env, "", "")
		for _, c := range []struct {
			place    string
			settings server.Settings
			err      error
		}{{"a flag", flag, flagErr}, {"a file", inFile, fileErr}, {"the environment", inEnv, envErr}} {
			checkSettings(t, c.settings, c.err)
			if (c.err == nil) != (flagErr == nil) || c.err == nil && !reflect.DeepEqual(c.settings, flag) {
				t.Errorf("%s: %q in %s is\n%+v, %v\nand in a flag\n%+v, %v", s.name, value, c.place, c.settings, c.err, flag, flagErr)
			}
		}
	})
}

func scalarOf(t *testing.T, file []byte) *yaml.Node {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal(file, &document); err != nil {
		t.Fatal(err)
	}
	return document.Content[0].Content[1]
}

// checkSettings holds that settings are looked at to the end or told to be wrong, with one of the exit statuses for that.
func checkSettings(t *testing.T, s server.Settings, err error) {
	t.Helper()
	if err == nil {
		_ = s.Validate() // what a process says of how they go together
		return
	}
	var exit *exitError
	if !errors.As(err, &exit) || exit.status != exitUsage && exit.status != exitFailure || err.Error() == "" {
		t.Errorf("%v", err)
	}
}
