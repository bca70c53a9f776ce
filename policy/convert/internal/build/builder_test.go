package build

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy/convert/internal/source"
	"github.com/corsproc/corsproc/policy/growth"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// built returns what becomes of what a kind tells the builder.
func built(t *testing.T, tell func(b *Builder)) (file string, warnings []Warning) {
	t.Helper()
	b := New("test")
	tell(b)
	r, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	_, file, _ = strings.Cut(string(r.File), "\n\n") // below the head
	return file, r.Warnings
}

func grants(name string, p *corsprocv1.Policy) []*Proposal {
	return []*Proposal{{Policy: p, Name: name, At: source.Position{File: "a.yaml", Line: 3, Column: 5}}}
}

func origins(s ...string) *corsprocv1.Policy { return &corsprocv1.Policy{AllowOrigins: s} }

// TestBuilder holds what the builder makes of what it is told.
func TestBuilder(t *testing.T) {
	at := source.Position{File: "a.yaml", Line: 1, Column: 1}
	for _, c := range []struct {
		name     string
		tell     func(b *Builder)
		want     string
		warnings string // their codes
	}{
		{"equal policies are one, named after the first place", func(b *Builder) {
			b.AddHost(&Host{Domains: []string{"a.example"}, Place: Place{At: at, Policies: grants("shop/a", origins("https://x.example"))}})
			b.AddHost(&Host{Domains: []string{"b.example"}, Place: Place{At: source.Position{File: "a.yaml", Line: 2, Column: 1}, Policies: grants("shop/b", origins("https://x.example", "https://x.example")), Nobody: true}})
		}, `policies:
  # from a.yaml:3
  shop-a:
    allow_origins: [https://x.example]

virtual_hosts:
  # from a.yaml:1
  # and from a.yaml:2
  - domains: [a.example, b.example]
    policies: [shop-a]
`, ""},
		{"names are unique and valid", func(b *Builder) {
			for i, name := range []string{"none", "", "x*y", "x y"} {
				b.AddHost(&Host{Domains: []string{fmt.Sprintf("%d.example", i)}, Place: Place{Policies: grants(name, origins(fmt.Sprintf("https://%d.example", i)))}})
			}
		}, `policies:
  # from a.yaml:3
  none-2:
    allow_origins: [https://0.example]

  # from a.yaml:3
  policy:
    allow_origins: [https://1.example]

  # from a.yaml:3
  x-y:
    allow_origins: [https://2.example]

  # from a.yaml:3
  x-y-2:
    allow_origins: [https://3.example]

virtual_hosts:
  - domains: ["0.example"]
    policies: [none-2]

  - domains: ["1.example"]
    policies: [policy]

  - domains: ["2.example"]
    policies: [x-y]

  - domains: ["3.example"]
    policies: [x-y-2]
`, ""},
		{"dangers, and only those that are there", func(b *Builder) {
			p := origins("*", "null", "https://a.example")
			p.AllowCredentials = true
			q := origins("http://b.example", "https://b.example")
			q.AllowCredentials = true
			b.AddHost(&Host{Domains: []string{"a.example"}, Place: Place{Policies: grants("a", p)}})
			b.AddHost(&Host{Domains: []string{"b.example"}, Place: Place{Policies: grants("b", q)}})
			b.AddHost(&Host{Domains: []string{"c.example"}, Place: Place{Policies: grants("c", origins("*"))}})
		}, `policies:
  # from a.yaml:3
  a:
    allow_origins:
      - "*"
      - "null"
      - https://a.example
    allow_credentials: true
    # as the source allows it; without this line it would not load
    dangerously_allow: [ANY_ORIGIN_WITH_CREDENTIALS]

  # from a.yaml:3
  b:
    allow_origins:
      - http://b.example
      - https://b.example
    allow_credentials: true
    # as the source allows it; without this line it would not load
    dangerously_allow: [INSECURE_ORIGINS_WITH_CREDENTIALS]

  # from a.yaml:3
  c:
    allow_origins: ["*"]

virtual_hosts:
  - domains: [a.example]
    policies: [a]

  - domains: [b.example]
    policies: [b]

  - domains: [c.example]
    policies: [c]
`, ""},
		{"what cannot be written is dropped, and said", func(b *Builder) {
			p := origins("https://a.example/", "nonsense")
			p.AllowMethods = []string{"P UT", "PUT"}
			p.MaxAge = proto.String("1d")
			b.AddHost(&Host{Domains: []string{"a.example", "a b", "A.EXAMPLE"}, Place: Place{Policies: grants("a", p)}})
		}, `virtual_hosts:
  # warning: allow_origins: "https://a.example/" is left out: an origin has no path [cannot-be-written]
  # warning: allow_origins: "nonsense" is left out: an origin pattern is scheme://host[:port], "*", "null" or
  # "@" and the name of an origin set [cannot-be-written]
  # warning: allow_methods: "P UT" is left out: a method is a token: letters, digits and !#$%&'*+-.^_` + "`" + `|~,
  # without blanks [cannot-be-written]
  # warning: max_age: "1d" is left out: max_age is a duration of whole seconds, from 0s to 2147483647s: 90s,
  # 10m, 2h, 1h30m [cannot-be-written]
  # warning: a b is left out: a domain has no blanks [domain-lost]
  # warning: A.EXAMPLE stands in another virtual host before, which has it here: look at which of the two is
  # meant [domain-twice]
  - domains: [a.example]
    policies: [none]
`, "domain-lost domain-twice cannot-be-written cannot-be-written cannot-be-written cannot-be-written"},
		{"routes that change nothing are left out, those in front of others are not", func(b *Builder) {
			h := b.Domain("A.example", at)
			p, q := grants("p", origins("https://p.example")), grants("q", origins("https://q.example"))
			for _, r := range []struct {
				text     string
				policies []*Proposal
			}{{"/a/b", p}, {"/a", q}, {"/a", p}, {"/c", p}, {"/", p}, {"/d", q}} {
				b.Domain("a.example", at).Routes = append(h.Routes, &Route{Match: Match{MatchPrefix, r.text}, Place: Place{Policies: r.policies}})
			}
		}, `policies:
  # from a.yaml:3
  p:
    allow_origins: [https://p.example]

  # from a.yaml:3
  q:
    allow_origins: [https://q.example]

virtual_hosts:
  # from a.yaml:1
  - domains: [a.example]
    policies: [p]
    routes:
      - prefix: /a/b
        policies: [p]
      - prefix: /a
        policies: [q]
`, ""},
		{"a place without CORS is passthrough", func(b *Builder) {
			b.AddHost(&Host{Name: "a", Domains: []string{"a.example"}, Routes: []*Route{{Match: Match{MatchPath, "/x"}, Place: Place{Nobody: true}}}})
			b.AddHost(&Host{Name: "a", Domains: []string{"b.example"}})
		}, `virtual_hosts:
  - name: a
    domains: [a.example]
    policies: [passthrough]
    routes:
      - path: /x
        policies: [none]

  - domains: [b.example]
    policies: [passthrough]
`, ""},
		{"an expression that is too large to be judged", func(b *Builder) {
			p := &corsprocv1.Policy{AllowOriginRegexes: []string{`https?://` + strings.Repeat(`[a-z]{1,50}`, 15) + `\.example\.com`}, AllowCredentials: true}
			b.AddHost(&Host{Domains: []string{"a.example"}, Place: Place{Policies: grants("a", p)}})
		}, `policies:
  # from a.yaml:3
  a:
    allow_origin_regexes: ['https?://` + strings.Repeat(`[a-z]{1,50}`, 15) + `\.example\.com']
    allow_credentials: true
    # as the source allows it; without this line it would not load
    dangerously_allow: [INSECURE_ORIGINS_WITH_CREDENTIALS]

virtual_hosts:
  - domains: [a.example]
    policies: [a]
`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, warnings := built(t, c.tell)
			if got != c.want {
				t.Errorf("it is\n%s\nand not\n%s", got, c.want)
			}
			var codes []string
			for _, w := range warnings {
				codes = append(codes, w.Code)
			}
			if strings.Join(codes, " ") != c.warnings {
				t.Errorf("warnings %v, want %s", warnings, c.warnings)
			}
		})
	}
}

// TestAnythingLoads tells the builder what no source should, and asks only that the file loads.
func TestAnythingLoads(t *testing.T) {
	texts := []string{
		"", "*", "null", "https://a.example", "https://*.com", "http://a.example", "https://*", "@x", "chrome-extension://*", "https://[::1]", "\x00", "\xff", "a b", "\u202e",
		".*", "https?://.*", `https://.*\.com`, "(", "PUT", "Authorization", "/", "/a", "^/a", "/a?b", "none", "http://*:*", strings.Repeat("x", 300), "https://*-x.co.uk", "1.2.3.4", "*.a.example", "a.*",
	}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 2))
		some := func() (list []string) {
			for range r.IntN(4) {
				list = append(list, texts[r.IntN(len(texts))])
			}
			return list
		}
		b := New("test")
		for range 1 + r.IntN(3) {
			p := &corsprocv1.Policy{AllowOrigins: some(), AllowOriginRegexes: some(), AllowMethods: some(), AllowHeaders: some(), ExposeHeaders: some(), AllowCredentials: r.IntN(2) == 0}
			if r.IntN(3) == 0 {
				p.MaxAge = proto.String(texts[r.IntN(len(texts))])
			}
			pl := Place{Policies: grants(texts[r.IntN(len(texts))], p)}
			h := b.AddHost(&Host{Domains: some(), Name: texts[r.IntN(len(texts))], Place: pl})
			m, _ := Meet(pl, Place{Policies: grants("q", origins(some()...))})
			h.Routes = append(h.Routes, &Route{Match: Match{MatchPath, "/x"}, Place: m})
		}
		if _, err := b.Finish(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// TestBuilderGrowth holds that twice as many places are twice the work.
func TestBuilderGrowth(t *testing.T) {
	growth.Hold(t, 60, func(n int) func() {
		return func() {
			b := New("test")
			for i := range n {
				name := fmt.Sprintf("h%d", i)
				b.AddHost(&Host{Domains: []string{name + ".example"}, Place: Place{Policies: grants(name, origins("https://"+name+".example"))}})
			}
			if _, err := b.Finish(); err != nil {
				t.Error(err)
			}
		}
	})
}
