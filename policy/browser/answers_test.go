package browser

import (
	_ "embed"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy"
)

//go:embed testdata/answers.yaml
var answerTable string

// answerCase is a line of testdata/answers.yaml.
type answerCase struct {
	Name        string   `yaml:"name"`
	Method      string   `yaml:"method"`
	Header      string   `yaml:"header"`
	Credentials string   `yaml:"credentials"`
	Status      int      `yaml:"status"` // of the preflight
	Preflight   []string `yaml:"preflight"`
	Answer      []string `yaml:"answer"`
	Failure     string   `yaml:"failure"`
}

var failureNames = map[failureKind]string{
	passes: "", originMissing: "origin missing", originWildcard: "origin wildcard", originDiffers: "origin differs",
	credentialsNotOn: "credentials not on", statusNotOK: "status not ok", methodsUnreadable: "methods unreadable",
	headersUnreadable: "headers unreadable", methodMissing: "method missing", headerMissing: "header missing",
}

func readAnswers(t *testing.T) []answerCase {
	t.Helper()
	var all []answerCase
	if err := yaml.Load([]byte(answerTable), &all, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	return all
}

// headers returns the lines as headers for a page's origin.
func headers(lines []string, origin string) (all []policy.Header) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		all = append(all, policy.Header{Name: name, Value: strings.TrimPrefix(strings.ReplaceAll(value, "{origin}", origin), " ")})
	}
	return all
}

// fetch returns the case's fetch.
func (c *answerCase) fetch(t *testing.T, origin, url string) *normalized {
	t.Helper()
	asked := Fetch{Origin: origin, URL: url, Method: c.Method}
	if c.Credentials != "" {
		asked.Credentials = Include
	}
	if c.Header != "" {
		asked.Headers = []policy.Header{{Name: c.Header, Value: "1"}}
	}
	f, faults := normalize(asked)
	if len(faults) > 0 {
		t.Fatal(faults[0])
	}
	return f
}

// check runs the checks, and returns why the fetch fails and what the console says.
func (c *answerCase) check(f *normalized) (failed failure, console string) {
	if c.Status != 0 {
		answer := Answer{c.Status, headers(c.Preflight, f.Origin)}
		if failed = f.preflightCheck(&answer, unsafeNames(f.headers)); failed.kind != passes {
			return failed, f.console(failed, true)
		}
	}
	failed = corsCheck(&Answer{200, headers(c.Answer, f.Origin)}, f.Origin, f.include())
	return failed, f.console(failed, false)
}

// TestAnswers runs the table through the checks.
func TestAnswers(t *testing.T) {
	for _, c := range readAnswers(t) {
		f := c.fetch(t, "http://shop.localhost:"+pagePort, "http://api.localhost:"+apiPort+"/")
		if failed, _ := c.check(f); failureNames[failed.kind] != c.Failure {
			t.Errorf("%s: %q, want %q", c.Name, failureNames[failed.kind], c.Failure)
		}
	}
}

// TestAnswersInChromium gives the answers to a real Chromium.
func TestAnswersInChromium(t *testing.T) {
	b := newChromium(t)
	pages := httptest.NewServer(http.HandlerFunc(servePage))
	defer pages.Close()
	pagePort := port(t, pages.URL)
	origin := "http://shop.localhost:" + pagePort
	all := readAnswers(t)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i, err := strconv.Atoi(r.URL.Query().Get("case"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		if r.Method == http.MethodOptions {
			write(w, headers(all[i].Preflight, origin))
			w.WriteHeader(all[i].Status)
			return
		}
		write(w, headers(all[i].Answer, origin))
	}))
	defer api.Close()
	b.open(t, origin, pagePort)
	for i, c := range all {
		t.Run(c.Name, func(t *testing.T) {
			about := "case=" + strconv.Itoa(i) + "&"
			f := c.fetch(t, origin, "http://api.localhost:"+port(t, api.URL)+"/?"+about)
			_, want := c.check(f)
			got := b.fetch(t, f.Fetch)
			if got.Readable != (c.Failure == "") {
				t.Errorf("readable: Chromium %v (%s), the checks %q", got.Readable, got.Error, c.Failure)
			}
			if said := b.said(t, about, want != ""); said != want {
				t.Errorf("Chromium says\n%s\nthe model\n%s", said, want)
			}
		})
	}
}
