package convert

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/growth"
)

// FuzzEnvoy holds that any file is either an error with a line, or becomes a policy file that loads (which Convert asks
// itself at the end), twice the same, and that nothing of it reaches a terminal raw.
func FuzzEnvoy(f *testing.F) {
	files, _ := filepath.Glob("testdata/envoy/*")
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil && !strings.HasSuffix(file, ".golden") {
			f.Add(data)
		}
	}
	f.Add([]byte("a: &a [*a]\nvirtual_hosts: *a\n"))
	f.Add([]byte("a: &a {<<: *a}\nvirtual_hosts: [*a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Convert("envoy", []Source{{Name: "f", Data: data}})
		var input *InputError
		switch {
		case errors.As(err, &input):
			if input.Line < 1 {
				t.Errorf("%v says no line", err)
			}
			return
		case err != nil:
			t.Fatal(err)
		}
		got := string(r.File)
		again, err := Convert("envoy", []Source{{Name: "f", Data: data}})
		if err != nil || string(again.File) != got {
			t.Errorf("the second time it is %v\n%s\nand was\n%s", err, again.File, got)
		}
		for _, w := range r.Warnings {
			if w.Line < 1 || w.Code == "" {
				t.Errorf("%+v says too little", w)
			}
		}
	})
}

// TestEnvoyHostile holds what is built to cost much: it ends soon, in an error or in a file.
func TestEnvoyHostile(t *testing.T) {
	doubling := "a0: &a0 [x]\n"
	for i := 1; i < 40; i++ {
		doubling += strings.ReplaceAll(strings.ReplaceAll("aI: &aI [*aJ, *aJ]\n", "I", itoa(i)), "J", itoa(i-1))
	}
	merging := "m0: &m0 {x: 1}\n"
	for i := 1; i < 40; i++ {
		merging += strings.ReplaceAll(strings.ReplaceAll("mI: &mI {<<: [*mJ, *mJ]}\n", "I", itoa(i)), "J", itoa(i-1))
	}
	for name, text := range map[string]string{
		"aliases of aliases":         doubling + "virtual_hosts: *a39\n",
		"aliases as a matching tree": doubling + "virtual_hosts: [{name: a, domains: [a], matcher: *a39}]\n",
		"aliases in a policy":        doubling + strings.Replace(corsAt("allow_origin_string_match: *a39"), "name: r\n", "", 1),
		"aliases in a wrapper":       doubling + strings.Replace(corsAt("allow_credentials: *a39"), "name: r\n", "", 1),
		"merged mappings":            merging + "virtual_hosts: [*m39]\n",
		"a mapping in itself":        "virtual_hosts: &a [{<<: *a, name: x}]\n",
		"a list in itself":           "virtual_hosts: &a [*a]\n",
		"many conditional routes": "virtual_hosts: [{name: a, domains: [a], routes: [" +
			strings.Repeat("{match: {prefix: /, grpc: {}}, route: {cluster: c}},", 5000) + "{match: {prefix: /}, route: {cluster: c}}]}]\n",
		"a large expression":         corsAt("allow_credentials: true\n      allow_origin_string_match: [{safe_regex: {regex: '" + strings.Repeat("[a-z]{1,900}", 50) + "'}}]"),
		"an expression at its limit": corsAt("allow_credentials: true\n      allow_origin_string_match: [{safe_regex: {regex: '((a{0,100}){0,100}){0,100}'}}]"),
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Convert("envoy", []Source{{Name: "f", Data: []byte(text)}})
			var input *InputError
			if err != nil && !errors.As(err, &input) {
				t.Errorf("%v, %v", r, err)
			}
		})
	}
}

func itoa(i int) string { return string(rune('0'+i/10)) + string(rune('0'+i%10)) }

// TestEnvoyGrowth holds that twice as many virtual hosts are twice the work.
func TestEnvoyGrowth(t *testing.T) {
	growth.Hold(t, 20, func(n int) func() {
		var b strings.Builder
		b.WriteString("virtual_hosts:\n")
		for i := range n {
			b.WriteString(strings.ReplaceAll(`- name: hN
  domains: [hN.example]
  cors: {allow_origin_string_match: [{exact: "https://hN.test"}, {suffix: .hN.test}], allow_methods: PUT, allow_credentials: true}
  routes:
  - {match: {prefix: /a, headers: [{name: x, present_match: true}]}, route: {cluster: c, cors: {allow_methods: DELETE}}}
  - {match: {prefix: /}, route: {cluster: c}}
`, "N", itoa(i/100)+itoa(i%100)))
		}
		return func() {
			if _, err := Convert("envoy", []Source{{Name: "f", Data: []byte(b.String())}}); err != nil {
				t.Error(err)
			}
		}
	})
}
