package origin

// Tested by policy/naive_test.go, policy/patterns_test.go and policy/internal/lint/lint_test.go.

import (
	"fmt"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// A star may stand for a part of the leftmost label: app-*.example.com, *-team.preview.example. It is one or more of
// a-z 0-9 -, so that a name with an underscore, which nobody can register, is matched by what is written only.

// maxLabel is the length of the longest label of a name (RFC 1035, section 2.3.4).
const maxLabel = 63

// MaxLabelPart is the length of the longest text before or behind the star: it stands for a character at least.
const MaxLabelPart = maxLabel - 1

// IsStarByte holds the bytes that a star in a label stands for.
var IsStarByte = func() (is [256]bool) {
	is = isLabelByte
	is['_'] = false
	return
}()

// Starred returns how many bytes at the beginning of a text a star in a label may stand for.
func Starred(s string) (n int) {
	for n < len(s) && IsStarByte[s[n]] {
		n++
	}
	return n
}

// StarredEnd is [Starred] for the end of a text.
func StarredEnd(s string) (n int) {
	for n < len(s) && IsStarByte[s[len(s)-1-n]] {
		n++
	}
	return n
}

const (
	starFault = "a star stands for the first labels of a host (*.example.com), for a part of the first label (app-*.example.com, once), " +
		"for the whole host or for the port, and nowhere else"
	noDomainFault   = "a star for a part of a label needs a domain above that label (app-*.example.com)"
	codedLabelFault = "an international name stands in its xn-- form as a whole: a star cannot be a part of such a label"
	longLabelFault  = "a label has at most 63 characters, so that there is no room for what the star stands for"
)

// cutStarred parts host and port of a pattern around its star, if that stands for a part of the first label.
func cutStarred(hostPort string) (prefix, suffix, fault string) {
	label, domain, _ := strings.Cut(hostPort, ".")
	prefix, suffix, ok := strings.Cut(label, "*")
	switch {
	case !ok || strings.Count(hostPort, "*") > 1 || strings.HasPrefix(label, "["):
		return "", "", starFault
	case domain == "":
		return "", "", noDomainFault
	case !fetch.IsASCII(label):
		return "", "", codedLabelFault
	}
	return prefix, suffix, ""
}

// labelFault says why no browser has a page of a host of a domain whose label has such a beginning and end; empty: there may
// be one.
func labelFault(prefix, suffix, domain string) string {
	switch length := len(prefix) + 1 + len(suffix); {
	case domain == "":
		return noDomainFault
	case strings.HasPrefix(prefix, "xn--"):
		return codedLabelFault
	case length > maxLabel:
		return longLabelFault
	case length+1+len(strings.TrimSuffix(domain, ".")) > maxHost:
		return fmt.Sprintf("a host has at most %d characters, so that there is no room for what the star stands for", maxHost)
	}
	return ""
}

// Neighbour says what is wrong with a pattern whose star stands for a part of a name that anybody can register: of one straight
// under a suffix in which registries sell names. It is empty for all others, also for those under a suffix that somebody
// manages for customers (vercel.app), where deployments are called so.
func (p *Pattern) Neighbour() string {
	if p.Hosts != HostLabel || p.Origin.Scheme != "http" && p.Origin.Scheme != "https" || !isRegistry(p.Origin.Host) {
		return ""
	}
	_, port, _ := strings.Cut(p.Origin.Text[len(p.Origin.Scheme)+len("://"):], ":")
	if port = strings.TrimSuffix(port, "*"); port != "" {
		port = ":" + port
	}
	evil := p.Origin.Scheme + "://" + p.Prefix + "evil" + p.Suffix + "." + p.Origin.Host + port
	if p.Prefix == "" {
		return "a star right before a name lets in whoever has a longer one, " + evil + " for instance" + p.belowInstead()
	}
	return "the star stands for a part of a name that anybody can register, " + evil + " for instance"
}

// belowInstead says what to write where a dot behind the star is missing.
func (p *Pattern) belowInstead() string {
	below := strings.Replace(p.Origin.Text, "://*", "://*.", 1)
	apex := strings.Replace(p.Origin.Text, "://*", "://", 1)
	for _, text := range []string{below, apex} {
		if _, why := ParsePattern(text); why != "" {
			return ""
		}
	}
	return "; if its subdomains are meant, write " + below + ", and " + apex + " beside it if that is meant too"
}

// A Label is what a pattern with a star in the leftmost label says of that label.
type Label struct{ Prefix, Suffix string }

// Covers reports whether a label is meant.
func (l Label) Covers(label string) bool {
	n := len(label) - len(l.Suffix)
	return n > len(l.Prefix) && label[:len(l.Prefix)] == l.Prefix && label[n:] == l.Suffix && Starred(label[len(l.Prefix):n]) == n-len(l.Prefix)
}

// CoversAll reports whether every label that another one means is meant.
func (l Label) CoversAll(o Label) bool {
	before, begins := strings.CutPrefix(o.Prefix, l.Prefix)
	behind, ends := strings.CutSuffix(o.Suffix, l.Suffix)
	return begins && ends && Starred(before) == len(before) && Starred(behind) == len(behind)
}

// Common returns what two both cover: all that both does, if wide says so, where the star may stand for fresh, and single
// labels in which the end of the one and the beginning of the other are the same text or touch.
func (l Label) Common(o Label, fresh string) (both Label, wide bool, single []string) {
	both = Label{longer(l.Prefix, o.Prefix), longer(l.Suffix, o.Suffix)}
	if !strings.HasPrefix(both.Prefix, l.Prefix) || !strings.HasPrefix(both.Prefix, o.Prefix) ||
		!strings.HasSuffix(both.Suffix, l.Suffix) || !strings.HasSuffix(both.Suffix, o.Suffix) {
		return Label{}, false, nil
	}
	if label := both.Prefix + fresh + both.Suffix; l.Covers(label) && o.Covers(label) {
		wide = len(both.Prefix)+len(both.Suffix) <= MaxLabelPart
	}
	// The end of the one may be the beginning of the other.
	for n := range min(len(both.Prefix), len(both.Suffix)) + 1 {
		if label, ok := strings.CutSuffix(both.Prefix, both.Suffix[:n]); ok {
			if label += both.Suffix; l.Covers(label) && o.Covers(label) {
				single = append(single, label)
			}
		}
	}
	return both, wide, single
}

func longer(a, b string) string {
	if len(a) < len(b) {
		return b
	}
	return a
}
