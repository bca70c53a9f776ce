package browser

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// blockingChromium starts a browser to which every name is this machine: http and https lead to two servers of the test,
// http on every port.
func blockingChromium(t *testing.T) *chromium {
	t.Helper()
	serve := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page" {
			servePage(w, r)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Methods", "*")
		io.WriteString(w, "hi")
	})
	plain, secure := httptest.NewServer(serve), httptest.NewTLSServer(serve)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	return newChromium(t, chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("disable-features", "HttpsUpgrades"),
		chromedp.Flag("host-resolver-rules", "MAP *:443 127.0.0.1:"+port(t, secure.URL)+",MAP * 127.0.0.1:"+port(t, plain.URL)))
}

// TestBlockedInChromium holds what is blocked against a real Chromium: what the console says of it, and that it says so
// of nothing else.
func TestBlockedInChromium(t *testing.T) {
	b := blockingChromium(t)
	set := compile(t, "{}").Set
	cases := slices.DeleteFunc(blockedCases(t), func(c blockedCase) bool { return c.Chromium != nil && !*c.Chromium })
	slices.SortStableFunc(cases, func(a, b blockedCase) int { return strings.Compare(a.Origin, b.Origin) })
	for i, c := range cases {
		t.Run(c.String(), func(t *testing.T) {
			f := c.fetch(t)
			f.URL += fmt.Sprintf("?case=%d;", i)
			r, err := Do(set, f)
			if err != nil {
				t.Fatal(err)
			}
			b.open(t, c.Origin, "")
			came := b.fetch(t, f)
			about := fmt.Sprintf("?case=%d;", i)
			switch {
			case c.Reason == "":
				if said := b.said(t, about, false); strings.Contains(said, "This request has been blocked") || b.unsafePort(about) {
					t.Errorf("Chromium blocks it: %s", said)
				}
			case came.Readable:
				t.Error("Chromium lets the page read it")
			case c.Reason == BadPort && !c.WebSocket:
				if !b.unsafePort(about) || !strings.HasSuffix(r.Console, "ERR_UNSAFE_PORT") {
					t.Errorf("Chromium does not speak of the port, the model says %s", r.Console)
				}
			default:
				said := strings.Replace(b.said(t, about, true), "/page' was", "/' was", 1) // which page, the model is not told
				if said != r.Console {
					t.Errorf("Chromium says\n%s\nthe model\n%s", said, r.Console)
				}
			}
		})
	}
}

// unsafePort reports whether the console says of a fetch that its port is blocked.
func (b *chromium) unsafePort(about string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.console, func(s string) bool {
		return strings.HasPrefix(s, noResource) && strings.Contains(s, "net::ERR_UNSAFE_PORT") && strings.Contains(s, about)
	})
}

// portsToTry returns the ports that may be bad: those that others speak, which are the low ones, and all around bad ones.
func portsToTry() (ports []int) {
	for port := range 1100 {
		ports = append(ports, port)
	}
	for _, bad := range badPorts {
		ports = append(ports, bad-2, bad-1, bad, bad+1, bad+2)
	}
	slices.Sort(ports)
	return slices.DeleteFunc(slices.Compact(ports), func(port int) bool { return port < 0 || port == 443 }) // where the other server speaks TLS
}

// TestBadPortsInChromium holds the list of ports against a real Chromium, to which a server answers on every port.
func TestBadPortsInChromium(t *testing.T) {
	b := blockingChromium(t)
	b.open(t, "http://shop.example.com", "")
	ctx, cancel := context.WithTimeout(b.ctx, 4*patience)
	defer cancel()
	const script = `(async (ports) => {
		const blocked = [];
		while (ports.length > 0) {
			await Promise.all(ports.splice(0, 50).map((port) =>
				fetch("http://api.example.com:" + port + "/").then((r) => r.text()).catch(() => blocked.push(port))));
		}
		return blocked;
	})(%s)`
	ports, err := json.Marshal(portsToTry())
	if err != nil {
		t.Fatal(err)
	}
	blocked, err := chromedp.Run(ctx, chromedp.Evaluate[[]int](fmt.Sprintf(script, ports), chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range chromiumPorts {
		n, err := strconv.Atoi(port)
		if err != nil || slices.Contains(blocked, n) {
			t.Errorf("Chromium blocks the port %s too", port)
		}
		blocked = append(blocked, n)
	}
	slices.SortFunc(blocked, cmp.Compare[int])
	if !slices.Equal(blocked, badPorts) {
		t.Errorf("Chromium blocks\n%v, the model\n%v", blocked, badPorts)
	}
}
