package draft_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/corsproc/corsproc/policy/draft"
	"github.com/corsproc/corsproc/policy/growth"
	"github.com/corsproc/corsproc/policy/policyfile"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// TestFile holds how a file looks to the person who reviews it.
func TestFile(t *testing.T) {
	shop := &corsprocv1.Policy{
		AllowOrigins:     []string{"https://shop.example.com", "https://*.shop.example.com"},
		AllowMethods:     []string{"PUT", "DELETE"},
		AllowHeaders:     []string{"Content-Type", "*"},
		AllowCredentials: true,
		MaxAge:           proto.String("2h"),
		DangerouslyAllow: []corsprocv1.DangerousCombination{corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_PUBLIC_SUFFIX_WILDCARDS},
	}
	public := &corsprocv1.Policy{AllowOrigins: []string{"*"}, AllowOriginRegexes: []string{`https://[a-z]+\.it's\.example`}}
	admin := &corsprocv1.Route{Path: "/admin", Policies: list("none"), Reject: corsprocv1.Reject_REJECT_UNSAFE_METHODS, TimingAllowOrigins: &corsprocv1.OriginList{}}
	api := &corsprocv1.VirtualHost{
		Name: "api", Domains: []string{"api.example.com", "*.api.example.com", "10.0.0.1", "no"}, Policies: list("shop", "public"),
		Routes: []*corsprocv1.Route{admin, {Prefix: "/", Policies: list("passthrough")}},
	}
	empty := &corsprocv1.Policy{}
	f := &draft.File{
		Head: []string{"Written by a test.", ""},
		Set: &corsprocv1.PolicySet{
			Policies:     map[string]*corsprocv1.Policy{"shop": shop, "public": public, "another": empty},
			OriginSets:   map[string]*corsprocv1.OriginList{"sites": {Origins: []string{"https://a.example", "https://b.example"}}},
			VirtualHosts: []*corsprocv1.VirtualHost{api, {Domains: []string{"*"}, Policies: list("none")}},
			Default:      &corsprocv1.DefaultPlace{Policies: list("passthrough")},
		},
		Order: []string{"shop", "public"},
	}
	f.Before(draft.At(shop), "from envoy.yaml:12", "from envoy.yaml:40")
	f.Before(draft.At(shop).Field("allow_origins"), "above a field")
	f.Before(draft.At(shop).Field("allow_origins").Entry(1), "above an entry")
	f.Beside(draft.At(shop).Field("allow_origins").Entry(1), "beside an entry")
	f.Beside(draft.At(shop).Field("max_age"), "beside a field")
	f.After(draft.At(shop), "after a policy, with so many words that no line of an editor would take them all at once, so that it is broken between two of them")
	f.Before(draft.At(api), "above a virtual host")
	f.Before(draft.At(api).Field("name"), "above its first field")
	f.Before(draft.At(api).Field("policies"), "above a list in brackets")
	f.Before(draft.At(admin), "above a route")
	f.After(draft.At(admin), "below a route")
	f.Beside(draft.At(empty), "nothing")
	got := f.Bytes()
	const golden = "testdata/file.yaml"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(filepath.FromSlash(golden))
	if err != nil || string(got) != string(want) {
		t.Errorf("%v; it is written as\n%s", err, got)
	}
	loadsAs(t, f)
}

func list(names ...string) *corsprocv1.PolicyList { return &corsprocv1.PolicyList{Names: names} }

// loadsAs asserts that what is written reads as what was meant.
func loadsAs(t *testing.T, f *draft.File) {
	t.Helper()
	data := f.Bytes()
	if again := f.Bytes(); string(again) != string(data) {
		t.Error("it is written otherwise the second time")
	}
	read := &corsprocv1.PolicySet{}
	m := policyfile.ParseMessage(policyfile.File{Name: "policies.yaml", Data: data}, read, nil)
	if !m.Whole() || len(m.Findings()) > 0 || !proto.Equal(read, f.Set) {
		t.Fatalf("%v\n%s\nreads as\n%v\nand was\n%v", m.Findings(), data, read, f.Set)
	}
	for _, r := range string(data) {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("%q stands in it raw:\n%q", r, data)
		}
	}
}

// hostile are texts that are something else in YAML, on a terminal or in the log of a build.
var hostile = []string{
	"*", "null", "Null", "~", "no", "YES", "on", "n", "true", "@set", "%x", "&a", "!t", "|", ">", "-", "- a", "?", "a: b", "a #b", "#b", "a:", ":a", "::error::x",
	"0x10", "1e3", "12:30", ".5", "+1", "2020-01-01", "1_000", ".inf", "010", "2h", "1h30m", "h", "90", "=", "<<", "{a}", "[a]", "a,b", "'", "''", `"`, `\`, `\"`, "`",
	" a", "a ", "a\nb", "a\r\nb", "\n", "\t", "\x00", "\x1b[31m", "\u0085", "\u009b31m", "\u2028", "\u2029", "\u202e", "\u2066", "\ufeff", "\u00a0", "\u00ad", "é", "日本", "😀", "\U000e0041",
	"##vso[x]", "##[group]", "####", "---", "...", "--- a", "https://*.example.com:8443", "https://[::1]:8080", "https://shop.example.com", "chrome-extension://abc",
	`^https://[a-z]+\.example\.com$`, "(?i)x", "\ufffd", "/path", "/a b", "/a:", "/#", strings.Repeat("x", 3000),
}

// TestHostileTexts has every hostile text at every kind of place, in comments too.
func TestHostileTexts(t *testing.T) {
	for _, s := range hostile {
		p := &corsprocv1.Policy{AllowOrigins: []string{s, s}, AllowMethods: []string{s}, MaxAge: proto.String("1s")}
		h := &corsprocv1.VirtualHost{Name: s, Domains: []string{s, "x", s}, Routes: []*corsprocv1.Route{{Regex: s, Policies: list(s)}}}
		f := &draft.File{Head: []string{s}, Set: &corsprocv1.PolicySet{Policies: map[string]*corsprocv1.Policy{s: p}, VirtualHosts: []*corsprocv1.VirtualHost{h}}}
		for _, at := range []draft.Place{
			draft.At(f.Set), draft.At(p), draft.At(h), draft.At(h.Routes[0]), draft.At(p).Field("allow_methods"), draft.At(p).Field("allow_origins").Entry(0),
			draft.At(h).Field("name"), draft.At(h).Field("domains").Entry(2), draft.At(h.Routes[0]).Field("policies"),
		} {
			f.Before(at, s, s)
			f.Beside(at, s)
			f.After(at, s)
		}
		loadsAs(t, f)
		for line := range strings.Lines(string(f.Bytes())) {
			if strings.Contains(line, "##vso[") || strings.Contains(line, "##[") || strings.HasPrefix(strings.TrimSpace(line), "::") {
				t.Errorf("a build takes this for a command: %q", line)
			}
		}
	}
}

// TestEmpty holds that nothing is still a file.
func TestEmpty(t *testing.T) {
	loadsAs(t, &draft.File{Set: &corsprocv1.PolicySet{}})
	loadsAs(t, &draft.File{Set: &corsprocv1.PolicySet{}, Head: []string{"nothing was found"}})
}

// TestManyComments holds that a place of which very much is said can still be found.
func TestManyComments(t *testing.T) {
	p := &corsprocv1.Policy{AllowOrigins: []string{"*"}}
	f := &draft.File{Set: &corsprocv1.PolicySet{Policies: map[string]*corsprocv1.Policy{"p": p}}}
	for i := range 5000 {
		f.Before(draft.At(p), fmt.Sprint(i))
	}
	got := string(f.Bytes())
	if lines := strings.Count(got, "\n"); lines > 110 || !strings.Contains(got, "# ... and 4900 more\n") {
		t.Errorf("%d lines:\n%s", lines, got)
	}
}

// FuzzFile makes a set of whatever comes, and asks for it back.
func FuzzFile(f *testing.F) {
	for _, s := range hostile {
		f.Add(uint64(len(s)), s)
	}
	f.Fuzz(func(t *testing.T, seed uint64, s string) {
		if strings.ToValidUTF8(s, "") != s {
			t.Skip() // no text of a message
		}
		r := rand.New(rand.NewPCG(seed, 1))
		file := &draft.File{Set: &corsprocv1.PolicySet{}}
		fill(r, file, file.Set.ProtoReflect(), s)
		loadsAs(t, file)
	})
}

// fill sets fields by chance, to pieces of s, and says something of some.
func fill(r *rand.Rand, file *draft.File, m protoreflect.Message, s string) {
	piece := func() string {
		runes := []rune(s)
		i := r.IntN(len(runes) + 1)
		return "x"[:r.IntN(2)] + string(runes[i:i+r.IntN(len(runes)-i+1)])
	}
	value := func(fd protoreflect.FieldDescriptor) protoreflect.Value {
		switch fd.Kind() {
		case protoreflect.BoolKind:
			return protoreflect.ValueOfBool(true)
		case protoreflect.Int32Kind:
			return protoreflect.ValueOfInt32(int32(r.Uint32()))
		case protoreflect.EnumKind:
			return protoreflect.ValueOfEnum(protoreflect.EnumNumber(1 + r.IntN(fd.Enum().Values().Len()-1)))
		}
		return protoreflect.ValueOfString(piece())
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		at := draft.At(m.Interface()).Field(string(fd.Name()))
		only := fields.Len() == 1 // written as a list
		if !only && r.IntN(2) == 0 {
			continue
		}
		switch {
		case fd.IsMap():
			for range r.IntN(3) {
				v := m.NewField(fd).Map().NewValue()
				if fd.MapValue().Message() != nil {
					fill(r, file, v.Message(), s)
				} else {
					v = value(fd.MapValue())
				}
				m.Mutable(fd).Map().Set(protoreflect.ValueOfString("k"+piece()).MapKey(), v)
			}
		case fd.IsList():
			for j := range r.IntN(4) {
				list := m.Mutable(fd).List()
				if fd.Message() != nil {
					fill(r, file, list.AppendMutable().Message(), s)
				} else {
					list.Append(value(fd))
					if r.IntN(3) == 0 {
						file.Before(at.Entry(j), piece())
						file.Beside(at.Entry(j), piece())
					}
				}
			}
		case fd.Message() != nil:
			fill(r, file, m.Mutable(fd).Message(), s)
		default:
			if v := value(fd); fd.Kind() != protoreflect.StringKind || v.String() != "" {
				m.Set(fd, v)
			}
		}
		file.Before(at, piece())
		file.After(at, piece())
	}
	file.Before(draft.At(m.Interface()), piece())
	file.Beside(draft.At(m.Interface()), piece())
}

// TestGrowth holds that twice as many policies and places are twice the work.
func TestGrowth(t *testing.T) {
	growth.Hold(t, 500, func(n int) func() {
		f := many(n)
		return func() { f.Bytes() }
	})
}

func many(n int) *draft.File {
	f := &draft.File{Set: &corsprocv1.PolicySet{Policies: map[string]*corsprocv1.Policy{}}}
	for i := range n {
		name := fmt.Sprintf("policy-%d", i)
		p := &corsprocv1.Policy{AllowOrigins: []string{"https://" + name + ".example"}, AllowMethods: []string{"PUT"}}
		h := &corsprocv1.VirtualHost{Domains: []string{name + ".example"}, Policies: list(name), Routes: []*corsprocv1.Route{{Prefix: "/", Policies: list(name)}}}
		f.Set.Policies[name] = p
		f.Set.VirtualHosts = append(f.Set.VirtualHosts, h)
		f.Order = append(f.Order, name)
		f.Before(draft.At(p), "from somewhere")
		f.Before(draft.At(h), "from somewhere")
	}
	return f
}

// BenchmarkFile is 5,000 policies and 10,000 places.
func BenchmarkFile(b *testing.B) {
	f := many(5000)
	for b.Loop() {
		f.Bytes()
	}
}
