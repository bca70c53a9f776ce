package learn

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
)

const sampleLine = `{"time":"2026-11-29T02:33:50.123Z","virtual_host":"api","route":"orders","authority":"api.example.com","method":"OPTIONS","path":"/orders/4711/items","origin":"https://shop.example.com","request_method":"PUT","request_headers":"content-type,x-a","sec_fetch_site":"same-site","sec_fetch_mode":"cors","cookie":null,"status":204,"details":"via_upstream","allow_origin":"https://shop.example.com","allow_credentials":"true","allow_methods":"GET, PUT","allow_headers":"content-type, x-a","expose_headers":null,"max_age":"60","vary":"Accept-Encoding, Origin","cors_verdict":null}`

// scanLines are lines that are JSON, or nearly so, for all that can stand in one.
var scanLines = []string{
	sampleLine, `{}`, ` { } `, `{"origin":"a"}`, `{"origin":"a",}`, `{"origin":}`, `{"origin"}`, `{origin:1}`, `{"origin":"a" "b":1}`, `{"origin":"a"}}`, `{"origin":"a"} x`, `{"origin":"a"`,
	`{"origin":"\u00e9\n\"\\\/","\u006frigin":"b"}`, `{"origin":"\ud83d\ude00"}`, `{"origin":"\ud83d"}`, `{"origin":"\u12"}`, `{"origin":"\x"}`, "{\"origin\":\"a\tb\"}", "{\"origin\":\"\xff\"}", "{\"\xff\":1}",
	`{"origin":1}`, `{"origin":-0.5e3}`, `{"origin":01}`, `{"origin":1.}`, `{"origin":.5}`, `{"origin":+1}`, `{"origin":true}`, `{"origin":false}`, `{"origin":null}`, `{"origin":nul}`, `{"origin":NaN}`,
	`{"origin":[]}`, `{"origin":["a","b"]}`, `{"origin":["a",["b"],{"c":1},null,"",2,"-"]}`, `{"origin":["a",]}`, `{"origin":["a"`, `{"origin":{"a":1}}`, `{"origin":{"a":1}`, `{"a":{"b":[{"c":"}"}]},"origin":"x"}`,
	`{"req":{"headers":{"origin":"deep"},"headers.origin":"no"},"req.headers.origin":"flat"}`, `{"req":{"headers":{"origin":"deep"}}}`, `{"req":"x","req.headers":{"origin":"y"}}`, `{"req":[{"headers":{"origin":"x"}}]}`,
	`{"origin":"a","origin":"b"}`, `{"origin":"a","origin":null}`, `{"origin":"-"}`, `{"origin":""}`, `{"response_code":200}`, `{"response_code":200,"status":"-"}`, `{"response_code":200,"status":204}`, `{"status":204,"response_code":200}`,
	`{"a":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`, `[]`, `"a"`, `null`, "", "{", "}", `{"a":1}{"b":2}`,
}

// plainScan is what a scanner finds, by way of encoding/json. It is what the fast one is held against.
func plainScan(fields *node, line []byte) (values [numFields]string, ok bool) {
	begin := bytes.IndexByte(line, '{')
	if begin < 0 || !json.Valid(line[begin:]) {
		return values, false
	}
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(line[begin:]))
	d.UseNumber()
	if d.Decode(&object) != nil {
		return values, false
	}
	rank := [numFields]uint8{}
	var walk func(n *node, object map[string]any)
	walk = func(n *node, object map[string]any) {
		for _, key := range slices.Sorted(maps.Keys(n.children)) {
			child := n.children[key]
			value, there := object[key]
			if !there {
				continue
			}
			if inner, isObject := value.(map[string]any); isObject && child.children != nil {
				walk(child, inner)
				continue
			}
			text := plainText(value)
			if isNothing([]byte(text)) {
				continue
			}
			for _, t := range child.targets {
				if rank[t.field] == 0 || t.rank+1 < rank[t.field] {
					rank[t.field], values[t.field] = t.rank+1, text
				}
			}
		}
	}
	walk(fields, object)
	return values, true
}

func plainText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	case []any:
		var items []string
		for _, item := range v {
			if _, isList := item.([]any); isList {
				continue
			}
			if text := plainText(item); !isNothing([]byte(text)) {
				items = append(items, text)
			}
		}
		return strings.Join(items, ",")
	}
	return ""
}

// scanFields are usual keys, and paths.
func scanFields(t testing.TB) *node {
	var f Fields
	for _, s := range []string{"method=req.method", "path=a.b.c", "vary=req.headers.vary", "route=req", "authority=req.headers.origin", "authority=b", "cookie=origin"} {
		if err := f.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	return f.tree()
}

// TestScan and FuzzScan hold the scanner against encoding/json: what is JSON, and what stands where.
func TestScan(t *testing.T) {
	for _, line := range scanLines {
		holdScan(t, []byte(line))
	}
}

func FuzzScan(f *testing.F) {
	for _, line := range scanLines {
		f.Add([]byte(line))
	}
	f.Fuzz(holdScan)
}

func holdScan(t *testing.T, line []byte) {
	if bytes.ContainsRune(line, '\n') || len(line) > 10_000 && !bytes.Contains(line, []byte("origin")) {
		return // lines have none; and encoding/json has another idea of how deep is too deep
	}
	fields := scanFields(t)
	want, ok := plainScan(fields, line)
	s := newScanner(fields)
	for range 2 { // a scanner is used again
		var got values
		_, err := s.scan(line, nil, &got)
		if (err == nil) != ok {
			t.Fatalf("%q: %v, and encoding/json: %t", line, err, ok)
		}
		for i := range numFields {
			if text := strings.ToValidUTF8(got.text(i), "\uFFFD"); ok && text != strings.ToValidUTF8(want[i], "\uFFFD") && !bytes.Contains(line, []byte("\xef\xbf\xbd")) && validLine(line) {
				t.Fatalf("%q: %s is %q, and by encoding/json %q", line, fieldNames[i], text, want[i])
			}
		}
	}
}

// validLine reports whether keys cannot come to be equal by what stands for invalid bytes.
func validLine(line []byte) bool { return bytes.Equal(line, bytes.ToValidUTF8(line, nil)) }

// TestScanAllocates holds that a line costs no allocation.
func TestScanAllocates(t *testing.T) {
	s := newScanner((&Fields{}).tree())
	line, v, text := []byte(sampleLine), values{}, make([]byte, 0, 1000)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := s.scan(line, text, &v); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations a line", n)
	}
}

func BenchmarkScan(b *testing.B) {
	s := newScanner((&Fields{}).tree())
	line, v, text := []byte(sampleLine), values{}, make([]byte, 0, 1000)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.scan(line, text, &v); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLines holds how a log is cut into lines: whatever a read brings, and however long a line is.
func TestLines(t *testing.T) {
	long := strings.Repeat("x", MaxLineBytes)
	ok := `{"origin":"a"}`
	for _, c := range []struct {
		name       string
		log        string
		lines, bad int64
		events     string // their lines
	}{
		{"one", ok + "\n", 1, 0, "1"},
		{"no newline at the end", ok + "\n" + ok, 2, 0, "1 2"},
		{"blank lines", "\n\r\n  \n" + ok + "\r\n\n", 1, 0, "4"},
		{"nothing", "", 0, 0, ""},
		{"a line of the longest", `{"origin":"` + long[:MaxLineBytes-13] + "\"}\n" + ok + "\n", 2, 0, "1 2"},
		{"a line that is longer", `{"origin":"` + long[:MaxLineBytes-12] + "\"}\n" + ok + "\n", 2, 1, "2"},
		{"much longer", ok + "\n" + long + long + long + "\n" + ok + "\n" + ok, 4, 1, "1 3 4"},
		{"longer at the end", ok + "\n" + long + long, 2, 1, "1"},
		{"bare text", "x\ny\n" + ok, 3, 2, "3"},
	} {
		for _, size := range []int{1, 7, 1000, 65536, chunkBytes, 1 << 30} {
			if size < 1000 && len(c.log) > 10_000 {
				continue
			}
			r := &lineReader{r: &pieces{[]byte(c.log), size}, line: 1}
			s := newScanner((&Fields{}).tree())
			var lines, bad int64
			var events []string
			for b := new(batch); ; {
				more, err := r.next(b)
				if err != nil {
					t.Fatal(err)
				}
				if !more {
					break
				}
				if cap(b.data) > 4*MaxLineBytes {
					t.Fatalf("%s: a batch of %d bytes", c.name, cap(b.data))
				}
				s.parse(b)
				lines += b.lines
				bad += b.bad
				for _, e := range b.events {
					events = append(events, string(rune('0'+e.line)))
				}
			}
			if got := strings.Join(events, " "); lines != c.lines || bad != c.bad || got != c.events {
				t.Errorf("%s, read by %d: %d lines, %d bad, events %q", c.name, size, lines, bad, got)
			}
		}
	}
}

// pieces is a reader that brings so many bytes at once.
type pieces struct {
	data []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	n := min(len(b), len(p.data), p.size)
	if n == 0 {
		return 0, io.EOF
	}
	copy(b, p.data[:n])
	p.data = p.data[n:]
	return n, nil
}
