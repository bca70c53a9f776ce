package origin

// Tested by policy/patterns_test.go and policy/testdata/patterns.yaml.

import (
	"regexp"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// starMessage says what to write instead of a pattern whose stars stand where none may; empty: nothing is known. hostPort is
// what stands behind the scheme, and list the name of the field.
func starMessage(scheme, hostPort, list string) string {
	host, port, _ := strings.Cut(hostPort, ":")
	if addressWithStar.MatchString(host) || strings.HasPrefix(host, "[") {
		return networkMessage(list)
	}
	if strings.Contains(port, "*") && !strings.Contains(port, ":") {
		whole := scheme + "://" + host + ":*"
		if p, why := ParsePattern(whole); why == "" && p.Kind == PatternOrigin && whole != scheme+"://"+hostPort {
			return "a star stands for a port as a whole: write " + whole + " for any, or a pattern for each of the ports"
		}
	}
	if strings.Contains(host, ".") && strings.Trim(host, "*.") == "" {
		whole := scheme + "://*" + hostPort[len(host):]
		if p, why := ParsePattern(whole); why == "" && p.Kind == PatternOrigin && whole != scheme+"://"+hostPort {
			return "one star stands for any host: write " + whole
		}
	}
	if expression := asStars(scheme, hostPort); expression != "" {
		return expressionMessage(starFault, expression, list)
	}
	if _, why := ParsePattern(scheme + "://" + hostPort); why != noDomainFault || strings.Contains(port, "*") {
		return ""
	}
	if _, ok := Parse(scheme + "://" + strings.ReplaceAll(hostPort, "*", "x")); !ok {
		return ""
	}
	return expressionMessage(noDomainFault, scheme+"://"+starred(hostPort), list)
}

// addressWithStar is an IPv4 address of which a part is not written.
var addressWithStar = regexp.MustCompile(`^[0-9]{1,3}\.[0-9.*]*\*$`)

func networkMessage(list string) string {
	return "a network is no pattern, and an address stands for itself alone: list the origins" + unlessDeny(list, ", or say them by an expression in allow_origin_regexes")
}

// starred returns an expression for what a text with stars means.
func starred(s string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(s), `\*`, "[a-z0-9-]+")
}

// asStars returns the expression that says what a pattern with stars in the wrong places must mean, if its host is one
// otherwise, and ends in a name that is written out: of a star at its end anybody could register what it stands for.
func asStars(scheme, host string) string {
	if (scheme != "http" && scheme != "https") || !strings.Contains(host, "*") || strings.Contains(host, "**") {
		return ""
	}
	if !strings.Contains(strings.TrimSuffix(strings.TrimPrefix(host, "*."), ":*"), "*") {
		return "" // all stars are where they may be
	}
	if label, _, _ := strings.Cut(host, "."); strings.Count(host, "*") == 1 && strings.Contains(label, "*") {
		return "" // and so is this one: it is something else
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if name, _, _ := strings.Cut(last, ":"); strings.Contains(name, "*") || name == host {
		return ""
	}
	filled := scheme + "://" + strings.ReplaceAll(host, "*", "x")
	if o, ok := Parse(filled); !ok || IsIPv4(o.Host) || isAnybodys(host) {
		return ""
	}
	return scheme + "://" + starred(host)
}

// isAnybodys reports whether a star of a host stands for a part of a name that is registered, so that anybody could register
// another one. A name under a suffix that somebody manages for their customers (vercel.app) is not meant: deployments are called so.
func isAnybodys(host string) bool {
	host, _, _ = strings.Cut(host, ":")
	suffix, icann := publicsuffix.PublicSuffix(strings.ReplaceAll(host, "*", "x"))
	labels := strings.Split(host, ".")
	own := len(labels) - 1 - strings.Count(suffix, ".") - 1
	return icann && own >= 0 && strings.Contains(strings.Join(labels[own:], "."), "*") && labels[own] != "*"
}
