package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// attempts is what a page tries against the admin address: to read what is there, to have the files reloaded, and to switch
// a log on. It returns what it could read, by the name of the attempt.
const attempts = `(async (admin) => {
	const read = {};
	const api = admin + "/corsproc.v1.AdminService/";
	const attempt = async (name, url, init) => {
		try {
			const response = await fetch(url, init);
			const text = await response.text();
			if (text && response.ok) read[name] = text.slice(0, 200);
		} catch {}
	};
	const json = { "Content-Type": "application/json" };
	const log = JSON.stringify({ virtualHost: "api", duration: "600s" });
	for (const mode of ["cors", "no-cors"]) {
		for (const [kind, headers] of Object.entries({ "JSON": json, "text": { "Content-Type": "text/plain" } })) {
			const how = mode + " " + kind;
			await attempt(how + " Status", api + "Status", { method: "POST", mode, headers, body: "{}" });
			await attempt(how + " Explain", api + "Explain", { method: "POST", mode, headers, body: JSON.stringify({ origin: "https://shop.example.com", url: "https://api.example.com/" }) });
			await attempt(how + " LogDecisions", api + "LogDecisions", { method: "POST", mode, headers, body: log });
			await attempt(how + " reload", admin + "/-/reload", { method: "POST", mode, headers });
		}
		await attempt(mode + " Status by GET", api + "Status?connect=v1&encoding=json&message=%7B%7D", { mode });
		for (const path of ["/", "/config", "/page/app.js", "/metrics"]) await attempt(mode + " " + path, admin + path, { mode });
	}
	navigator.sendBeacon(admin + "/-/reload", "x");
	navigator.sendBeacon(api + "LogDecisions", new Blob([log], { type: "text/plain" }));
	await attempt("the last, behind the beacons", admin + "/-/healthy", { mode: "no-cors" });
	return read;
})`

// forms is what a page tries without a script: a form of each kind, into a frame, and the admin page itself in one.
const forms = `((admin) => {
	const post = (action, enctype, name, value) => {
		const frame = document.createElement("iframe");
		frame.name = "frame" + document.querySelectorAll("iframe").length;
		const form = document.createElement("form");
		Object.assign(form, { method: "post", action, enctype, target: frame.name });
		const input = document.createElement("input");
		Object.assign(input, { type: "hidden", name, value });
		form.append(input);
		frame.addEventListener("load", () => frame.dataset.loaded = "yes");
		document.body.append(frame, form);
		form.submit();
	};
	post(admin + "/-/reload", "application/x-www-form-urlencoded", "a", "b");
	post(admin + "/-/reload", "multipart/form-data", "a", "b");
	// {"virtualHost":"api","duration":"600s","origin":"=…"}
	post(admin + "/corsproc.v1.AdminService/LogDecisions", "text/plain", '{"virtualHost":"api","duration":"600s","origin":"', '"}');
	const framed = document.createElement("iframe");
	framed.src = admin + "/";
	framed.addEventListener("load", () => framed.dataset.loaded = "yes");
	document.body.append(framed);
	return true;
})`

// TestForeignPages lets pages of other origins, in a real browser, try to read from the admin address and to write to it;
// and our own page, to see that the attempts are real ones.
func TestForeignPages(t *testing.T) {
	r := start(t, pagePolicies, func(s *Settings) { s.ReloadInterval = 0 })
	admin := "http://" + r.admin
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!DOCTYPE html><title>foreign</title><link rel=icon href=data:,>")
	}))
	t.Cleanup(foreign.Close)
	address, err := url.Parse(foreign.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, adminPort, _ := strings.Cut(r.admin, ":")
	b := newTab(t)

	for _, c := range []struct{ name, page, target string }{
		{"another port of the same host", foreign.URL, admin},
		{"another name of this machine", "http://localhost:" + address.Port(), admin},
		{"another site", "http://evil.example:" + address.Port(), admin},
		{"another site, with its own name for the admin address", "http://evil.example:" + address.Port(), "http://admin.evil.example:" + adminPort},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.t = t
			b.open(c.page, `document.title === "foreign"`)
			for name, text := range r.tried(b, c.target) {
				t.Errorf("%s can be read: %s", name, text)
			}
			evaluate[bool](b, forms+"("+strconv.Quote(c.target)+")")
			b.waitFor("every frame has loaded", `[...document.querySelectorAll("iframe")].every((f) => f.dataset.loaded)`)
			r.untouched(b)
			b.mu.Lock()
			defer b.mu.Unlock()
			if said := strings.Join(b.console, "\n"); !strings.Contains(said, "frame") {
				t.Errorf("the page in a frame is not refused:\n%s", said)
			}
			b.console = nil
		})
	}
	t.Run("a name that points here", func(t *testing.T) { // DNS rebinding: to the browser this is the same origin
		b.t = t
		// A page that was loaded before the name came to point here is not held to what our answers say.
		if _, err := chromedp.Call(b.ctx, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true}); err != nil {
			t.Fatal(err)
		}
		own := "http://evil.example:" + adminPort
		b.open(own, `document.body.innerText.includes("--admin-hosts")`)
		for name, text := range r.tried(b, own) {
			if !strings.HasSuffix(name, "/metrics") && !strings.HasPrefix(name, "the last") { // machines ask under any name
				t.Errorf("%s can be read: %s", name, text)
			}
		}
		r.untouched(b)
	})
	t.Run("our own", func(t *testing.T) {
		b.t = t
		b.open(admin, `document.querySelector("#hosts-rows li")`)
		read := r.tried(b, admin)
		for _, name := range []string{"cors JSON Status", "cors JSON Explain", "cors JSON LogDecisions", "cors JSON reload", "cors /config"} {
			if read[name] == "" {
				t.Errorf("%s does not work", name)
			}
		}
		if m := r.status(); len(m.GetLogging()) != 1 {
			t.Errorf("our own page switches no log on: %v", m)
		}
	})
}

func (r *running) tried(b *tab, target string) map[string]string {
	b.t.Helper()
	return evaluate[map[string]string](b, attempts+"("+strconv.Quote(target)+")")
}

// untouched fails if anything was switched on, or if anything that the browser sent was answered with anything but a refusal,
// but for what machines read. What it did before is forgotten.
func (r *running) untouched(b *tab) {
	b.t.Helper()
	if m := r.status(); len(m.GetLogging()) != 0 || len(m.GetReloads()) != 1 {
		b.t.Errorf("a foreign page has done this: logging %v, reloads %v", m.GetLogging(), m.GetReloads())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	writes, reads := 0, 0
	for id, status := range b.statuses {
		r := b.requests[id]
		switch {
		case r == nil:
		case r.Method == http.MethodPost:
			if writes++; status != http.StatusForbidden {
				b.t.Errorf("a foreign page's write to %s is answered with the status %d", r.URL, status)
			}
		case strings.HasSuffix(r.URL, "/config") || strings.HasSuffix(r.URL, ".js"):
			if reads++; status != http.StatusForbidden {
				b.t.Errorf("a foreign page's request for %s is answered with the status %d", r.URL, status)
			}
		}
	}
	if writes < 10 || reads < 4 {
		b.t.Errorf("only %d writes and %d reads reached the admin address", writes, reads)
	}
	clear(b.statuses)
}
