//go:build unix

package e2e

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/corsproc/corsproc/policy/browser/chromium"
)

// tab is a browser's tab that remembers what the console said and where requests went.
type tab struct {
	t   *testing.T // the test, or the subtest, that uses it
	ctx context.Context

	mu         sync.Mutex
	console    []string
	exceptions []string
	hosts      []string
}

func newTab(t *testing.T) *tab {
	t.Helper()
	flags, err := chromium.Options()
	need(t, err)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	t.Cleanup(stop)
	b := &tab{t: t}
	var end context.CancelFunc
	b.ctx, end = chromedp.NewContext(allocator)
	t.Cleanup(end)
	if err := chromedp.Listen(b.ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	_, logFailed := chromedp.Call(b.ctx, log.Enable, cdp.Empty{})
	_, networkFailed := chromedp.Call(b.ctx, network.Enable, network.EnableParams{})
	if err := errors.Join(logFailed, networkFailed); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		b.console = append(b.console, e.Entry.Text)
	case *runtime.EventConsoleAPICalled:
		b.console = append(b.console, string(e.Type))
	case *runtime.EventExceptionThrown:
		b.exceptions = append(b.exceptions, e.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil {
			b.hosts = append(b.hosts, u.Hostname())
		}
	}
}

// do runs actions, at most for the usual patience.
func (b *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// waitFor waits until a JavaScript expression holds.
func (b *tab) waitFor(what, expression string) {
	b.t.Helper()
	b.do(what, chromedp.Poll[chromedp.Void](expression))
}

// evaluate returns the value of a JavaScript expression.
func evaluate[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// card is what the page shows of a case.
type card struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Outcome string `json:"outcome"`
	Came    string `json:"came"`
	Word    string `json:"word"`
}

const settled = `document.querySelectorAll(".card").length > 0 && !document.querySelector('[data-state="running"]')`

func (b *tab) cards() map[string]card {
	b.t.Helper()
	b.waitFor("the cases have run", settled)
	cards := map[string]card{}
	for _, c := range evaluate[[]card](b, `[...document.querySelectorAll(".card")].map((c) => ({ id: c.id, state: c.dataset.state,
		outcome: c.dataset.outcome, came: c.querySelector(".came").innerText, word: c.querySelector(".word").innerText }))`) {
		cards[c.ID] = c
	}
	return cards
}

// demoCases are the cases of the demo's page and what a browser makes of each.
var demoCases = []struct {
	id      string
	outcome string
	came    []string // is shown
}{
	{"allowed-get", "read", []string{"status 200, readable"}},
	{"custom-header", "read", []string{"status 200, readable", "X-Custom-Header: hello", "Preflights that the upstream has ever seen: 0"}},
	{"json-body", "read", []string{"status 200, readable", `{"tea": 1} as application/json`}},
	{"image-canvas", "read", []string{"its pixels are not readable (SecurityError)", "With crossorigin: pixels readable, the sun is rgb(255, 226, 158)"}},
	{"credentials", "read", []string{"include: status 200, readable; the upstream saw corsproc_demo=signed-in", "omit: status 200, readable; the upstream saw no cookie"}},
	{"exposed-header", "read", []string{"X-Request-Id: ", "X-Served-By: not visible"}},
	{"error-answer", "read", []string{"status 503, readable", "no healthy upstream"}},
	{"refused-method", "refused", []string{"PUT: status 200, readable", "DELETE: not readable. The script is told “TypeError: Failed to fetch”"}},
	{"refused-origin", "refused", []string{"GET: not readable", "goes through"}},
	{"other-virtual-host", "read", []string{"Without credentials: status 200, readable", "With credentials: not readable", "files.localhost"}},
}

// TestDemoPage opens the page of the demo in a real browser, with each of the recipes.
func TestDemoPage(t *testing.T) {
	for _, config := range recipes {
		t.Run(config, func(t *testing.T) {
			d := startDemo(t, "-envoy-config", config)
			b := checkPage(t, d)
			t.Run("edits", func(t *testing.T) {
				b.t = t
				checkEdits(t, b, d)
			})
		})
	}
}

// checkPage checks what the page shows, and returns it.
func checkPage(t *testing.T, d *demo) *tab {
	t.Helper()
	b := newTab(t)
	b.do("opening the page", chromedp.Navigate(d.page))
	cards := b.cards()
	if len(cards) != len(demoCases) {
		t.Errorf("%d cards, want %d", len(cards), len(demoCases))
	}
	for _, c := range demoCases {
		t.Run(c.id, func(t *testing.T) {
			got := cards[c.id]
			if got.State != "pass" || got.Outcome != c.outcome || got.Word != "As expected" {
				t.Errorf("%+v", got)
			}
			for _, text := range c.came {
				if !strings.Contains(got.Came, text) {
					t.Errorf("%q is not in:\n%s", text, got.Came)
				}
			}
		})
	}
	run := func(name string, test func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			b.t = t
			test(t)
		})
	}
	run("console", func(t *testing.T) { checkConsole(t, b) })
	run("width of a phone", func(t *testing.T) {
		b.do("a phone's width", chromedp.EmulateViewport(360, 740))
		if width := evaluate[int](b, `document.documentElement.scrollWidth`); width > 360 {
			t.Errorf("the page is %d pixels wide", width)
		}
		b.do("a usual width", chromedp.EmulateViewport(1280, 900))
	})
	run("run again", func(t *testing.T) {
		b.do("pressing a card's button", chromedp.Click(chromedp.CSS("#allowed-get .again")))
		b.do("pressing the page's button", chromedp.Click(chromedp.CSS("#run-all")))
		if got := b.cards()["allowed-get"].State; got != "pass" {
			t.Errorf("state %s", got)
		}
	})
	return b
}

// TestModulePage opens the page of the demo in a real browser, with corsproc inside Envoy. What the page says of edits is the
// service's beside it, which may be ahead of Envoy by the time that a reload takes.
func TestModulePage(t *testing.T) {
	findModule(t)
	checkPage(t, startDemo(t, "-envoy-config", moduleRecipe, "-module", filepath.Join(filepath.Dir(binary), "libcorsproc.so")))
}

// checkConsole holds that only what is intended went wrong, and nothing was loaded from elsewhere.
func checkConsole(t *testing.T, b *tab) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.exceptions {
		t.Errorf("exception: %s", e)
	}
	intended := regexp.MustCompile(`^(Access to fetch at .* has been blocked by CORS policy: .*|Failed to load resource: (net::ERR_FAILED|the server responded with a status of 503 .*))$`)
	said := strings.Join(b.console, "\n")
	for _, text := range b.console {
		if !intended.MatchString(text) {
			t.Errorf("the console says: %s", text)
		}
	}
	for _, text := range []string{
		"Method DELETE is not allowed by Access-Control-Allow-Methods in preflight response.",
		"must not be the wildcard '*' when the request's credentials mode is 'include'.",
	} {
		if !strings.Contains(said, text) {
			t.Errorf("the console does not say %q:\n%s", text, said)
		}
	}
	for _, host := range b.hosts {
		if host != "localhost" && host != "files.localhost" && host != "127.0.0.1" {
			t.Errorf("something was asked of %q", host)
		}
	}
}

// checkEdits edits the policy file while the page is open.
func checkEdits(t *testing.T, b *tab, d *demo) {
	shipped, err := os.ReadFile(d.policies)
	if err != nil {
		t.Fatal(err)
	}
	save := func(text string) {
		t.Helper()
		if err := os.WriteFile(d.policies, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	edit := func(old, new string) string {
		t.Helper()
		if !strings.Contains(string(shipped), old) {
			t.Fatalf("the demo's policy file has no %q", old)
		}
		return strings.Replace(string(shipped), old, new, 1)
	}

	save(edit("allow_methods: [PUT]", "allow_methods: [PUT, DELETE]"))
	b.waitFor("DELETE is allowed", `document.getElementById("refused-method").dataset.outcome === "read"`)
	b.waitFor("and said to be the reader's doing", `document.getElementById("refused-method").dataset.state === "changed"`)

	other := strings.Replace(d.page, "localhost", "127.0.0.1", 1)
	save(edit("- "+d.page+"\n", "- "+d.page+"\n      - "+other+"\n"))
	b.waitFor("the other origin is allowed", `document.getElementById("refused-origin").dataset.outcome === "read"`)
	b.waitFor("and DELETE no more", `document.getElementById("refused-method").dataset.state === "pass"`)

	save(edit("\n    allow_methods:", "\n    allow_method:"))
	b.waitFor("the mistake is shown", `!document.getElementById("policy-problem").hidden`)
	problem := evaluate[string](b, `document.getElementById("policy-problem").textContent`)
	if !regexp.MustCompile(`policies\.yaml:\d+:\d+: .*allow_method`).MatchString(problem) {
		t.Errorf("the mistake is shown as %q", problem)
	}
	b.do("running everything again", chromedp.Click(chromedp.CSS("#run-all")))
	if got := b.cards()["refused-origin"]; got.Outcome != "read" {
		t.Errorf("what was in force is not: %+v", got)
	}

	save(string(shipped))
	b.waitFor("the shipped policies are back", `document.getElementById("policy-problem").hidden &&
		document.querySelectorAll('.card[data-state="pass"]').length === document.querySelectorAll(".card").length`)
}
