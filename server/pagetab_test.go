package server

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/corsproc/corsproc/policy/browser/chromium"
)

// tab is a tab of a real Chromium that remembers what the console said and what was asked for.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	console  []string
	requests map[network.RequestID]*network.Request
	statuses map[network.RequestID]int64 // also of answers that no page gets to see
}

// chromiumStarted is the one Chromium of all tests of the package, which TestMain ends: to start one takes seconds. Names below
// evil.example lead to this machine.
var chromiumStarted = sync.OnceValues(func() (context.Context, error) {
	flags, err := chromium.Options()
	if err != nil {
		return nil, err
	}
	rules := chromedp.Flag("host-resolver-rules", "MAP evil.example 127.0.0.1, MAP *.evil.example 127.0.0.1")
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(flags, rules)...)
	ctx, end := chromedp.NewContext(allocator)
	endChromium = func() { end(); stop() }
	return ctx, chromedp.Do(ctx)
})

var endChromium = func() {}

// waiters is how many parallel tests run at once, unless the command line says otherwise. Nearly all of their time is waiting:
// for a handshake that is never made, for files that are looked at every second, for a disk that does not answer. Tests of
// the page are not among them: they wait for a browser that works.
const waiters = 6

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set(strconv.Itoa(waiters))
	}
	code := m.Run()
	endChromium()
	os.Exit(code)
}

// newTab opens a tab in a browser context of its own: nothing that another test's pages have stored or said is in it. Without
// a browser the test is skipped, or fails where everything has to be there.
func newTab(t *testing.T) *tab {
	t.Helper()
	if _, err := chromium.Options(); err != nil {
		if os.Getenv("CORSPROC_REQUIRE_E2E") != "" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED, not tested: %v", err)
	}
	started, err := chromiumStarted()
	if err != nil {
		t.Fatal(err)
	}
	b := &tab{t: t, requests: make(map[network.RequestID]*network.Request), statuses: make(map[network.RequestID]int64)}
	var end context.CancelFunc
	b.ctx, end = chromedp.NewContext(started, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	listening := chromedp.Listen(b.ctx, b.listen)
	_, logFailed := chromedp.Call(b.ctx, log.Enable, cdp.Empty{})
	_, networkFailed := chromedp.Call(b.ctx, network.Enable, network.EnableParams{})
	if err := errors.Join(listening, logFailed, networkFailed); err != nil {
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
		b.console = append(b.console, "console."+string(e.Type))
	case *runtime.EventExceptionThrown:
		b.console = append(b.console, e.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		b.requests[e.RequestID] = e.Request
	case *network.EventResponseReceivedExtraInfo:
		b.statuses[e.RequestID] = e.StatusCode
	}
}

// quiet fails if anything went wrong in the page, or anything was asked of somebody else than address.
func (b *tab) quiet(address string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.console {
		b.t.Errorf("the console says: %s", text)
	}
	for _, r := range b.requests {
		if !strings.HasPrefix(r.URL, address) {
			b.t.Errorf("the page asks for %s", r.URL)
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

// open opens a page, and waits until it shows what an expression says.
func (b *tab) open(url, shown string) {
	b.t.Helper()
	b.do("opening "+url, chromedp.Navigate(url))
	b.waitFor("it shows", shown)
}

// waitFor waits until a JavaScript expression holds.
func (b *tab) waitFor(what, expression string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for !evaluate[bool](b, "!!("+expression+")") {
		if time.Now().After(deadline) {
			b.t.Fatalf("%s does not come true: %s\non a page that says:\n%s", what, expression, evaluate[string](b, `document.body.innerText`))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// says waits until the text of an element holds another.
func (b *tab) says(id, text string) {
	b.t.Helper()
	b.waitFor(id+" says "+text, `document.getElementById(`+strconv.Quote(id)+`).innerText.includes(`+strconv.Quote(text)+`)`)
}

// evaluate returns the value of a JavaScript expression.
func evaluate[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// picture keeps a picture of the whole page in the directory that the environment's CORSPROC_PICTURES names, for people to
// look at.
func (b *tab) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("CORSPROC_PICTURES")
	if dir == "" {
		return
	}
	data, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), data, 0o600)
	}
	if err != nil {
		b.t.Error(err)
	}
}
