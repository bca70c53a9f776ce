package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
)

// pagePolicies have something of everything that the page shows.
const pagePolicies = `policies:
  shop:
    allow_origins: [https://shop.example.com]
    allow_methods: [PUT]
    allow_headers: [X-Cart]
    expose_headers: [X-Order]
    allow_credentials: true
    max_age: 600s
  partners:
    allow_origins: ["https://*.partner.example"]
  anyone:
    allow_origins: ["*"]
virtual_hosts:
  - name: api
    domains: [api.example.com]
    policies: [shop, partners]
    candidates: [anyone]
    routes:
      - {path: /status, policies: [anyone]}
      - {prefix: /admin, policies: [shop], reject: ALWAYS}
  - name: files
    domains: ["*.files.example.com"]
    policies: [anyone]
`

// exchange sends a request with the headers (name, value, …), and ends it.
func (r *running) exchange(conn *grpc.ClientConn, headers ...string) {
	r.t.Helper()
	stream, err := extprocv3.NewExternalProcessorClient(conn).Process(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	var all []*corev3.HeaderValue
	for i := 0; i < len(headers); i += 2 {
		all = append(all, &corev3.HeaderValue{Key: headers[i], RawValue: []byte(headers[i+1])})
	}
	err = stream.Send(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{
		RequestHeaders: &extprocv3.HttpHeaders{Headers: &corev3.HeaderMap{Headers: all}, EndOfStream: true},
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		r.t.Fatal(err)
	}
	stream.CloseSend()
}

// fetched is a request of a page.
func fetched(method, path, origin string, more ...string) []string {
	return append([]string{":method", method, ":scheme", "https", ":authority", "api.example.com", ":path", path, "origin", origin}, more...)
}

// traffic is a little of everything.
func (r *running) traffic() {
	conn := r.connect()
	for range 20 {
		r.exchange(conn, fetched("GET", "/", "https://shop.example.com")...)
	}
	for range 3 {
		r.exchange(conn, fetched("GET", "/orders?secret=1", "https://evil.example")...)
	}
	r.exchange(conn, fetched("OPTIONS", "/orders", "https://shop.example.com", "access-control-request-method", "DELETE")...)
	r.exchange(conn, fetched("OPTIONS", "/orders", "https://shop.example.com", "access-control-request-method", "PUT",
		"access-control-request-headers", "content-type,x-cart")...)
	r.exchange(conn, fetched("POST", "/admin/users", "https://evil.example")...)
	r.exchange(conn, ":method", "GET", ":scheme", "https", ":authority", "api.example.com", ":path", "/")
}

func TestPage(t *testing.T) {
	r := start(t, pagePolicies, func(s *Settings) { s.Pprof = true })
	b := newTab(t)
	b.open("http://"+r.admin+"/", `document.getElementById("since").innerText.includes("ago")`)
	b.says("refusals-note", "Nothing was refused")
	b.lookedAt("empty")
	b.says("policies-rows", r.path+":2:3")
	b.says("hosts-rows", r.path+":14:5")
	b.says("ready", "ready")

	// What happens is seen without doing anything, and without disturbing who reads.
	b.do("scrolling", chromedp.Evaluate[chromedp.Void](`getSelection().selectAllChildren(document.querySelector("#policies-rows li")); scrollTo(0, 50)`))
	r.traffic()
	b.says("refusals-rows", "https://evil.example")
	b.says("refusals-rows", "3 times")
	b.says("refusals-rows", "To allow it: add https://evil.example to policies.shop.allow_origins ("+r.path+":3:20)")
	b.says("refusals-rows", "rejected: origin not allowed")
	b.says("refusals-rows", "policies.shop.allow_methods")
	b.says("reasons", "method_not_allowed")
	unanswered("https://shop.example.com").pay(t, r.connect())
	b.says("refusals-rows", "refused: preflight unanswered")
	b.says("refusals-rows", "put corsproc first in http_filters.")
	b.says("candidates-rows", "refused")
	if selected := evaluate[string](b, `getSelection().toString()`); !strings.Contains(selected, "policies.yaml:11:3") {
		t.Errorf("what was selected is now %q", selected)
	}
	if at := evaluate[float64](b, `scrollY`); at != 50 {
		t.Errorf("the page has moved to %v", at)
	}
	if text := evaluate[string](b, `document.body.innerText`); strings.Contains(text, "secret") {
		t.Errorf("the page shows a query:\n%s", text)
	}
	if d := evaluate[string](b, `document.querySelector(".bar.allowed").getAttribute("d")`); d == "" {
		t.Error("the chart shows nothing allowed")
	}
	b.do("folding the routes open", chromedp.Click(chromedp.CSS("#hosts-rows details:not([hidden]) summary")))
	b.says("hosts-rows", "prefix /admin")

	// A refusal is explained and logged by its buttons.
	b.do("explaining", chromedp.Click(chromedp.CSS(`button[aria-label="Explain the refusal of https://evil.example"]`)))
	b.waitFor("the verdict has the focus", `document.activeElement.id === "verdict"`)
	b.says("explanation", "The page may not read the answer")
	b.do("logging", chromedp.Click(chromedp.CSS(`button[aria-label="Log decisions about https://evil.example in api for 10 minutes"]`)))
	b.says("logging-rows", "min left")
	b.lookedAt("traffic")
	b.named("main", "banner", "navigation", "region", "heading", "table", "button", "textbox", "combobox", "checkbox", "image", "status")
	b.do("logging no more", chromedp.Click(chromedp.CSS(`button[aria-label="Stop logging api, https://evil.example"]`)))
	b.says("logging-note", "Nothing")
	if !evaluate[bool](b, `!!document.querySelector("#hosts-rows details[open]")`) {
		t.Error("the routes do not stay open")
	}
	if n := evaluate[int](b, `document.querySelectorAll('a[href="debug/pprof/"]').length`); n != 1 {
		t.Errorf("%d links to the profiles", n)
	}
	b.quiet("http://" + r.admin + "/")
}

// TestPageExplains fills the form as somebody does who has no mouse.
func TestPageExplains(t *testing.T) {
	r := start(t, pagePolicies, nil)
	b := newTab(t)
	b.open("http://"+r.admin+"/", `document.querySelector("#hosts-rows li")`)
	press := func(keys ...string) {
		t.Helper()
		for _, k := range keys {
			b.do("typing", chromedp.KeyEvent(k))
		}
	}
	for range 40 {
		if press(kb.Tab); evaluate[string](b, `document.activeElement.id`) == "x-origin" {
			break
		}
	}
	press("https://shop.example.com", kb.Tab, "https://api.example.com/orders", kb.Tab, "PUT", kb.Tab, "i") // include
	press(kb.Tab, kb.Tab, " ", "X-Cart", kb.Tab, "17", kb.Enter)
	b.waitFor("the verdict has the focus", `document.activeElement.id === "verdict"`)
	for _, text := range []string{
		"The page may read the answer: allowed", "PUT https://api.example.com/orders", "access-control-request-headers: x-cart", "rule policies.shop.allow_origins[0] at " + r.path + ":3:21",
		"X-Order, and the safelisted ones", "600 s in Chromium", "access-control-allow-credentials: true",
	} {
		b.says("explanation", text)
	}
	b.lookedAt("explained")

	// What was asked is in the address: somebody else sees the same.
	address := evaluate[string](b, `location.href`)
	b.open("about:blank", "true")
	b.open(address, `document.getElementById("verdict")`)
	b.says("explanation", "access-control-request-headers: x-cart")

	b.open("about:blank", "true")
	b.open("http://"+r.admin+"/#explain?origin=https://shop.example.com/&url=nothing", `document.getElementById("explain-error").innerText`)
	b.says("explain-error", "an origin has no path")
	if !evaluate[bool](b, `document.getElementById("explanation").hidden`) {
		t.Error("an explanation beside the faults")
	}
	b.lookedAt("fault")
}

func TestPageShowsWhyAReloadFailed(t *testing.T) {
	files := newUnwatched(t, pagePolicies)
	r := start(t, pagePolicies, func(s *Settings) { s.Policies = files.path })
	r.path = files.path
	b := newTab(t)
	b.open("http://"+r.admin+"/", `document.querySelector("#reloads-rows li")`)
	files.write(strings.Replace(pagePolicies, "https://shop.example.com]", "https://Shop.example.com/<img src=x onerror=alert(1)>]", 1))
	b.do("reloading", chromedp.Click(chromedp.CSS("#reload")))
	b.says("reload-result", r.path+":3:21: ")
	b.says("failure", r.path+":3:21")
	b.says("failure", "<img src=x onerror=alert(1)>")
	b.says("announced", "cannot be used")
	b.waitFor("the title says it", `document.title === "corsproc: policy files not loaded"`)
	b.lookedAt("failed")

	files.write(strings.Replace(pagePolicies, "[PUT]", "[PUT, DELETE]", 1))
	b.do("reloading", chromedp.Click(chromedp.CSS("#reload")))
	b.says("reload-result", "reloaded")
	b.waitFor("it is repaired", `document.getElementById("failure").hidden`)
	if n := evaluate[int](b, `document.querySelectorAll("#reloads-rows > li").length`); n != 3 {
		t.Errorf("%d attempts are shown, want 3", n)
	}
	b.do("folding the findings open", chromedp.Click(chromedp.CSS("#reloads-rows summary")))
	b.says("reloads-rows", r.path+":3:21")
	// A refused request of fetch is all that the console may say.
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.console {
		if !strings.Contains(text, "status of 400") {
			t.Errorf("the console says: %s", text)
		}
	}
}

// unwatched are policy files whose changes nobody hears of, so that the look that is asked for is what finds them: they are
// behind a symbolic link further up than what is watched.
type unwatched struct {
	t       *testing.T
	path    string
	link    string
	changes int
}

func newUnwatched(t *testing.T, policies string) *unwatched {
	link := filepath.Join(t.TempDir(), "current")
	u := &unwatched{t: t, path: filepath.Join(link, "some", "where", "policies.yaml"), link: link}
	u.write(policies)
	return u
}

// write puts other policies in the place of those that are there.
func (u *unwatched) write(policies string) {
	u.t.Helper()
	u.changes++
	version := fmt.Sprintf("%s-%d", u.link, u.changes)
	where := filepath.Join(version, "some", "where")
	if err := errors.Join(os.MkdirAll(where, 0o700), os.WriteFile(filepath.Join(where, "policies.yaml"), []byte(policies), 0o600),
		os.Symlink(version, u.link+"~"), os.Rename(u.link+"~", u.link)); err != nil {
		u.t.Fatal(err)
	}
}

// TestPageIsDeafToStrangers sends what could do harm on a page that is careless.
func TestPageIsDeafToStrangers(t *testing.T) {
	r := start(t, pagePolicies, nil)
	b := newTab(t)
	b.open("http://"+r.admin+"/", `document.querySelector("#hosts-rows li")`)
	conn := r.connect()
	const image = `<img src=x onerror="document.title='taken'">`
	long := "https://" + strings.Repeat(strings.Repeat("a", 61)+".", 5)[:253-8] + ".example:65535"
	for _, headers := range [][]string{
		fetched("GET", "/"+image, image),
		fetched("GET", "/\u202egnp.exe", "https://evil.example\u202e\u0000\x1b[31m"),
		fetched(image, "/", "https://first.example"),
		fetched("GET", "/"+strings.Repeat("long", 900), long),
		fetched("OPTIONS", "/"+image+"\u202e", "https://shop.example.com", "access-control-request-method", image, "access-control-request-headers", image),
		fetched("GET", "/", "javascript:alert(1)"),
	} {
		r.exchange(conn, headers...)
	}
	b.waitFor("they are shown", `document.querySelectorAll("#refusals-rows > li").length >= 6`)
	b.says("refusals-rows", strings.ReplaceAll(image, `"`, `\"`))
	b.says("refusals-rows", long)
	b.says("refusals-rows", `\u202e`)
	b.lookedAt("hostile")
	if n := evaluate[int](b, `document.querySelectorAll("img, iframe, object, main script, main [onerror]").length`); n != 0 {
		t.Errorf("%d elements came from outside", n)
	}
	if text := evaluate[string](b, `document.body.textContent`); strings.ContainsAny(text, "\u202e\u0000\x1b") {
		t.Error("what is not printable is on the page")
	}
	for range evaluate[int](b, `document.querySelectorAll('button[aria-label^="Explain the refusal"]').length`) {
		b.do("explaining one", chromedp.Click(chromedp.CSS(`button[aria-label^="Explain the refusal"]`)))
	}
	b.quiet("http://" + r.admin + "/")
}

// A process that goes is said to be gone, and its successor is shown without anybody's doing.
func TestPageOutlivesTheProcess(t *testing.T) {
	first := start(t, pagePolicies, nil)
	b := newTab(t)
	b.open("http://"+first.admin+"/", `document.querySelector("#hosts-rows li")`)
	first.stop()
	b.says("lost", "corsproc does not answer: it cannot be reached. What is below is as it was at ")
	b.waitFor("the title says it", `document.title === "corsproc: no answer"`)
	b.lookedAt("lost")

	start(t, strings.Replace(pagePolicies, "partners", "friends", 2), func(s *Settings) { s.AdminListen = first.admin })
	b.says("policies-rows", "friends")
	b.waitFor("it answers again", `document.getElementById("lost").hidden && document.title === "corsproc: ready"`)
}

// tenMinutes shows a chart of ten minutes: a load that swells, refused origins twice, and no more than that to decide.
const tenMinutes = `import(new URL("page/chart.js", location)).then(({ showDecisions }) => {
	const spans = Array.from({ length: 120 }, (_, i) => {
		const reasons = { allowed: Math.round(400 + 300 * Math.sin(i / 15)), not_cors: 5000 };
		if (i % 60 > 50) Object.assign(reasons, { origin_not_allowed: 90, header_not_allowed: 40, path_ambiguous: 20 });
		return { reasons };
	});
	showDecisions({ decisions: { span: "5s", spans }, time: new Date().toISOString() });
	const bars = (group) => document.querySelector(".bar." + group).getAttribute("d").split("M").length - 1;
	return [bars("allowed"), bars("origin"), bars("asked"), bars("other"), bars("none")].join(" ");
})`

func TestPageChart(t *testing.T) {
	r := start(t, pagePolicies, nil)
	b := newTab(t)
	b.open("http://"+r.admin+"/", `document.querySelector("#hosts-rows li")`)
	for _, l := range looks {
		b.look(l.scheme, l.width)
		if bars := evaluate[string](b, tenMinutes); bars != "120 18 18 18 0" {
			t.Errorf("%s bars", bars)
		}
		b.readable("chart, " + l.name)
		b.picture("chart-" + l.name)
	}
	b.do("showing all", chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("#legend input")].at(-1).click()`))
	if bars := evaluate[string](b, tenMinutes); bars != "120 18 18 18 120" {
		t.Errorf("%s bars, with those where there is nothing to decide", bars)
	}
	text := evaluate[string](b, tenMinutes+`.then(() => document.getElementById("reasons").innerText)`)
	if !regexp.MustCompile(`not_cors\s+60,000\s+600K\s+allowed\s`).MatchString(text) {
		t.Errorf("the table says\n%s", text)
	}
}

// grantsOf returns what the page says of a policy, by its terms.
const grantsOf = `((name) => {
	const row = [...document.querySelectorAll("#policies-rows > li")].find((li) => li.querySelector("h3").innerText === name);
	return Object.fromEntries([["", row.querySelector("summary").innerText],
		...[...row.querySelectorAll("dt")].map((dt) => [dt.innerText, dt.nextElementSibling.innerText.replaceAll(/\s+/g, " ")])]);
})`

// manyGrants are policies with everything that they can grant, some of it long.
func manyGrants() string {
	var text strings.Builder
	fmt.Fprint(&text, `origin_sets: {desks: [https://desk.example.com]}
policies:
  everything:
    allow_origins: [https://shop.example.com, "https://*.shop.example.com", "@desks"]
    allow_origin_regexes: ['https://pr-[0-9]+\.example\.com']
    deny_origins: [https://old.shop.example.com]
    allow_methods: [PUT, DELETE]
    allow_headers: [X-Cart, Authorization]
    expose_headers: [X-Order]
    allow_credentials: true
    max_age: 10m
    preflight_status: 200
    allow_private_network: true
  long:
    allow_origins: [`)
	for i := range 250 {
		fmt.Fprintf(&text, "https://a%03d.%s.example, ", i, strings.Repeat("long-", 9)+"x")
	}
	fmt.Fprint(&text, `https://last.example]
  anyone: {allow_origins: ["*"], allow_methods: ["*"], allow_headers: ["*"], expose_headers: ["*"]}
  fixed: {allow_origins: [https://shop.example.com], fixed_origin: true, expose_upstream: true}
  spare: {allow_origin_regexes: ['https://[a-z]+\.spare\.example']}
default: {policies: [anyone]}
virtual_hosts:
- {name: own, policies: [everything, long], candidates: [anyone], routes: [{path: /a}, {prefix: /b/, policies: [long]}]}
- {name: other}
`)
	for i := range 10 {
		fmt.Fprintf(&text, "- {name: more-%d, policies: [long]}\n", i)
	}
	return text.String()
}

// TestPageShowsGrants reads what policies grant and where they are used, and folds open what is long.
func TestPageShowsGrants(t *testing.T) {
	r := start(t, manyGrants(), nil)
	b := newTab(t)
	b.open("http://"+r.admin+"/", `document.querySelectorAll("#policies-rows dl").length === 5`)
	grants := func(name string) map[string]string {
		t.Helper()
		return evaluate[map[string]string](b, grantsOf+"("+strconv.Quote(name)+")")
	}
	at := func(line, column int) string { return fmt.Sprintf(" %s:%d:%d", r.path, line, column) }
	const none = "the safelisted ones only"
	for name, want := range map[string]map[string]string{
		"everything": {
			"":        "3 origins, 1 expression, 1 exception, credentials, 2 methods, 2 headers, 1 exposed header, used at 1 place",
			"Origins": "https://shop.example.com, https://*.shop.example.com, @desks", "By expression": `https://pr-[0-9]+\.example\.com`,
			"Except": "https://old.shop.example.com", "Credentials": "allowed", "Methods": "GET, HEAD, POST, PUT, DELETE", "Headers": "X-Cart, Authorization",
			"Exposed": "X-Order", "Max age": "600s", "Preflights": "answered with 200", "Private network": "access is granted",
			"Used at": "own, and at 1 place inside that takes its list over" + at(21, 3),
		},
		"anyone": {
			"": "anybody, 1 method, 1 header, 1 exposed header, used at 2 places", "Origins": "* (anybody)", "Credentials": "not allowed", "Methods": "GET, HEAD, POST, *",
			"Headers": "*", "Exposed": "*", "Max age": "not set: browsers keep a preflight for 5 seconds",
			"Used at": "default, and at 1 place inside that takes its list over" + at(19, 10) + " own, as a candidate, and at 1 place inside that takes its list over" + at(21, 3),
		},
		"fixed": {
			"": "1 origin, not used", "Origins": "https://shop.example.com", "Credentials": "not allowed", "Methods": "GET, HEAD and POST only", "Headers": none, "Exposed": none + ", and what the upstream exposes",
			"Max age": "not set: browsers keep a preflight for 5 seconds", "Fixed origin": "every answer names this origin, whoever asks", "Used at": "no place",
		},
		"spare": {
			"": "1 expression, not used", "Origins": "by expression only", "By expression": `https://[a-z]+\.spare\.example`, "Credentials": "not allowed",
			"Methods": "GET, HEAD and POST only", "Headers": none, "Exposed": none, "Max age": "not set: browsers keep a preflight for 5 seconds", "Used at": "no place",
		},
	} {
		if diff := cmp.Diff(want, grants(name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	long := grants("long")
	if !strings.HasSuffix(long["Origins"], "94 more origins 151 more in the set in force.") || !strings.Contains(long["Used at"], "6 more places") || strings.Contains(long["Origins"], "a006") {
		t.Errorf("what is long is not folded: %v", long)
	}
	b.lookedAt("grants")
	for range 2 { // those that have come since are opened too
		b.do("folding open", chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("#policies-rows dd summary").forEach((s) => s.parentElement.open || s.click())`))
	}
	b.waitFor("all is open", `document.querySelector("#policies-rows").innerText.includes("a099")`)
	if long := grants("long"); !strings.Contains(long["Used at"], "more-9") || strings.Contains(long["Origins"], "a100") {
		t.Errorf("folded open: %v", long)
	}
	b.lookedAt("grants-open")
	b.named("heading", "button", "DisclosureTriangle")
	b.quiet("http://" + r.admin + "/")
}

// TestPageBehindAProxy opens the page where a proxy ends TLS and serves it below a path.
func TestPageBehindAProxy(t *testing.T) {
	r := start(t, pagePolicies, nil)
	proxy := httptest.NewTLSServer(http.StripPrefix("/ops/corsproc", &httputil.ReverseProxy{Rewrite: func(q *httputil.ProxyRequest) {
		q.SetURL(&url.URL{Scheme: "http", Host: r.admin})
		q.Out.Host = q.In.Host
	}}))
	t.Cleanup(proxy.Close)
	b := newTab(t)
	if _, err := chromedp.Call(b.ctx, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true}); err != nil {
		t.Fatal(err)
	}
	b.open(proxy.URL+"/ops/corsproc/", `document.querySelector("#hosts-rows li")`)
	b.do("reloading", chromedp.Click(chromedp.CSS("#reload")))
	b.says("reload-result", "unchanged")
	b.do("logging", chromedp.Click(chromedp.CSS(`button[aria-label="Log decisions about the virtual host api for 10 minutes"]`)))
	b.says("logging-rows", "min left")
	b.quiet(proxy.URL + "/ops/corsproc/")
}

// Without scripts the page says where else to look.
func TestPageWithoutScripts(t *testing.T) {
	r := start(t, pagePolicies, nil)
	b := newTab(t)
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	if err != nil {
		t.Fatal(err)
	}
	b.open("http://"+r.admin+"/", `document.body.innerText.includes("needs JavaScript")`)
	b.lookedAt("noscript")
}

// Of a large set the page shows the beginning, and finds in it.
func TestPageOfALargeSet(t *testing.T) {
	var text strings.Builder
	fmt.Fprint(&text, "policies:\n")
	for i := range 2000 {
		fmt.Fprintf(&text, "  policy-%04d-%s: {allow_origins: [https://a%d.example]}\n", i, strings.Repeat("x", 40), i)
	}
	fmt.Fprint(&text, "virtual_hosts:\n")
	for i := range 2000 {
		fmt.Fprintf(&text, "- {domains: [h%d.%s.example.com], policies: [policy-%04d-%s]}\n", i, strings.Repeat("long-", 10)+"x", i, strings.Repeat("x", 40))
	}
	r := start(t, text.String(), nil)
	b := newTab(t)
	b.open("http://"+r.admin+"/", `document.querySelectorAll("#policies-rows > li").length === 500`)
	b.says("policies-note", "first 500, and 1,500 more are in the set in force")
	b.says("hosts-note", "first 500, and 1,501 more")
	b.do("searching", chromedp.SendKeys(chromedp.CSS("#hosts-filter"), "h17."))
	b.says("hosts-note", "1 of 500 match")
	if n := evaluate[int](b, `document.querySelectorAll("#hosts-rows > li").length`); n != 1 {
		t.Errorf("%d virtual hosts are shown, want 1", n)
	}
	if n := evaluate[int](b, `document.querySelectorAll("#policies-rows dl").length`); n != 0 {
		t.Errorf("%d of many policies are folded open", n)
	}
	b.do("searching", chromedp.SendKeys(chromedp.CSS("#policies-filter"), "https://a17.example"))
	b.says("policies-note", "1 of 500 match")
	b.do("folding one open", chromedp.Click(chromedp.CSS("#policies-rows summary")))
	b.says("policies-rows", "https://a17.example")
	b.lookedAt("large")
	b.quiet("http://" + r.admin + "/")
}
