package policy

import (
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/fetch"
	"github.com/corsproc/corsproc/policy/internal/match"
	"github.com/corsproc/corsproc/policy/internal/origin"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// This file is a second, naive implementation of origins, lists and look-up: loops and regular expressions over the text
// of the configuration, written from the design and not from the engine. Fuzzing holds the engine against it.

var (
	naiveWeb    = regexp.MustCompile(`^(https?)://([a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:]+\])(?::([1-9][0-9]{0,4}))?$`)
	naiveOpaque = regexp.MustCompile(`^([a-z][a-z0-9+.-]*)://([A-Za-z0-9._-]{1,255})(?::([1-9][0-9]{0,4}))?$`)
	naiveStar   = regexp.MustCompile(`^[a-z0-9-]+$`)
	naiveNumber = regexp.MustCompile(`^(?:[0-9]+|0x[0-9a-f]*)$`)
	naiveIPv4   = regexp.MustCompile(`^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])$`)
)

// naiveOrigin parts a well-formed origin into scheme, host and port; a port of "" is the default one.
func naiveOrigin(s string) (scheme, host, port string, ok bool) {
	if s == "null" || s == "file://" {
		return s, "", "", true
	}
	if len(s) > 326 {
		return "", "", "", false
	}
	re := naiveOpaque
	if strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://") {
		re = naiveWeb
	}
	m := re.FindStringSubmatch(s)
	if m == nil {
		return "", "", "", false
	}
	scheme, host, port = m[1], m[2], m[3]
	if n, _ := strconv.Atoi(port); n > 65535 || (scheme == "http" && n == 80) || (scheme == "https" && n == 443) {
		return "", "", "", false
	}
	if re == naiveWeb {
		labels := strings.Split(strings.TrimSuffix(host, "."), ".")
		if strings.HasPrefix(host, "[") {
			addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
			if err != nil || !addr.Is6() {
				return "", "", "", false
			}
			want := addr.String()
			if addr.Is4In6() {
				b := addr.As16()
				want = "::ffff:" + strconv.FormatInt(int64(b[12])<<8|int64(b[13]), 16) + ":" + strconv.FormatInt(int64(b[14])<<8|int64(b[15]), 16)
			}
			if "["+want+"]" != host {
				return "", "", "", false
			}
		} else if naiveNumber.MatchString(labels[len(labels)-1]) && !naiveIPv4.MatchString(host) {
			return "", "", "", false
		}
	}
	return scheme, host, port, true
}

// naiveMatches reports whether a pattern that the engine accepts covers an origin other than null.
func naiveMatches(pattern, origin string) bool {
	scheme, host, port, ok := naiveOrigin(origin)
	if !ok || scheme == "null" {
		return false
	}
	if pattern == "*" || pattern == origin {
		return true
	}
	patternScheme, rest, _ := strings.Cut(pattern, "://")
	if patternScheme != scheme {
		return false
	}
	patternPort := ""
	if i := strings.LastIndex(rest, ":"); i > strings.LastIndex(rest, "]") {
		rest, patternPort = rest[:i], rest[i+1:]
	}
	if patternPort != "*" && patternPort != port {
		return false
	}
	switch {
	case rest == "*":
		return host != ""
	case strings.HasPrefix(rest, "*."):
		front, ok := strings.CutSuffix(host, rest[1:])
		return ok && front != ""
	case strings.Contains(rest, "*"):
		first, last, _ := strings.Cut(rest, "*")
		front, begins := strings.CutPrefix(host, first)
		star, ends := strings.CutSuffix(front, last)
		return begins && ends && naiveStar.MatchString(star)
	}
	return rest == host && host != ""
}

func naiveAllows(p *corsprocv1.Policy, origin string) bool {
	if origin == "null" {
		return slices.Contains(p.AllowOrigins, "null") || (slices.Contains(p.AllowOrigins, "*") && !p.AllowCredentials)
	}
	return slices.ContainsFunc(p.AllowOrigins, func(pattern string) bool { return naiveMatches(pattern, origin) })
}

func naiveDenies(p *corsprocv1.Policy, origin string) bool {
	if origin == "null" {
		return slices.Contains(p.DenyOrigins, "null") || slices.Contains(p.DenyOrigins, "*")
	}
	return slices.ContainsFunc(p.DenyOrigins, func(pattern string) bool { return naiveMatches(pattern, origin) })
}

// naiveClients are the names that stand for others in lists of request headers.
var naiveClients = map[string]string{
	"@connect":  "Content-Type Connect-Protocol-Version Connect-Timeout-Ms Grpc-Timeout X-Grpc-Web X-User-Agent",
	"@grpc-web": "user-agent cache-control content-type content-transfer-encoding x-accept-content-transfer-encoding x-accept-response-streaming x-user-agent x-grpc-web grpc-timeout",
}

// naiveNames writes out a list of request headers.
func naiveNames(list []string) (names []string) {
	for _, s := range list {
		if client, ok := naiveClients[s]; ok {
			names = append(names, strings.Fields(client)...)
		} else {
			names = append(names, s)
		}
	}
	return names
}

// naiveHeaders decides about the names of a preflight.
func naiveHeaders(p *corsprocv1.Policy, lines []string) Reason {
	empty := 0
	for _, name := range strings.Split(strings.Join(lines, ","), ",") {
		name = strings.Trim(name, " \t")
		if name == "" {
			if empty++; empty > 32 && len(lines) > 0 {
				return ReasonHeaderMalformed
			}
			continue
		}
		if !regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$").MatchString(name) {
			return ReasonHeaderMalformed
		}
		listed := slices.ContainsFunc(naiveNames(p.AllowHeaders), func(h string) bool { return h != "*" && strings.EqualFold(h, name) })
		if !listed && (!slices.Contains(p.AllowHeaders, "*") || strings.EqualFold(name, "authorization")) {
			return ReasonHeaderNotAllowed
		}
	}
	return ReasonAllowed
}

// naiveDomain returns the index of the domain that an authority belongs to, or -1.
func naiveDomain(domains []string, authority string) int {
	search := func(name string) int {
		best, rank := -1, 0
		for i, d := range domains {
			d = strings.ToLower(d)
			r := 0
			switch {
			case d == "*":
			case d == name:
				r = 1 << 20
			case strings.HasPrefix(d, "*") && strings.HasSuffix(name, d[1:]) && len(name) > len(d)-1:
				r = 1<<10 + len(d)
			case strings.HasSuffix(d, "*") && !strings.HasPrefix(d, "*") && strings.HasPrefix(name, d[:len(d)-1]) && len(name) > len(d)-1:
				r = len(d)
			}
			if r > rank {
				best, rank = i, r
			}
		}
		return best
	}
	name := strings.ToLower(authority)
	if i := search(name); i >= 0 {
		return i
	}
	if i := strings.LastIndex(name, ":"); i >= 0 && !strings.Contains(name[i:], "]") {
		if i := search(name[:i]); i >= 0 {
			return i
		}
	}
	return slices.Index(domains, "*")
}

// hostile is what origins and patterns are mutated with.
var hostile = []string{
	"https://", "http://", "null", "*", "*.", ".", "..", ":", ":*", ":443", ":80", ":8443", ":0", ":01", ":65535", ":65536", "/", "@", "#", "?", " ", ",",
	"example.com", "shop.example.com", "a.example.com", "evilexample.com", "example.com.evil.com", "localhost", "127.0.0.1", "1.2.3", "1.2.3.4.", "0x7f", "foo.0x1f",
	"[::1]", "[::ffff:102:304]", "[::ffff:1.2.3.4]", "[2001:DB8::1]", "[1:2:3:4:5:6:7:8]", "xn--bcher-kva.example", "chrome-extension://", "AbC", "file://", "app://-", "a-*.", "*-b.", "a*_b.", "xn--*.", "é", "\x00", "\t", "_", "-", "A", "a",
}

// mix makes a text of pieces chosen by random.
func mix(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(4) {
		b.WriteString(hostile[r.IntN(len(hostile))])
	}
	return b.String()
}

// checkOrigins compiles patterns (those that cannot be written are left out) and compares the verdicts on origins. It returns how
// many are allowed.
func checkOrigins(t *testing.T, allow, deny []string, credentials bool, origins []string) (allowed int) {
	t.Helper()
	usable := func(patterns []string) (ok []string) {
		for _, p := range patterns {
			if _, why := origin.ParsePattern(p); why == "" && !strings.HasPrefix(p, "@") {
				ok = append(ok, p)
			}
		}
		return ok
	}
	p := &corsprocv1.Policy{
		AllowOrigins: usable(allow), DenyOrigins: usable(deny), AllowCredentials: credentials,
		DangerouslyAllow: []corsprocv1.DangerousCombination{
			corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_ANY_ORIGIN_WITH_CREDENTIALS,
			corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_INSECURE_ORIGINS_WITH_CREDENTIALS,
			corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_PUBLIC_SUFFIX_WILDCARDS,
		},
	}
	set, findings := Compile(Source{Set: &corsprocv1.PolicySet{
		Policies: map[string]*corsprocv1.Policy{"p": p},
		Default:  &corsprocv1.DefaultPlace{Policies: &corsprocv1.PolicyList{Names: []string{"p"}}},
	}})
	if set == nil {
		t.Fatalf("patterns %q / %q do not compile: %v", p.AllowOrigins, p.DenyOrigins, findings)
	}
	for _, o := range origins {
		want := ReasonOriginNotAllowed
		if _, _, _, ok := naiveOrigin(o); !ok {
			want = ReasonOriginMalformed
		} else if naiveDenies(p, o) {
			want = ReasonOriginDenied
		} else if naiveAllows(p, o) {
			want = ReasonAllowed
		}
		d := set.Decide(&Request{Method: "GET", Path: "/", Authority: "other.test", Origin: Line(o)})
		if d.Reason != want {
			t.Errorf("allow %q deny %q credentials %v: origin %q is %v, the naive matcher says %v", p.AllowOrigins, p.DenyOrigins, credentials, o, d.Reason, want)
		}
		if want == ReasonAllowed {
			allowed++
		}
	}
	return allowed
}

func TestOriginsAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var patterns, origins []string
		for range 6 {
			patterns = append(patterns, mix(r))
			origins = append(origins, mix(r))
		}
		// An origin that a pattern should just cover, or just not.
		for _, p := range patterns {
			origins = append(origins, p, strings.Replace(p, "*", "a", 1), strings.Replace(p, "*", "", 1), strings.Replace(strings.Replace(p, "*.", "x.y.", 1), ":*", ":81", 1), strings.Replace(p, "*.", "", 1))
		}
		checkOrigins(t, patterns[:4], patterns[4:], r.IntN(2) == 0, origins)
		if t.Failed() {
			return
		}
	}
}

// TestLabelsAgainstNaive: of patterns with a star in a label there are so many, and so alike, that beginnings and ends of a label
// hang on each other in every way.
func TestLabelsAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	part := func(letters string, most int) string {
		var b strings.Builder
		for range r.IntN(most + 1) {
			b.WriteByte(letters[r.IntN(len(letters))])
		}
		return b.String()
	}
	tail := func() string { return []string{".b.test", ".b.test:81", ".c.b.test"}[r.IntN(3)] }
	allowed := 0
	for round := range 600 {
		letters := []string{"a", "ab", "ab_-"}[round%3]
		most := []int{3, 9, 30}[r.IntN(3)]
		var patterns, origins []string
		for range 1 + r.IntN(40) {
			patterns = append(patterns, "https://"+part(letters, most)+"*"+part(letters, most)+strings.Replace(tail(), ":81", []string{":81", ":*"}[r.IntN(2)], 1))
		}
		for range 20 {
			origins = append(origins, "https://a"+part(letters, 2*most)+tail())
		}
		for _, p := range patterns[:min(10, len(patterns))] {
			p = strings.Replace(p, ":*", ":82", 1)
			origins = append(origins, strings.Replace(p, "*", "", 1), strings.Replace(p, "*", "a", 1), strings.Replace(p, "*", "b"+part(letters, 4), 1))
		}
		allowed += checkOrigins(t, patterns, nil, false, origins)
		if t.Failed() {
			return
		}
	}
	if allowed < 5_000 {
		t.Errorf("only %d origins are allowed", allowed)
	}
}

func FuzzOrigins(f *testing.F) {
	f.Add("https://a-*.example.com,https://*-b.example.com:*,https://a*b.example.com", "https://a-*-b.example.com:81", "https://a-b.example.com", false)
	f.Add("https://*.example.com,https://example.com:*", "https://a.example.com", "https://b.a.example.com", true)
	f.Add("https://*", "null", "https://[::1]:81", false)
	f.Fuzz(func(t *testing.T, allow, deny, origin string, credentials bool) {
		checkOrigins(t, strings.Split(allow, ","), strings.Split(deny, ","), credentials, []string{origin, allow, deny})
	})
}

func FuzzRequestHeaders(f *testing.F) {
	f.Add("X-A,Authorization,*", "x-a, authorization", "x-b")
	f.Add("X-A", ",,, x-a\t", "")
	f.Add("@connect,X-A", "connect-timeout-ms, x-grpc-web", "user-agent")
	f.Add("@grpc-web", "user-agent,grpc-timeout", "keep-alive")
	f.Fuzz(func(t *testing.T, configured, first, second string) {
		var listed []string
		for _, h := range strings.Split(configured, ",") {
			if fetch.IsToken(h) || naiveClients[h] != "" {
				listed = append(listed, h)
			}
		}
		p := &corsprocv1.Policy{AllowOrigins: []string{"https://a.test"}, AllowHeaders: listed}
		set, _ := Compile(Source{Set: &corsprocv1.PolicySet{
			Policies: map[string]*corsprocv1.Policy{"p": p},
			Default:  &corsprocv1.DefaultPlace{Policies: &corsprocv1.PolicyList{Names: []string{"p"}}},
		}})
		for _, lines := range [][]string{nil, {first}, {first, second}} {
			d := set.Decide(&Request{Method: "OPTIONS", Origin: Line("https://a.test"), RequestMethod: Line("GET"), RequestHeaders: lines})
			if want := naiveHeaders(p, lines); d.Reason != want {
				t.Errorf("allow %q, asked %q: %v, the naive reading says %v", listed, lines, d.Reason, want)
			}
			_, headers, _ := d.AppendImmediate(nil)
			for _, h := range headers {
				if !fetch.IsFieldValue([]byte(h.Value)) {
					t.Errorf("asked %q: wrote %q", lines, h.Value)
				}
			}
		}
	})
}

func FuzzDomains(f *testing.F) {
	f.Add("*.example.com,api.example.com,*-x.example.com,api.*,*", "pr-x.example.com:8080")
	f.Add("[::1]:80,[::1]", "[::1]:80")
	f.Fuzz(func(t *testing.T, list, authority string) {
		var domains []string
		var hosts []*corsprocv1.VirtualHost
		for _, d := range strings.Split(list, ",") {
			if why, _ := match.CheckDomain(d); why == "" && !slices.ContainsFunc(domains, func(e string) bool { return strings.EqualFold(e, d) }) {
				domains = append(domains, d)
				hosts = append(hosts, &corsprocv1.VirtualHost{Domains: []string{d}})
			}
		}
		if !fetch.IsASCII(authority) {
			return // Envoy lower-cases ASCII only, the naive search everything
		}
		set, findings := Compile(Source{Set: &corsprocv1.PolicySet{VirtualHosts: hosts}})
		if set == nil {
			t.Fatalf("%q: %v", domains, findings)
		}
		want := compiled.DefaultLabel
		if i := naiveDomain(domains, authority); i >= 0 {
			want = domains[i]
		}
		if got := set.Decide(&Request{Authority: authority}).VirtualHost; got != want {
			t.Errorf("domains %q: %q belongs to %q, the naive search says %q", domains, authority, got, want)
		}
	})
}

func FuzzNames(f *testing.F) {
	f.Add("shop/*,shop/web/*,*/eu,shop", "shop/web/eu")
	f.Fuzz(func(t *testing.T, list, name string) {
		names := slices.Compact(slices.Sorted(slices.Values(slices.DeleteFunc(strings.Split(list, ","), func(s string) bool { return s == "" }))))
		var g match.Globs
		for i, n := range names {
			if match.IsGlob(n) {
				g.Add(n, i)
			}
		}
		best := -1
		for _, n := range names {
			if !match.IsGlob(n) {
				continue
			}
			var re strings.Builder
			for i, part := range strings.Split(n, "*") {
				if i > 0 {
					re.WriteString("(?s:.*)")
				}
				re.WriteString(regexp.QuoteMeta(part))
			}
			if !fetch.IsASCII(n+name) || !regexp.MustCompile(`\A`+re.String()+`\z`).MatchString(name) {
				continue
			}
			best = max(best, len(n))
		}
		i, ok := g.Find(name)
		if fetch.IsASCII(list+name) && (ok != (best >= 0) || (ok && len(names[i]) != best)) {
			t.Errorf("names %q: %q found %v %v, the longest match has %d bytes", names, name, i, ok, best)
		}
	})
}
