package lint

// Tested by policy/findings_test.go and policy/testdata/lints.yaml.

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/origin"
	"github.com/corsproc/corsproc/policy/internal/regex"
)

// lintRegexes looks for expressions that accept more than was meant: by their syntax tree, and by trying them on origins
// of somebody else that are near to those they are made for.
func (l *Linter) lintRegexes(p *policy) {
	for i, text := range p.Message.GetAllowOriginRegexes() {
		at := p.At.Field("allow_origin_regexes").Index(i)
		tree, err := syntax.Parse(text, syntax.Perl)
		if err != nil || regex.IsTooLarge(tree, text) {
			continue // there is an error about it
		}
		whole, err := regex.Whole(text, tree)
		if err != nil {
			continue // it is too large, and there is an error about that
		}
		if regex.AcceptsAll(whole, regex.ProbeOrigins("https")) || regex.AcceptsAll(whole, regex.ProbeOrigins("http")) {
			if !p.Compiled.Credentials { // with them it is an error, or allowed on purpose
				l.found.Warn(finding.Finding{Code: finding.CodeRegexNeighbour, Location: at, Value: text,
					Message: "this accepts every site, " + regex.ProbeOrigins("https")[1] + " too; to allow anybody, write \"*\" in allow_origins"})
			}
			continue
		}
		if len(regex.MadeFor(tree, whole)) == 0 && l.inclusion.AcceptsNoOrigin(tree) {
			l.found.Warn(finding.Finding{Code: finding.CodeRegexNoMatch, Location: at, Value: text,
				Message: "no origin is like this: an expression is held against all of scheme://host[:port] as browsers send it, in lower case and without a path"})
		}
		if dots := riskyDots(tree); dots > 0 {
			fix := escapeDots(text, dots)
			l.found.Warn(finding.Finding{Code: finding.CodeRegexDot, Location: at, Value: text,
				Message: "a dot stands for any character, so the host may have a letter where the dot before the top-level domain is", Fix: fix})
			// The rest is asked of what was meant: that examplexcom is accepted is said already.
			if fixed, err := syntax.Parse(fix, syntax.Perl); err == nil && fix != "" {
				if re, err := regex.Whole(fix, fixed); err == nil {
					tree, whole = fixed, re
				}
			}
		}
		if made, neighbour := acceptedNeighbour(regex.MadeFor(tree, whole), whole); neighbour != "" {
			l.found.Warn(finding.Finding{Code: finding.CodeRegexNeighbour, Location: at, Value: text,
				Message: "this is made for " + made + " and accepts " + neighbour + " too, which anybody could own; escape dots and let nothing run into the host's name"})
		}
	}
}

// riskyDots counts the single dots of an expression that stand for any character right before a top-level domain of the
// public suffix list.
func riskyDots(r *syntax.Regexp) (n int) {
	if r.Op == syntax.OpConcat {
		for i, part := range r.Sub[:len(r.Sub)-1] {
			if regex.IsAnyChar(part) && slices.ContainsFunc(beginnings(r.Sub[i+1:], 0), isTopLevel) {
				n++
			}
		}
	}
	for _, sub := range r.Sub {
		n += riskyDots(sub)
	}
	return n
}

// beginnings returns the literal texts with which a sequence can begin.
func beginnings(parts []*syntax.Regexp, depth int) (texts []string) {
	if len(parts) == 0 || depth > 8 {
		return nil
	}
	switch r := parts[0]; r.Op {
	case syntax.OpLiteral:
		text := strings.ToLower(string(r.Rune))
		rest := beginnings(parts[1:], depth+1)
		if len(rest) == 0 {
			return []string{text}
		}
		for _, more := range rest {
			texts = append(texts, text+more)
		}
	case syntax.OpEmptyMatch:
		return beginnings(parts[1:], depth+1)
	case syntax.OpCapture:
		return beginnings(append(slices.Clone(r.Sub), parts[1:]...), depth+1)
	case syntax.OpConcat:
		return beginnings(append(slices.Clone(r.Sub), parts[1:]...), depth+1)
	case syntax.OpAlternate:
		for _, sub := range r.Sub {
			if texts = append(texts, beginnings(append([]*syntax.Regexp{sub}, parts[1:]...), depth+1)...); len(texts) > 16 {
				break
			}
		}
	}
	return texts
}

// isTopLevel reports whether the first label of a text is a top-level domain.
func isTopLevel(text string) bool {
	end := strings.IndexFunc(text, func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' })
	if end >= 0 {
		text = text[:end]
	}
	suffix, icann := publicsuffix.PublicSuffix(text)
	return text != "" && icann && suffix == text
}

// maxFixedRegex is the length of the longest expression that gets a fix, for which it is parsed once for each of its dots.
const maxFixedRegex = 2000

// escapeDots returns an expression with its risky dots escaped, or nothing where they cannot be told from others.
func escapeDots(text string, risky int) string {
	if len(text) > maxFixedRegex {
		return ""
	}
	for i := 0; i < len(text) && risky > 0; i++ {
		switch text[i] {
		case '\\':
			i++
		case '.':
			// The tree does not say where in the text its parts stand: whether this is one of them shows when it is gone.
			escaped := text[:i] + `\` + text[i:]
			if tree, err := syntax.Parse(escaped, syntax.Perl); err == nil {
				if n := riskyDots(tree); n < risky {
					text, risky = escaped, n
					i++
				}
			}
		}
	}
	if risky > 0 {
		return ""
	}
	return text
}

// acceptedNeighbour returns one of some origins that an expression is made for, and one of somebody else that it accepts
// as well.
func acceptedNeighbour(origins []origin.Origin, whole *regexp.Regexp) (made, neighbour string) {
	for _, o := range origins {
		if o.Scheme != "http" && o.Scheme != "https" {
			continue
		}
		for _, host := range neighbours(o.Host) {
			near := o.Scheme + "://" + host + strings.TrimPrefix(o.Text, o.Scheme+"://"+o.Host)
			if whole.MatchString(near) {
				return o.Text, near
			}
		}
	}
	return "", ""
}

// neighbours returns hosts that look like a host, and that somebody else can own.
func neighbours(host string) (hosts []string) {
	if strings.HasPrefix(host, "[") || origin.IsIPv4(host) {
		return []string{host + ".evil.com"}
	}
	own, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil { // the host is a suffix itself, such as localhost
		own = host
	}
	below := strings.TrimSuffix(host, own) // what of the host is not its owner's name
	hosts = []string{host + ".evil.com", host + "evil.com"}
	// Names right under localhost, corp and the like, of which the list knows nothing, are handed out to nobody.
	if suffix, icann := publicsuffix.PublicSuffix(own); icann || strings.Contains(suffix, ".") {
		hosts = append(hosts, "evil"+own, "a.evil"+own, below+"evil"+own, "evil-"+own)
	}
	for i := range len(host) {
		if host[i] != '.' {
			continue
		}
		near := host[:i] + "x" + host[i+1:]
		if theirs, err := publicsuffix.EffectiveTLDPlusOne(near); err != nil || theirs != own {
			hosts = append(hosts, near)
		}
	}
	return hosts
}
