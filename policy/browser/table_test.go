package browser

import (
	_ "embed"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/policyfile"
)

//go:embed testdata/fetches.yaml
var fetchTable string

// table is testdata/fetches.yaml.
type table struct {
	Policies string      `yaml:"policies"`
	Fetches  []fetchCase `yaml:"fetches"`
}

// fetchCase is a fetch and what comes of it.
type fetchCase struct {
	Name        string   `yaml:"name"`
	Origin      string   `yaml:"origin"` // default: the shop's
	URL         string   `yaml:"url"`    // the path
	Method      string   `yaml:"method"`
	Headers     []string `yaml:"headers"`
	Credentials string   `yaml:"credentials"`
	WebSocket   bool     `yaml:"websocket"`

	Outcome   string   `yaml:"outcome"` // default: what the verdict says
	Verdict   string   `yaml:"verdict"`
	Reason    string   `yaml:"reason"` // default: the verdict
	Preflight string   `yaml:"preflight"`
	Cache     string   `yaml:"cache"`
	Exposed   []string `yaml:"exposed"`
	Changes   []string `yaml:"changes"`
	Lenient   bool     `yaml:"lenient"`
}

// The ports in the table.
const (
	apiPort  = "8080"
	pagePort = "8081"
)

// readTable reads the table for a port of the one that plays Envoy and one of the pages.
func readTable(t *testing.T, api, page string) (table, *policyfile.Result) {
	t.Helper()
	var all table
	text := strings.NewReplacer("localhost:"+apiPort, "localhost:"+api, ":"+pagePort, ":"+page).Replace(fetchTable)
	if err := yaml.Load([]byte(text), &all, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	for i := range all.Fetches {
		c := &all.Fetches[i]
		if c.Origin == "" {
			c.Origin = "http://shop.localhost:" + page
		}
		if c.Reason == "" {
			c.Reason = c.Verdict
		}
		if c.Outcome == "" {
			c.Outcome = "readable"
			if c.Verdict == "refused" || c.Verdict == "rejected" {
				c.Outcome = "unreadable"
			}
		}
	}
	return all, compile(t, all.Policies)
}

func compile(t *testing.T, policies string) *policyfile.Result {
	t.Helper()
	content := policyfile.Content{Files: []policyfile.File{{Name: "-", Data: []byte(policies)}}}
	r := content.Compile()
	if r.Set == nil {
		t.Fatalf("the policies do not load: %v", r.Findings)
	}
	return r
}

// fetch returns the case's fetch from the one that plays Envoy. more is added to the query.
func (c *fetchCase) fetch(t *testing.T, api, more string) Fetch {
	t.Helper()
	path, fragment := split(c.URL, "#")
	if more != "" {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		path += separator + more
	}
	f := Fetch{Origin: c.Origin, URL: "http://api.localhost:" + api + path + fragment, Method: c.Method, WebSocket: c.WebSocket}
	for _, line := range c.Headers {
		name, value, _ := strings.Cut(line, ":")
		f.Headers = append(f.Headers, policy.Header{Name: name, Value: long(strings.TrimPrefix(value, " "))})
	}
	if c.Credentials != "" {
		var err error
		if f.Credentials, err = ParseCredentials(c.Credentials); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// long writes out a value such as {128} or {65 é}: so many letters.
func long(s string) string {
	inner, ok := strings.CutPrefix(s, "{")
	if !ok {
		return s
	}
	count, letter, _ := strings.Cut(strings.TrimSuffix(inner, "}"), " ")
	if letter == "" {
		letter = "x"
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		panic(err)
	}
	return strings.Repeat(letter, n)
}
