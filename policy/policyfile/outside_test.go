package policyfile_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/policyfile"
)

// secret stands in files that are none of the policies'.
const secret = "hunter2"

// secretFiles are what a link may lead to, by what they look like.
var secretFiles = map[string]string{
	"shadow":      "root:$6$" + secret + ":19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n",
	"one-word":    secret + "\n",
	"settings":    secret + ": " + secret + "\npassword: " + secret + "\n",
	"json":        `{"auths": {"` + secret + `": {"auth": "` + secret + `"}}}`,
	"bad-json":    `{"auths": ` + secret + `}`,
	"a list":      "- " + secret + "\n- " + secret + "\n",
	"policies":    "policies: {" + secret + ": {allow_origins: [https://" + secret + ".example/, " + secret + "], max_age: " + secret + "}}\n",
	"lints":       "policies: {" + secret + ": {allow_origins: [https://" + secret + ".example, https://" + secret + ".example]}}\n",
	"duplicates":  "policies: {shop: {}, " + secret + ": {}, " + secret + ": {}}\n",
	"unknown":     "default: {policies: [" + secret + "], " + secret + ": 1, reject: " + secret + "}\n",
	"anchors":     "policies: {&" + secret + " a: *" + secret + "}\n",
	"not UTF-8":   secret + "\xff",
	"a test file": "policies: " + secret + "\ntests: [{name: " + secret + "}]\n",
}

// said returns all that is shown of a content, in every form.
func said(t *testing.T, c *policyfile.Content) string {
	t.Helper()
	r := c.Compile()
	if r.Set == nil && len(r.Findings) == 0 {
		t.Fatal("nothing is said")
	}
	var b bytes.Buffer
	err := errors.Join(policyfile.WriteText(&b, r.Findings), policyfile.WriteAnnotated(&b, r.Findings, c.Files, true), policyfile.WriteJSON(&b, r.Findings),
		policyfile.WriteGitHub(&b, r.Findings), policyfile.WriteSARIF(&b, r.Findings, "1"))
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestOutside: nothing is quoted of a file that lies outside of the policies' directory, and nothing is corrected there.
func TestOutside(t *testing.T) {
	for what, text := range secretFiles {
		for _, ending := range []string{".yaml", ".json"} {
			c := files("link"+ending, text, "shop.yaml", "policies: {shop: {max_age: 5}}\n")
			c.Files[0].Outside = true
			if got := said(t, c); strings.Contains(got, secret) || !strings.Contains(got, "link"+ending) || !strings.Contains(got, "5s") {
				t.Errorf("%s as %s: %s", what, ending, got)
			}
			fixed, n, _ := c.Fix()
			if string(fixed[0].Data) != text || n != 1 {
				t.Errorf("%s as %s: %d corrections: %s", what, ending, n, fixed[0].Data)
			}
		}
		// Of a file inside all of it is told, or the test shows nothing.
		if got := said(t, files("secret.yaml", text)); !strings.Contains(got, secret) && what != "not UTF-8" && what != "a test file" {
			t.Errorf("%s: of a file inside: %s", what, got)
		}
	}
}
