package convert

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/corsproc/corsproc/policy/growth"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// built returns what becomes of what a kind tells the builder.
func built(t *testing.T, tell func(b *builder)) (file string, warnings []Warning) {
	t.Helper()
	b := newBuilder("test")
	tell(b)
	r, err := b.finish()
	if err != nil {
		t.Fatal(err)
	}
	_, file, _ = strings.Cut(string(r.Draft.Bytes()), "\n\n") // below the head
	return file, r.Warnings
}

func grants(name string, p *corsprocv1.Policy) []*proposal {
	return []*proposal{{policy: p, name: name, at: Position{"a.yaml", 3, 5}}}
}

func origins(s ...string) *corsprocv1.Policy { return &corsprocv1.Policy{AllowOrigins: s} }

// TestBuilder holds what the builder makes of what it is told.
func TestBuilder(t *testing.T) {
	at := Position{"a.yaml", 1, 1}
	for _, c := range []struct {
		name     string
		tell     func(b *builder)
		want     string
		warnings string // their codes
	}{
		{"equal policies are one, named after the first place", func(b *builder) {
			b.addHost(&host{domains: []string{"a.example"}, place: place{at: at, policies: grants("shop/a", origins("https://x.example"))}})
			b.addHost(&host{domains: []string{"b.example"}, place: place{at: Position{"a.yaml", 2, 1}, policies: grants("shop/b", origins("https://x.example", "https://x.example")), nobody: true}})
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
		{"names are unique and valid", func(b *builder) {
			for i, name := range []string{"none", "", "x*y", "x y"} {
				b.addHost(&host{domains: []string{fmt.Sprintf("%d.example", i)}, place: place{policies: grants(name, origins(fmt.Sprintf("https://%d.example", i)))}})
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
		{"dangers, and only those that are there", func(b *builder) {
			p := origins("*", "null", "https://a.example")
			p.AllowCredentials = true
			q := origins("http://b.example", "https://b.example")
			q.AllowCredentials = true
			b.addHost(&host{domains: []string{"a.example"}, place: place{policies: grants("a", p)}})
			b.addHost(&host{domains: []string{"b.example"}, place: place{policies: grants("b", q)}})
			b.addHost(&host{domains: []string{"c.example"}, place: place{policies: grants("c", origins("*"))}})
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
		{"what cannot be written is dropped, and said", func(b *builder) {
			p := origins("https://a.example/", "nonsense")
			p.AllowMethods = []string{"P UT", "PUT"}
			p.MaxAge = proto.String("1d")
			b.addHost(&host{domains: []string{"a.example", "a b", "A.EXAMPLE"}, place: place{policies: grants("a", p)}})
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
		{"routes that change nothing are left out, those in front of others are not", func(b *builder) {
			h := b.domain("A.example", at)
			p, q := grants("p", origins("https://p.example")), grants("q", origins("https://q.example"))
			for _, r := range []struct {
				text     string
				policies []*proposal
			}{{"/a/b", p}, {"/a", q}, {"/a", p}, {"/c", p}, {"/", p}, {"/d", q}} {
				b.domain("a.example", at).routes = append(h.routes, &route{match: match{matchPrefix, r.text}, place: place{policies: r.policies}})
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
		{"a place without CORS is passthrough", func(b *builder) {
			b.addHost(&host{name: "a", domains: []string{"a.example"}, routes: []*route{{match: match{matchPath, "/x"}, place: place{nobody: true}}}})
			b.addHost(&host{name: "a", domains: []string{"b.example"}})
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
		{"an expression that is too large to be judged", func(b *builder) {
			p := &corsprocv1.Policy{AllowOriginRegexes: []string{`https?://` + strings.Repeat(`[a-z]{1,50}`, 15) + `\.example\.com`}, AllowCredentials: true}
			b.addHost(&host{domains: []string{"a.example"}, place: place{policies: grants("a", p)}})
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
		b := newBuilder("test")
		for range 1 + r.IntN(3) {
			p := &corsprocv1.Policy{AllowOrigins: some(), AllowOriginRegexes: some(), AllowMethods: some(), AllowHeaders: some(), ExposeHeaders: some(), AllowCredentials: r.IntN(2) == 0}
			if r.IntN(3) == 0 {
				p.MaxAge = proto.String(texts[r.IntN(len(texts))])
			}
			pl := place{policies: grants(texts[r.IntN(len(texts))], p)}
			h := b.addHost(&host{domains: some(), name: texts[r.IntN(len(texts))], place: pl})
			m, _ := meet(pl, place{policies: grants("q", origins(some()...))})
			h.routes = append(h.routes, &route{match: match{matchPath, "/x"}, place: m})
		}
		if _, err := b.finish(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// TestConvertRefuses holds what is no input at all.
func TestConvertRefuses(t *testing.T) {
	var input *InputError
	if _, err := Convert("nginx", nil); !errors.As(err, &input) || !strings.Contains(err.Error(), `"nginx" is no kind of source; known are envoy`) {
		t.Errorf("an unknown kind: %v", err)
	}
	large := make([]byte, MaxBytes/2+1)
	if _, err := Convert("envoy", []Source{{"a", large}, {"b", large}}); !errors.As(err, &input) || input.File != "b" {
		t.Errorf("too much: %v", err)
	}
}

// TestBuilderGrowth holds that twice as many places are twice the work.
func TestBuilderGrowth(t *testing.T) {
	growth.Hold(t, 60, func(n int) func() {
		return func() {
			b := newBuilder("test")
			for i := range n {
				name := fmt.Sprintf("h%d", i)
				b.addHost(&host{domains: []string{name + ".example"}, place: place{policies: grants(name, origins("https://"+name+".example"))}})
			}
			if _, err := b.finish(); err != nil {
				t.Error(err)
			}
		}
	})
}
