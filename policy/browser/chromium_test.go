package browser

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"

	realchromium "github.com/corsproc/corsproc/policy/browser/chromium"
)

// patience is how long a test waits for the browser. Nothing takes nearly as long; machines under load are slow.
const patience = 30 * time.Second

// chromium is a tab of a real Chromium that remembers what the console said.
type chromium struct {
	ctx context.Context
	at  string // the page that is open

	mu      sync.Mutex
	console []string
}

// newChromium starts a browser, with more flags than others. Without one the test is skipped, or fails where everything
// has to be there.
func newChromium(t *testing.T, more ...chromedp.ExecAllocatorOption) *chromium {
	t.Helper()
	flags, err := realchromium.Options()
	if err != nil {
		if os.Getenv("CORSPROC_REQUIRE_E2E") != "" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED, not tested: %v", err)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(flags, more...)...)
	t.Cleanup(stop)
	b := &chromium{}
	var end context.CancelFunc
	b.ctx, end = chromedp.NewContext(allocator)
	t.Cleanup(end)
	if err := chromedp.Listen(b.ctx, func(event any) {
		if e, ok := event.(*log.EventEntryAdded); ok {
			b.mu.Lock()
			defer b.mu.Unlock()
			text := e.Entry.Text
			if strings.HasPrefix(text, noResource) {
				text += " " + e.Entry.URL
			}
			b.console = append(b.console, text)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(b.ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	return b
}

// noResource is what the console says of every answer that is none, whatever the reason.
const noResource = "Failed to load resource"

// open opens an empty page of an origin. That of the opaque origin is one in a sandbox.
func (b *chromium) open(t *testing.T, origin, pages string) {
	t.Helper()
	if b.at == origin {
		return
	}
	page := origin + "/page"
	if origin == "null" {
		page = "http://shop.localhost:" + pages + "/sandbox"
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(page)); err != nil {
		t.Fatalf("opening %s: %v", page, err)
	}
	b.at = origin
}

// came is what a script sees of its fetch.
type came struct {
	Readable bool     `json:"readable"`
	Headers  []string `json:"headers"`
	Error    string   `json:"error"`
}

const fetchScript = `(async ({url, init}) => {
	try {
		const response = await fetch(url, init);
		await response.text();
		return { readable: true, headers: [...response.headers.keys()], error: "" };
	} catch (e) {
		return { readable: false, headers: [], error: String(e) };
	}
})(%s)`

const webSocketScript = `(async () => new Promise((resolve) => {
	const socket = new WebSocket(%s.url.replace(/^http/, "ws"));
	socket.onopen = () => resolve({ readable: true, headers: [], error: "" });
	socket.onerror = () => resolve({ readable: false, headers: [], error: "" });
}))().catch((e) => ({ readable: false, headers: [], error: String(e) }))`

// fetch lets the open page fetch.
func (b *chromium) fetch(t *testing.T, f Fetch) came {
	t.Helper()
	type init struct {
		Method      string      `json:"method,omitempty"`
		Headers     [][2]string `json:"headers"`
		Credentials string      `json:"credentials"`
	}
	argument := struct {
		URL  string `json:"url"`
		Init init   `json:"init"`
	}{f.URL, init{Method: f.Method, Headers: [][2]string{}, Credentials: f.Credentials.String()}}
	for _, h := range f.Headers {
		argument.Init.Headers = append(argument.Init.Headers, [2]string{h.Name, h.Value})
	}
	text, err := json.Marshal(argument)
	if err != nil {
		t.Fatal(err)
	}
	script := fetchScript
	if f.WebSocket {
		script = webSocketScript
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, chromedp.Evaluate[came](fmt.Sprintf(script, text), chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("fetching %s: %v", text, err)
	}
	return result
}

// said returns what the console said of a URL with this in it, waiting for it where something is awaited.
func (b *chromium) said(t *testing.T, about string, awaited bool) string {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		i := slices.IndexFunc(b.console, func(s string) bool {
			return strings.Contains(s, about) && !strings.HasPrefix(s, noResource)
		})
		text := ""
		if i >= 0 {
			text = b.console[i]
		}
		b.mu.Unlock()
		if text != "" || !awaited {
			return text
		}
		if time.Now().After(deadline) {
			t.Errorf("the console says nothing of %s", about)
			return ""
		}
	}
}

// saw is what the server saw of a request, as far as the model says it.
type saw struct {
	Method, Origin, RequestMethod, RequestHeaders, FetchSite string
}

// seen remembers requests by the fetch that they belong to.
type seen struct {
	mu       sync.Mutex
	requests map[string][]saw
}

func (s *seen) add(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.URL.Query().Get("case")
	one := func(name string) string {
		lines, ok := r.Header[http.CanonicalHeaderKey(name)]
		if !ok {
			return "none"
		}
		return strings.Join(lines, "|")
	}
	s.requests[key] = append(s.requests[key], saw{
		r.Method, one("Origin"), one("Access-Control-Request-Method"), one("Access-Control-Request-Headers"), one("Sec-Fetch-Site"),
	})
}

func (s *seen) of(key string) []saw {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[key]
}

// expected returns what the model says that the server sees.
func (r *Result) expected() (all []saw) {
	for _, e := range []*Exchange{r.Preflight, r.Actual} {
		if e == nil {
			continue
		}
		h := byName(e.Headers)
		or := func(name string) string { return cmp.Or(h[name], "none") }
		all = append(all, saw{
			e.Method, or("origin"), or("access-control-request-method"), or("access-control-request-headers"), or("sec-fetch-site"),
		})
		if e.Status == 0 {
			break // whether the request follows is the upstream's to say
		}
	}
	return all
}

func port(t *testing.T, rawURL string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}
