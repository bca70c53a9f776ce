package learn_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/growth"
	"github.com/corsproc/corsproc/policy/learn"
)

// granted is a line of a request that was granted.
func granted(place, path, origin string) string {
	return fmt.Sprintf(`{"virtual_host":%q,"authority":"api.example.com","method":"GET","path":%q,"origin":%q,"status":200,"allow_origin":%q,"vary":"Origin"}`+"\n", place, path, origin, origin)
}

// learnAll learns from a log that is made line by line.
func learnAll(t testing.TB, options learn.Options, lines int, line func(i int) string) *learn.Learned {
	t.Helper()
	l := learn.New(options)
	if err := l.Read(context.Background(), "log", generated(lines, line)); err != nil {
		t.Fatal(err)
	}
	return l.Learn(false)
}

// generated is a log of so many lines.
func generated(lines int, line func(i int) string) io.Reader {
	r, w := io.Pipe()
	go func() {
		b := bytes.Buffer{}
		for i := range lines {
			b.WriteString(line(i))
			if b.Len() > 1<<16 {
				if _, err := w.Write(b.Bytes()); err != nil {
					return
				}
				b.Reset()
			}
		}
		w.Write(b.Bytes())
		w.Close()
	}()
	return r
}

// TestLimits goes beyond each limit by some: the first stay, the rest is counted and said.
func TestLimits(t *testing.T) {
	const beyond = 7
	preflight := func(method, headers, methodsAnswered, headersAnswered string) string {
		return fmt.Sprintf(`{"virtual_host":"api","method":"OPTIONS","path":"/","origin":"https://a.test","request_method":%q,"request_headers":%q,"status":204,"allow_origin":"https://a.test","allow_methods":%q,"allow_headers":%q,"vary":"Origin"}`+"\n", method, headers, methodsAnswered, headersAnswered)
	}
	refused := `{"virtual_host":"api","method":"GET","path":"/","origin":"https://refused.test","status":200,"vary":"Origin"}` + "\n"
	for _, c := range []struct {
		name    string
		routes  string
		lines   int
		line    func(i int) string
		table   string
		left    int
		pattern string // of lines of the file
		count   int
	}{
		{"origins of a place", "", 1 + learn.MaxPlaceOrigins + beyond - 1, func(i int) string {
			if i == 0 {
				return refused
			}
			return granted("api", "/", fmt.Sprintf("https://o%d.test", i))
		}, "origins", beyond - 0, `- https://o\d+\.test`, learn.MaxPlaceOrigins - 1},
		// Of those that fill these two tables, most are not written, so that the files are small.
		{"origins in all", "", learn.MaxOrigins + beyond, func(i int) string {
			place, origin := fmt.Sprintf("p%d", i%50), fmt.Sprintf("https://o%d.example.com", i/50)
			if i < learn.MaxOrigins && i/50%20 > 0 {
				return fmt.Sprintf(`{"virtual_host":%q,"method":"GET","path":"/","origin":%q,"status":200,"vary":"Origin"}`+"\n", place, origin)
			}
			return granted(place, "/", origin)
		}, "origins", beyond, `- https://o\d+\.example`, learn.MaxOrigins / 20},
		{"places", "", learn.MaxPlaces + beyond, func(i int) string {
			if i < learn.MaxPlaces && i%10 > 0 {
				return fmt.Sprintf(`{"virtual_host":"p%d","method":"GET","path":"/","origin":null,"status":200}`+"\n", i)
			}
			return granted(fmt.Sprintf("p%d", i), "/", "https://a.test")
		}, "places", beyond, `- name: p`, learn.MaxPlaces / 10},
		{"names that are granted", "", learn.MaxNames + beyond, func(i int) string {
			h := fmt.Sprintf("x-%d", i)
			return preflight("GET", h, "GET", h)
		}, "methods and header names", -1, ``, 0},
		{"names that are asked for", "", learn.MaxNames, func(i int) string { return preflight(fmt.Sprintf("M%d", i), "", "GET", "") }, "methods and header names", -1, ``, 0},
		{"routes", "1", learn.MaxRoutes + beyond, func(i int) string { return granted("api", fmt.Sprintf("/s%d/x", i), "https://a.test") }, "routes", beyond, `path_separated_prefix: /s`, learn.MaxRoutes},
	} {
		t.Run(c.name, func(t *testing.T) {
			var options learn.Options
			if c.routes != "" {
				options.Routes, _ = learn.ParseRoutes(c.routes)
			}
			learned := learnAll(t, options, c.lines, c.line)
			said := ""
			for _, f := range learned.Findings {
				if f.Code == learn.CodeTableFull {
					said += f.Message + "\n"
				}
			}
			if !strings.Contains(said, "more "+c.table+" than") || c.left >= 0 && !strings.Contains(said, ": "+strconv.Itoa(c.left)+")") {
				t.Errorf("it says %q", said)
			}
			text := learned.File.Bytes()
			compiled(t, "policies.yaml", text)
			if n := len(regexp.MustCompile(c.pattern).FindAll(text, -1)); c.pattern != "" && n != c.count {
				t.Errorf("%d times %s, not %d", n, c.pattern, c.count)
			}
			if c.table == "methods and header names" {
				if headers := strings.Count(string(text), "x-"); headers > 3*learn.MaxNames {
					t.Errorf("%d headers", headers)
				}
			}
			if n := len(learned.Tests.GetTests()); n > learn.MaxTests {
				t.Errorf("%d tests", n)
			}
		})
	}
}

// TestTestsAtMost holds that the first of too many tests are those that say who may read at all, and that they load.
func TestTestsAtMost(t *testing.T) {
	learned := learnAll(t, learn.Options{}, learn.MaxTests+2000, func(i int) string {
		return granted(fmt.Sprintf("p%d", i%4), "/", fmt.Sprintf("https://o%d.example.com", i/4))
	})
	if n := len(learned.Tests.GetTests()); n != learn.MaxTests {
		t.Errorf("%d tests", n)
	}
	passes(t, learned.File.Bytes(), learned.TestFile())
}

// TestNotJSONAtMost holds that lines are named ten times, and all are counted.
func TestNotJSONAtMost(t *testing.T) {
	learned := learnAll(t, learn.Options{}, 5000, func(i int) string {
		if i == 0 {
			return granted("api", "/", "https://a.test")
		}
		return "bare text\n"
	})
	n, last := 0, ""
	for _, f := range learned.Findings {
		if f.Code == learn.CodeNotJSON {
			n, last = n+1, f.Message
			if f.Line != int32(n+1) {
				t.Errorf("finding %d is of line %d", n, f.Line)
			}
		}
	}
	if n != 10 || !strings.Contains(last, "4989 more") {
		t.Errorf("%d findings, the last %q", n, last)
	}
}

// TestMemory holds that a hostile log of many origins, places, paths and names is kept in bounded memory.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("a log of 60 MiB")
	}
	name := strings.Repeat("x", 200)
	l := learn.New(learn.Options{})
	err := l.Read(context.Background(), "log", generated(120_000, func(i int) string {
		origin := fmt.Sprintf("https://%s-%d.test", name[:50], i)
		return fmt.Sprintf(`{"virtual_host":"place-%d","authority":"%s-%d.test","method":"OPTIONS","path":"/%s-%d","origin":%q,"request_method":"PUT","request_headers":"%s-%d","status":204,"allow_origin":%q,"allow_methods":"PUT","allow_headers":"%s-%d"}`+"\n",
			i%20_000, name[:30], i, name[:40], i, origin, name[:100], i, origin, name[:100], i)
	}))
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if mib := m.HeapAlloc >> 20; mib > 140 {
		t.Errorf("%d MiB are in use", mib)
	}
	learned := l.Learn(false)
	if n := len(learned.File.Bytes()); n > 64<<20 {
		t.Errorf("a policy file of %d bytes", n)
	}
}

// TestGrowth holds that more of everything is not more than as much more work: lines, origins, names, hosts that hold
// each other, and routes.
func TestGrowth(t *testing.T) {
	for name, line := range map[string]func(i int) string{
		"lines":   func(i int) string { return granted("api", "/a/b", "https://a.test") },
		"origins": func(i int) string { return granted("api", "/a", fmt.Sprintf("https://o%d.test", i)) },
		"places":  func(i int) string { return granted(fmt.Sprintf("p%d", i), "/a", "https://a.test") },
		"paths":   func(i int) string { return granted("api", fmt.Sprintf("/s%d/%d", i%900, i), "https://a.test") },
		"hosts that hold each other": func(i int) string {
			return granted("api", "/", "https://"+strings.Repeat("a", 1+i%60)+"."+strings.Repeat("a", 1+i/60%60)+".test")
		},
		"garbage": func(i int) string { return "garbage {\n" },
	} {
		t.Run(name, func(t *testing.T) {
			growth.Hold(t, 600, func(n int) func() {
				return func() { learnAll(t, learn.Options{}, n, line).File.Bytes() }
			})
		})
	}
}

// TestLineAllocates holds that a line of what is known already costs next to no allocation.
func TestLineAllocates(t *testing.T) {
	line := granted("api", "/orders/1", "https://a.test")
	allocations := func(lines int) float64 {
		log := []byte(strings.Repeat(line, lines))
		return testing.AllocsPerRun(3, func() {
			l := learn.New(learn.Options{})
			if err := l.Read(context.Background(), "log", bytes.NewReader(log)); err != nil {
				t.Fatal(err)
			}
		})
	}
	if each := (allocations(11_000) - allocations(1000)) / 10_000; each > 0.1 {
		t.Errorf("%.2f allocations a line", each)
	}
}

// TestDeterministic holds that the same log gives the same bytes, however it is read and whoever is first.
func TestDeterministic(t *testing.T) {
	var log bytes.Buffer
	for i := range 6000 {
		log.WriteString(granted(fmt.Sprintf("p%d", i*7%100), fmt.Sprintf("/s%d/x", i%5), fmt.Sprintf("https://o%d.site%d.test", i%97, i%3)))
		if i%10 == 0 {
			fmt.Fprintf(&log, `{"virtual_host":"p%d","method":"GET","path":"/","origin":"https://o%d.test","status":200}`+"\n", i%100, i%50)
		}
		if i%100 == 0 {
			log.WriteString("no JSON\n")
		}
	}
	want := ""
	for i, size := range []int{1 << 20, 4096, 1 << 20} {
		l := learn.New(learn.Options{})
		if err := l.Read(context.Background(), "log", &slow{bytes.NewReader(log.Bytes()), size}); err != nil {
			t.Fatal(err)
		}
		learned := l.Learn(false)
		var b bytes.Buffer
		learn.WriteFindings(&b, learned.Findings)
		got := b.String() + string(learned.File.Bytes()) + string(learned.TestFile())
		if want == "" {
			want = got
		} else if got != want {
			t.Fatalf("run %d differs", i)
		}
	}
}

// slow is a reader that brings at most so many bytes at once.
type slow struct {
	r    io.Reader
	size int
}

func (s *slow) Read(b []byte) (int, error) { return s.r.Read(b[:min(len(b), s.size)]) }

// TestKeptOfLongValues holds that of values that are cut, or too long to be kept, the rest does not stay in memory: no text
// that is kept is a part of one that is not.
func TestKeptOfLongValues(t *testing.T) {
	long := strings.Repeat("x", 20<<10)
	line := func(i int) string {
		v := func(what string) string { return fmt.Sprintf("%s%d%s", what, i, long) }
		malformed := v("https://A")
		return fmt.Sprintf(`{"virtual_host":%q,"authority":"%d.test","method":"GET","path":"/","origin":"https://a.test","status":200,"allow_origin":%q,"vary":"x"}`+"\n", v("p"), i, v("https://a")) +
			fmt.Sprintf(`{"authority":%q,"route":%q,"method":%q,"path":%q,"origin":%q,"status":200,"allow_origin":%q,"sec_fetch_site":%q}`+"\n", v("host"), v("r"), v("M"), v("/"), malformed, malformed, v("s")) +
			fmt.Sprintf(`{"virtual_host":"p%d","method":"OPTIONS","path":%q,"origin":"https://a.test","request_method":%q,"request_headers":%q,"status":"404 %s","allow_origin":"https://a.test","allow_headers":%q,"max_age":%q}`+"\n", i, v("/"), v("M"), v("h"), long, v("h"), v("m")) +
			fmt.Sprintf(`{"virtual_host":"p%d","method":"OPTIONS","path":%q,"origin":"https://a.test","request_method":%q,"request_headers":%q,"status":200,"allow_origin":"https://a.test","allow_methods":%q,"allow_headers":%q,"max_age":%q}`+"\n", i, v("/"), v("M"), v("h"), v("M"), v("h"), v("m"))
	}
	policies := compiled(t, "none.yaml", []byte("default: {policies: [none], reject: UNSAFE_METHODS}\n")).Set
	for _, options := range []learn.Options{{}, {Routes: 2}, {Routes: learn.RoutesByName}, {Policies: policies}} {
		const lines = 40 // with 13 MiB of values
		l := learn.New(options)
		read := func(first, n int) uint64 {
			if err := l.Read(context.Background(), "log", generated(n, func(i int) string { return line(first + i) })); err != nil {
				t.Fatal(err)
			}
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := read(0, 1)
		if each := (int64(read(1, lines)) - int64(before)) / lines; each > int64(len(long)) {
			t.Errorf("routes %v: %d bytes are kept of four lines with values of %d", options.Routes, each, len(long))
		}
		runtime.KeepAlive(l)
	}
}
