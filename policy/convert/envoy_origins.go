package convert

// Tested by envoy_origins_test.go, golden_test.go and envoy/e2e/importenvoy_test.go.

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/printable"
)

// Envoy's matchers see the text of Origin, and are tried on the text * first (cors_filter.cc, isOriginAllowed): one that
// matches it lets everybody in. A policy file has exact origins, and expressions that are tried on well-formed origins
// only. Browsers send no others, but for null, which is written beside an expression that matches it.

// origins takes the origins over.
func (c *envoyConverter) origins() {
	o := first(c.policies, func(p *corsv3.CorsPolicy) bool { return len(p.GetAllowOriginStringMatch()) > 0 })
	list, err := o.list("allow_origin_string_match")
	p := c.p.policy
	for i, m := range o.cors.GetAllowOriginStringMatch() {
		at := o.position()
		if err == nil && i < len(list) {
			at = o.file.position(list[i])
		}
		origins, expression := c.matcher(m, at)
		p.AllowOrigins = append(p.AllowOrigins, origins...)
		if expression != "" {
			p.AllowOriginRegexes = append(p.AllowOriginRegexes, expression)
		}
	}
	for _, s := range p.AllowOrigins {
		if s != "*" {
			continue
		}
		p.AllowOrigins, p.AllowOriginRegexes = []string{"*"}, nil
		if p.AllowCredentials { // the star is echoed then, and no echo covers null unless it is written
			p.AllowOrigins = append(p.AllowOrigins, "null")
		}
		return
	}
}

// matcher returns the origins that a matcher lets in: exact ones, or "*", or an expression.
func (c *envoyConverter) matcher(m *matcherv3.StringMatcher, at Position) (origins []string, expression string) {
	fold := m.GetIgnoreCase()
	switch v := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		return c.exact(v.Exact, fold)
	case *matcherv3.StringMatcher_Prefix:
		return c.plain(v.Prefix, "", fold)
	case *matcherv3.StringMatcher_Suffix:
		return c.plain("", v.Suffix, fold)
	case *matcherv3.StringMatcher_Contains:
		return c.contains(v.Contains, fold)
	case *matcherv3.StringMatcher_SafeRegex:
		return c.regex(v.SafeRegex.GetRegex(), at)
	}
	c.b.warn(&c.p.notes, at, codeMatcher, "allow_origin_string_match", "a matcher of an extension is left out, and the origins with it that it lets in: list them in allow_origins")
	return nil, ""
}

// exact takes a text over that Origin has to be.
func (c *envoyConverter) exact(s string, fold bool) (origins []string, expression string) {
	if s == "*" {
		return []string{"*"}, ""
	}
	lower := s
	if fold {
		lower = strings.ToLower(s)
	}
	if _, _, ok := policy.CheckOrigin(lower); !ok {
		c.p.notes.add(fmt.Sprintf("left out: %s, which is no origin that a browser sends, so that it lets nobody in", printable.Cut(strconv.Quote(s))))
		return nil, ""
	}
	if fold && !strings.HasPrefix(lower, "http://") && !strings.HasPrefix(lower, "https://") && lower != "null" {
		return nil, "(?i)" + regexp.QuoteMeta(s) // the host of another scheme has upper case in it
	}
	return []string{lower}, ""
}

// plain takes the beginning or the end of a text over.
func (c *envoyConverter) plain(prefix, suffix string, fold bool) (origins []string, expression string) {
	has := func(s string) bool {
		p, q := prefix, suffix
		if fold {
			p, q = strings.ToLower(p), strings.ToLower(q)
		}
		return strings.HasPrefix(s, p) && strings.HasSuffix(s, q)
	}
	if has("*") {
		return []string{"*"}, ""
	}
	if has("null") {
		origins = append(origins, "null")
	}
	switch {
	case prefix == "https://" || prefix == "http://": // all origins of a scheme
		return append(origins, prefix+"*:*"), ""
	case prefix != "":
		expression = regexp.QuoteMeta(prefix) + ".*"
	default:
		expression = ".*" + regexp.QuoteMeta(suffix)
	}
	return origins, folded(expression, fold)
}

func (c *envoyConverter) contains(s string, fold bool) (origins []string, expression string) {
	in := s
	if fold {
		in = strings.ToLower(s)
	}
	if strings.Contains("*", in) {
		return []string{"*"}, ""
	}
	if strings.Contains("null", in) {
		origins = append(origins, "null")
	}
	return origins, folded(".*"+regexp.QuoteMeta(s)+".*", fold)
}

func folded(expression string, fold bool) string {
	if fold {
		return "(?i)" + expression
	}
	return expression
}

// regex takes an expression over, which matches the whole text in Envoy, too.
func (c *envoyConverter) regex(s string, at Position) (origins []string, expression string) {
	re, err := regexp.Compile("^(?:" + s + ")$")
	if err != nil {
		c.b.warn(&c.p.notes, at, codeExpression, "allow_origin_string_match", fmt.Sprintf("the expression %s is left out, and the origins with it that it lets in: %s; list them in allow_origins",
			printable.Cut(strconv.Quote(s)), printable.Cut(err.Error())))
		return nil, ""
	}
	if re.MatchString("*") {
		return []string{"*"}, ""
	}
	if literals := literalsOf(s); literals != nil {
		for _, s := range literals {
			exact, _ := c.exact(s, false)
			origins = append(origins, exact...)
		}
		return origins, ""
	}
	if pattern := labelPattern(s); pattern != "" {
		return []string{pattern}, ""
	}
	if re.MatchString("null") {
		origins = append(origins, "null")
	}
	return origins, s
}

// labelPattern returns the pattern that says what an expression says, where that is about a part of a host's leftmost label:
// https://app-[a-z0-9-]+\.example\.com is https://app-*.example.com. A whole label is said by none, since *. has several.
func labelPattern(s string) string {
	re, err := syntax.Parse(s, syntax.Perl)
	if err != nil || re.Op != syntax.OpConcat {
		return ""
	}
	text := ""
	for _, sub := range re.Sub {
		switch {
		case sub.Op == syntax.OpLiteral && sub.Flags&syntax.FoldCase == 0:
			text += string(sub.Rune)
		case sub.Op == syntax.OpPlus && sub.Sub[0].Op == syntax.OpCharClass && string(sub.Sub[0].Rune) == "--09az":
			text += "*"
		case sub.Op != syntax.OpBeginText && sub.Op != syntax.OpEndText:
			return ""
		}
	}
	_, host, _ := strings.Cut(text, "://")
	if label, _, _ := strings.Cut(host, "."); label == "*" || !strings.Contains(label, "*") || patternFault(text) != "" {
		return ""
	}
	return text
}

// maxLiterals is how many alternatives are written as origins.
const maxLiterals = 100

// literalsOf returns the texts that an expression matches, if those are all that it says: https://a\.example, perhaps
// between ^ and $, or such ones parted by |.
func literalsOf(s string) []string {
	re, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return nil
	}
	return expand(re, true, true)
}

// expand returns all texts of an expression of literals, sequences, groups, alternatives and optional parts; nil: it has
// something else, or more than maxLiterals. first and last say whether the text begins and ends with it: an anchor counts
// for nothing there, and matches nothing elsewhere.
func expand(re *syntax.Regexp, first, last bool) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return nil
		}
		return []string{string(re.Rune)}
	case syntax.OpCharClass:
		var all []string
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i+1]-re.Rune[i] > 1 { // a range is not meant as a list of texts
				return nil
			}
			for c := re.Rune[i]; c <= re.Rune[i+1]; c++ {
				all = append(all, string(c))
			}
		}
		if len(all) > maxLiterals {
			return nil
		}
		return all
	case syntax.OpCapture:
		return expand(re.Sub[0], first, last)
	case syntax.OpQuest:
		some := expand(re.Sub[0], first, last)
		if some == nil {
			return nil
		}
		return append(some, "")
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			some := expand(sub, first, last)
			if some == nil || len(all)+len(some) > maxLiterals {
				return nil
			}
			all = append(all, some...)
		}
		return all
	case syntax.OpConcat:
		subs := re.Sub
		if first && len(subs) > 0 && subs[0].Op == syntax.OpBeginText {
			subs = subs[1:]
		}
		if n := len(subs); last && n > 0 && subs[n-1].Op == syntax.OpEndText {
			subs = subs[:n-1]
		}
		all := []string{""}
		for i, sub := range subs {
			some := expand(sub, first && i == 0, last && i == len(subs)-1)
			if some == nil || len(all)*len(some) > maxLiterals {
				return nil
			}
			var next []string
			for _, a := range all {
				for _, b := range some {
					next = append(next, a+b)
				}
			}
			all = next
		}
		return all
	}
	return nil
}

// checkExpressions refuses an expression that Envoy refuses. What only Go does not have is a loss, later.
func checkExpressions(o *envoyOverride, field string, matchers []*matcherv3.StringMatcher) error {
	list, err := o.list(field)
	if err != nil {
		return err
	}
	for i, m := range matchers {
		s := m.GetSafeRegex().GetRegex()
		_, err := syntax.Parse(s, syntax.Perl)
		e := (*syntax.Error)(nil)
		if !errors.As(err, &e) || e.Code == syntax.ErrLarge || e.Code == syntax.ErrNestingDepth || strings.Contains(s, `\C`) {
			continue
		}
		return o.file.fault(list[i], "Envoy refuses this: the expression %s: %s", printable.Cut(strconv.Quote(s)), e.Code)
	}
	return nil
}
