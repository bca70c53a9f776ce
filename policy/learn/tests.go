package learn

// Tested by golden_test.go, model_test.go and limits_test.go.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/printable"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// testPolicies is where a test file looks for the policies: beside it.
const testPolicies = "policies.yaml"

// maxTestHeaders is how many headers the fetch of a test sends.
const maxTestHeaders = 50

// tests makes tests of what was seen: what was granted is allowed, what was refused or withheld is not. Where there are
// too many, what each origin may do at all comes before what else it may.
func (l *Learner) tests(out *Learned) *corsprocv1.PolicyTests {
	t := &tester{set: out.set, tests: &corsprocv1.PolicyTests{Policies: testPolicies}, names: map[string]bool{}}
	if out.set == nil {
		return t.tests
	}
	for _, round := range []func(*unit, *corsprocv1.TestFetch){t.origins, t.lists, t.unlisted} {
		for _, w := range out.places {
			for _, u := range w.units {
				if to := w.fetchOf(u, l.options.Routes); to != nil {
					round(u, to)
				}
			}
		}
	}
	return t.tests
}

// fetchOf returns what is fetched of a list's place, nil where no URL can be told.
func (w *writtenPlace) fetchOf(u *unit, routes Routes) *corsprocv1.TestFetch {
	if w.host == nil || u.message == nil && len(w.host.Routes) > 0 && routes != RoutesByName {
		return nil // no path is known that no route covers
	}
	authorities := slices.Concat(w.host.Domains, w.granted, w.seen)
	if len(authorities) == 0 || !isDomain(authorities[0]) {
		return nil
	}
	to := &corsprocv1.TestFetch{VirtualHost: w.host.Name}
	path := "/"
	if u.message != nil {
		if to.RouteName = u.message.RouteName; to.RouteName == "" {
			path = u.route
		}
	}
	to.Url = "https://" + authorities[0] + path
	return to
}

// A tester collects tests. One that does not come out as it was seen is left out: paths that can be read in two ways are
// such, and nothing else should be.
type tester struct {
	set     *policy.Set
	tests   *corsprocv1.PolicyTests
	names   map[string]bool
	dropped int
}

// origins tests who may read at all.
func (t *tester) origins(u *unit, to *corsprocv1.TestFetch) {
	for _, origin := range slices.Sorted(maps.Keys(u.answers)) {
		a := u.answers[origin]
		switch _, taken := slices.BinarySearch(u.origins, origin); {
		case taken:
			t.add(u, to, origin, a, "may read", true, func(*corsprocv1.TestFetch) {})
		case a.isRefused() || a.isTaken():
			t.add(u, to, origin, a, "may not read", false, func(*corsprocv1.TestFetch) {})
		}
	}
}

// lists tests the methods and headers that were granted.
func (t *tester) lists(u *unit, to *corsprocv1.TestFetch) {
	for _, origin := range u.origins {
		a := u.answers[origin]
		methods, headers := u.asked(a, true)
		for _, method := range methods {
			t.add(u, to, origin, a, "may "+method, true, func(f *corsprocv1.TestFetch) { f.Method = method })
		}
		for chunk := range slices.Chunk(headers, maxTestHeaders) {
			t.add(u, to, origin, a, "may send "+strings.Join(chunk, ", ")+" to", true, func(f *corsprocv1.TestFetch) { f.Headers = headersOf(chunk) })
		}
	}
}

// unlisted tests the methods and headers that were asked for and not granted.
func (t *tester) unlisted(u *unit, to *corsprocv1.TestFetch) {
	for _, origin := range u.origins {
		a := u.answers[origin]
		methods, headers := u.asked(a, false)
		for _, method := range methods {
			t.add(u, to, origin, a, "may not "+method, false, func(f *corsprocv1.TestFetch) { f.Method = method })
		}
		for _, header := range headers {
			t.add(u, to, origin, a, "may not send "+header+" to", false, func(f *corsprocv1.TestFetch) { f.Headers = headersOf([]string{header}) })
		}
	}
}

// asked returns what an origin asked for, and was granted or not.
func (u *unit) asked(a *answers, granted bool) (methods, headers []string) {
	s := u.listsOf(a)
	n := &u.place.names
	for _, seen := range a.names {
		name := n.nameOf(seen.id)
		if seen.what&asked == 0 {
			continue
		}
		switch n.kindOf(seen.id) {
		case methodName:
			if !fetch.IsSafelistedMethod(name) && contains(s.methods, name) == granted {
				methods = append(methods, name)
			}
		case headerName:
			if contains(s.headers, name) == granted {
				headers = append(headers, name)
			}
		}
	}
	slices.Sort(methods)
	slices.Sort(headers)
	return methods, headers
}

// contains reports whether a sorted list allows a name.
func contains(list []string, name string) bool {
	_, found := slices.BinarySearch(list, name)
	return found || isAll(list) && !fetch.IsNonWildcardRequestHeader(name)
}

// headersOf gives names values that browsers ask permission for.
func headersOf(names []string) map[string]string {
	headers := map[string]string{}
	for _, name := range names {
		switch name {
		case "content-type":
			headers[name] = "application/json"
		case "authorization":
			headers[name] = "Bearer token"
		case "accept", "accept-language", "content-language":
			headers[name] = "\"(:)\"" // no value that needs no permission (Fetch, section 2.2.2)
		default:
			headers[name] = "1"
		}
	}
	return headers
}

// add adds a test.
func (t *tester) add(u *unit, to *corsprocv1.TestFetch, origin string, a *answers, what string, allowed bool, change func(*corsprocv1.TestFetch)) {
	if len(t.tests.Tests) >= MaxTests || printable.Text(to.String()) != to.String() {
		return
	}
	f := proto.CloneOf(to)
	f.Origin, f.Credentials = origin, "omit"
	if a.credentials > 0 {
		f.Credentials = "include"
	}
	change(f)
	expect := corsprocv1.Expectation_EXPECTATION_REFUSED
	want := browser.Unreadable
	if allowed {
		expect, want = corsprocv1.Expectation_EXPECTATION_ALLOWED, browser.Readable
	}
	if got, ok := t.outcome(f); !ok || got != want {
		t.dropped++
		return
	}
	where := f.Url
	if f.VirtualHost != "" {
		where += " of " + f.VirtualHost
	}
	if f.RouteName != "" {
		where += ", route " + f.RouteName
	}
	name := fmt.Sprintf("%s %s %s", origin, what, where)
	if t.names[name] {
		return
	}
	t.names[name] = true
	t.tests.Tests = append(t.tests.Tests, &corsprocv1.PolicyTest{Name: name, Fetch: f, Expect: expect})
}

// outcome returns what comes of a fetch under what was learned. It reports false for what no script can ask for.
func (t *tester) outcome(f *corsprocv1.TestFetch) (browser.Outcome, bool) {
	mode, err := browser.ParseCredentials(f.Credentials)
	if err != nil {
		return 0, false
	}
	fetch := browser.Fetch{Origin: f.Origin, URL: f.Url, Method: f.Method, Credentials: mode, VirtualHost: f.VirtualHost, Route: f.RouteName}
	for _, name := range slices.Sorted(maps.Keys(f.Headers)) {
		fetch.Headers = append(fetch.Headers, policy.Header{Name: name, Value: f.Headers[name]})
	}
	r, err := browser.Do(t.set, fetch)
	return r.Outcome, err == nil
}

// TestFile returns the tests as a file, nil if there are none.
func (out *Learned) TestFile() []byte {
	if len(out.Tests.GetTests()) == 0 {
		return nil
	}
	var b bytes.Buffer
	b.WriteString("# Written by corsproc learn: what was seen to be granted is ALLOWED, what was refused or withheld is REFUSED.\n")
	fmt.Fprintf(&b, "policies: %s\ntests:\n", out.Tests.GetPolicies())
	for _, test := range out.Tests.GetTests() {
		f := test.GetFetch()
		fmt.Fprintf(&b, "  - name: %s\n    fetch: {origin: %s, url: %s", quoted(test.GetName()), quoted(f.GetOrigin()), quoted(f.GetUrl()))
		for _, field := range []struct{ name, value string }{
			{"method", f.GetMethod()}, {"credentials", f.GetCredentials()}, {"virtual_host", f.GetVirtualHost()}, {"route_name", f.GetRouteName()},
		} {
			if field.value != "" {
				fmt.Fprintf(&b, ", %s: %s", field.name, quoted(field.value))
			}
		}
		for i, name := range slices.Sorted(maps.Keys(f.GetHeaders())) {
			sep := ", "
			if i == 0 {
				sep = ", headers: {"
			}
			fmt.Fprintf(&b, "%s%s: %s", sep, quoted(name), quoted(f.GetHeaders()[name]))
		}
		if len(f.GetHeaders()) > 0 {
			b.WriteByte('}')
		}
		fmt.Fprintf(&b, "}\n    expect: %s\n", strings.TrimPrefix(test.GetExpect().String(), "EXPECTATION_"))
	}
	return b.Bytes()
}

// quoted writes a text as YAML takes it in double quotes, which is as JSON has it. All of it is printable.
func quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(s)
	return strings.TrimSuffix(b.String(), "\n")
}
