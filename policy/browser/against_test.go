package browser

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// TestAgainstChromium lets a real Chromium do the fetches of the table, and compares what it does with what the model
// says: the requests that it sends, what a script may read, and the words in the console.
func TestAgainstChromium(t *testing.T) {
	b := newChromium(t)
	var set atomic.Pointer[policy.Set]
	requests := &seen{requests: map[string][]saw{}}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page" {
			servePage(w, r)
			return
		}
		requests.add(r)
		playEnvoy(w, r, set.Load())
	}))
	defer api.Close()
	pages := httptest.NewServer(http.HandlerFunc(servePage))
	defer pages.Close()

	apiPort, pagePort := port(t, api.URL), port(t, pages.URL)
	all, policies := readTable(t, apiPort, pagePort)
	set.Store(policies.Set)
	// Pages are opened once for all that they fetch.
	slices.SortStableFunc(all.Fetches, func(a, b fetchCase) int { return strings.Compare(a.Origin, b.Origin) })
	for i, c := range all.Fetches {
		t.Run(c.Name, func(t *testing.T) {
			key := strconv.Itoa(i)
			f := c.fetch(t, apiPort, "case="+key)
			r, err := Do(policies.Set, f)
			if err != nil {
				t.Fatal(err)
			}
			b.open(t, c.Origin, pagePort)
			got := b.fetch(t, f)
			if c.Lenient {
				if n := len(r.Notes); !got.Readable || n == 0 || !strings.Contains(r.Notes[n-1], "Chromium") {
					t.Errorf("Chromium: %+v, and the notes say %q", got, r.Notes)
				}
				return
			}
			if diff := cmp.Diff(r.expected(), requests.of(key)); diff != "" {
				t.Errorf("requests: %s", diff)
			}
			if r.Outcome == Undecided {
				return
			}
			if got.Readable != (r.Outcome == Readable) {
				t.Errorf("readable: Chromium %v (%s), the model %v", got.Readable, got.Error, r.Outcome == Readable)
			}
			if got.Readable && r.Outcome == Readable && !f.WebSocket {
				if diff := cmp.Diff(readableOf(r), got.Headers); diff != "" {
					t.Errorf("headers: %s", diff)
				}
			}
			if said := b.said(t, "case="+key, r.Console != ""); !slices.Contains(possibleWords(t, f, &r), said) {
				t.Errorf("Chromium says\n%s\nthe model\n%s", said, r.Console)
			}
		})
	}
	if len(all.Fetches) < 60 {
		t.Errorf("only %d fetches", len(all.Fetches))
	}
}

// possibleWords returns what the console may say by the model. Of several headers that are not allowed Chromium names any
// one, the model the first.
func possibleWords(t *testing.T, asked Fetch, r *Result) []string {
	t.Helper()
	if r.Preflight == nil || r.Preflight.failure.kind != headerMissing {
		return []string{r.Console}
	}
	f, faults := normalize(asked)
	if len(faults) > 0 {
		t.Fatal(faults[0])
	}
	answer := Answer{r.Preflight.Status, r.Preflight.Answer}
	var words []string
	for _, name := range unsafeNames(f.headers) {
		if failed := f.preflightCheck(&answer, []string{name}); failed.kind != passes {
			words = append(words, f.console(failed, true))
		}
	}
	return words
}

// upstreamHeaders are the headers of the upstream's answers that a script may be shown, in alphabetical order.
var upstreamHeaders = []string{"content-length", "content-type", "x-request-id", "x-served-by"}

// readableOf returns which headers a script sees by the model, in alphabetical order.
func readableOf(r Result) []string {
	names := slices.Clone(upstreamHeaders)
	for _, h := range r.Actual.Answer {
		names = append(names, h.Name)
	}
	slices.Sort(names)
	return slices.DeleteFunc(names, func(name string) bool {
		return !r.Exposed.All && !fetch.IsSafelistedResponseHeader(name) &&
			!slices.ContainsFunc(r.Exposed.Names, func(e string) bool { return strings.EqualFold(e, name) })
	})
}

func servePage(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/sandbox" {
		w.Header().Set("Content-Security-Policy", "sandbox allow-scripts")
	}
	w.Header().Set("Content-Type", "text/html")
	io.WriteString(w, "<!doctype html><title>page</title><link rel=icon href='data:,'>")
}

// playEnvoy answers as Envoy does with corsproc and an upstream that knows nothing of CORS.
func playEnvoy(w http.ResponseWriter, r *http.Request, set *policy.Set) {
	asked := &policy.Request{
		Method: r.Method, Scheme: "http", Authority: r.Host, Path: r.RequestURI, Upgrade: r.Header.Get("Upgrade"),
		RequestHeaders: r.Header.Values("Access-Control-Request-Headers"),
	}
	field := func(name string) policy.Field {
		f := policy.Field{Lines: len(r.Header.Values(name))}
		if f.Lines > 0 {
			f.Value = r.Header.Get(name)
		}
		return f
	}
	asked.Origin, asked.RequestMethod, asked.FetchSite = field("Origin"), field("Access-Control-Request-Method"), field("Sec-Fetch-Site")
	d := set.Decide(asked)
	switch d.Action() {
	case policy.Respond:
		status, headers, body := d.AppendImmediate(nil)
		write(w, headers)
		w.WriteHeader(status)
		io.WriteString(w, body)
		return
	case policy.Adjust:
		write(w, d.AppendResponse(nil, nil))
	}
	if asked.Upgrade != "" {
		shakeHands(w, r)
		return
	}
	h := w.Header()
	h["Date"] = nil
	h.Set("Content-Type", "text/plain")
	h.Set("Content-Length", "2")
	h.Set("X-Request-Id", "1")
	h.Set("X-Served-By", "upstream")
	h.Set("Set-Cookie", "a=b")
	if r.Method != "HEAD" {
		fmt.Fprint(w, "hi")
	}
}

func write(w http.ResponseWriter, headers []policy.Header) {
	for _, h := range headers {
		w.Header().Add(h.Name, h.Value)
	}
}

// shakeHands opens a WebSocket (RFC 6455, section 4.2.2) and closes it.
func shakeHands(w http.ResponseWriter, r *http.Request) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	w.Header().Set("Upgrade", "websocket")
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	conn.Close()
}
