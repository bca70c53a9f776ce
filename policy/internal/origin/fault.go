package origin

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// maxHost is the length of the longest host name, without a final dot (RFC 1035, section 2.3.4). That of a label is not
// held: browsers do not hold it either.
const maxHost = 253

// nameFault says why no browser has a page of a host that the grammar of origins allows; empty: there may be one. wild
// says that at least one label stands in front of it.
func nameFault(host string, wild bool) string {
	name := strings.TrimSuffix(host, ".")
	most := maxHost
	if wild {
		most -= len("x.")
	}
	if len(name) <= most && !strings.Contains(name, "xn--") {
		return "" // as nearly all are
	}
	if len(name) > most {
		if wild {
			return fmt.Sprintf("a host has at most %d characters, so that there is no room for a label in front of this one", maxHost)
		}
		return fmt.Sprintf("a host has at most %d characters", maxHost)
	}
	for label := range strings.SplitSeq(name, ".") {
		if strings.HasPrefix(label, "xn--") && !decodes(label) {
			return "the label " + label + " stands for no international name: nothing can be decoded from it"
		}
	}
	return ""
}

// decodes reports whether a label is Punycode of something (RFC 3492). What browsers think of the characters in it changes
// with every version of Unicode, and is not looked at.
func decodes(label string) bool {
	if strings.HasSuffix(label, "-") && label != "xn--" {
		return true // of ASCII alone, which some browsers take
	}
	name, err := idna.Punycode.ToUnicode(label)
	if err != nil || name == "" {
		return false
	}
	for _, r := range name {
		if r >= 0x80 && r < 0xA0 { // controls
			return false
		}
	}
	return true
}

// originFault says what keeps scheme://hostPort from being an origin that a browser sends.
func originFault(scheme, hostPort string) string {
	web := scheme == "http" || scheme == "https"
	host, port, hasPort := hostPort, "", false
	if i := strings.LastIndexByte(hostPort, ':'); i > strings.LastIndexByte(hostPort, ']') {
		host, port, hasPort = hostPort[:i], hostPort[i+1:], true
	}
	switch {
	case !isScheme(scheme):
		return "a scheme is lower-case letters, digits, +, - and ., and begins with a letter"
	case scheme == "file":
		return "the one origin of the scheme file is file://, without anything behind it"
	case strings.ContainsAny(hostPort, `/\?#`):
		return "an origin has no path"
	case strings.Contains(hostPort, "@"):
		return "an origin has no user name"
	case host == "":
		return "an origin has a host"
	case strings.HasPrefix(host, "[") && web && !isIPv6(host):
		return "what stands in brackets is no IPv6 address as browsers write it"
	case strings.Contains(host, ":") && !strings.HasPrefix(host, "["):
		return "an origin has one port, and an IPv6 address stands in brackets"
	case hasPort:
		if fault := portFault(scheme, port); fault != "" {
			return fault
		}
	}
	switch {
	case strings.Contains(host, "*"):
		return starFault
	case !web:
		return fmt.Sprintf("the host of an origin of this scheme is 1 to %d of A-Z a-z 0-9 . _ -", maxOpaqueHost)
	case !fetch.IsASCII(host):
		return "an origin has an international name in its xn-- form"
	case strings.HasPrefix(host, ".") || strings.Contains(host, ".."):
		return "a host has no empty labels"
	}
	for i := 0; i < len(host); i++ {
		if !isLabelByte[host[i]] && host[i] != '.' {
			return "a host has lower-case letters, digits, hyphens, underscores and dots"
		}
	}
	if len(host) > maxHost {
		return fmt.Sprintf("a host has at most %d characters", maxHost)
	}
	return "a host that ends in a number is an IPv4 address, of four numbers from 0 to 255"
}

// portFault says what keeps a port from standing in an origin; empty: nothing.
func portFault(scheme, port string) string {
	switch n, ok := ParsePort(port); {
	case ok && n == DefaultPort(scheme):
		return fmt.Sprintf("an origin leaves the default port of its scheme out, which is %d for %s", n, scheme)
	case ok:
		return ""
	case port == "":
		return "an origin has no colon without a port"
	case len(port) <= 20 && strings.Trim(port, "0123456789") == "" && port[0] != '0':
		return "a port is a number from 1 to 65535, and " + port + " is above that"
	}
	return "a port is a number from 1 to 65535, without leading zeros; :* stands for any"
}

// maxFaulty is the length of the longest text of which is looked for what it may have been meant to be: several origins are
// longer than one.
const maxFaulty = 20 * MaxLen

// Fault says what is wrong with a text that is no pattern, for the reason why. list is the name of the field that
// it stands in. What stands there in another spelling, as spelling says, has a fix, which may be written without asking,
// or a guess. What is guessed is told in the reason, and is no fix.
func Fault(s, list, why string) (reason, fix string, spelling bool) {
	if len(s) > maxFaulty {
		return why, "", false
	}
	if list == Lines {
		if alone := aloneInLine(s); alone != "" {
			return "a pattern stands alone in its line, without quotes, commas and dashes", alone, true
		}
	}
	fix, better, guess, ok := canonical(s)
	if ok && !guess {
		return better, fix, true
	}
	reason = why
	if foreign := foreignPattern(s, list); foreign != "" {
		reason = foreign
	} else if ok && (strings.Contains(s, "://") || !isWord(fix)) {
		reason = better + "; if " + fix + " is meant, write that"
	} else if why == starFault || why == codedLabelFault {
		reason += "; list the origins"
	} else if list == Lines && why == notAPattern {
		reason = "a line holds an origin or a pattern of some, scheme://host[:port], or a comment behind #"
	}
	return reason, "", ok
}

// isWord reports whether the host of a pattern is a mere word, which may have been meant for anything.
func isWord(s string) bool {
	p, why := ParsePattern(s)
	return why == "" && p.Hosts == HostExact && p.Origin.Port == 0 && p.Origin.Host != "localhost" && !strings.Contains(p.Origin.Host, ".") && !strings.HasPrefix(p.Origin.Host, "[")
}

// foreignPattern says to who brings along from elsewhere what is no pattern here what to write instead; empty: it is
// nothing that is known. list is the name of the field that the text stands in.
func foreignPattern(s, list string) string {
	switch origins := severalOrigins(s); {
	case origins != nil:
		return "these are several origins, and each is an entry of its own: write " + strings.Join(origins, ", ")
	case isExpression(s):
		expression := asExpression(s)
		if pattern := asPattern(expression); pattern != "" {
			return "this is an expression, and a pattern says it: write " + pattern
		}
		return expressionMessage("this is an expression", expression, list)
	}
	scheme, rest, ok := strings.Cut(s, "://")
	switch {
	case network.MatchString(rest) || network.MatchString(s):
		return networkMessage(list)
	case !ok:
		return wordMessage(s, list)
	case scheme == "" || strings.Contains(scheme, "*") && strings.HasPrefix("https", strings.TrimRight(scheme, "*")):
		if p, why := ParsePattern("https://" + rest); why == "" && p.Kind == PatternOrigin {
			return "a pattern names its scheme: write https://" + rest + ", and http://" + rest + " beside it if that is meant too"
		}
	case strings.Contains(rest, "**"):
		one := scheme + "://" + strings.ReplaceAll(rest, "**", "*")
		if p, why := ParsePattern(one); why == "" && p.Kind == PatternOrigin {
			what := map[HostKind]string{HostAny: "any host", HostLabel: "one or more characters of a label"}[p.Hosts]
			return "one star stands for " + cmp.Or(what, "one or more labels") + ": write " + one
		}
	}
	if m := portList.FindStringSubmatch(s); m != nil {
		return portsMessage(m[1], m[2])
	}
	host, _, _ := strings.Cut(rest, "/")
	if domain, ok := strings.CutPrefix(host, "*"); ok && isAnybodys(host) {
		below, apex := scheme+"://*."+domain, scheme+"://"+domain
		if p, why := ParsePattern(below); why == "" && p.Kind == PatternOrigin {
			return "a star right before a name would let in whoever has a longer one, " + scheme + "://evil" + domain + " for instance; if its subdomains are meant, write " +
				below + ", and " + apex + " beside it if that is meant too"
		}
	}
	if strings.Contains(host, "*") {
		return starMessage(scheme, host, list)
	}
	return ""
}

var (
	network  = regexp.MustCompile(`^([0-9.]+|\[?[0-9A-Fa-f:]*:[0-9A-Fa-f:]*\]?)/[0-9]{1,3}$`)
	portList = regexp.MustCompile(`^([a-z]+://[A-Za-z0-9.*-]+):[\[({]?([0-9]{1,5}(?:[,|; -]+[0-9]{1,5})+)[\])}]?$`)
	// marks are what expressions have and origins never do.
	marks = regexp.MustCompile(`\\|^\^|\$$|\(|\||^https\?:|\.\+|-\.\*|\[(\^|.-)|[/)\]}]\.\*|^\.\*|^/.+/[a-z]*$`)
)

// severalOrigins returns the patterns that a text consists of, if they are more than one.
func severalOrigins(s string) (origins []string) {
	parts := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(",;| \t\r\n", r) })
	if len(parts) < 2 || len(parts) > 20 {
		return nil
	}
	for _, part := range parts {
		p, why := ParsePattern(part)
		if why != "" {
			fix, _, guess, ok := canonical(part)
			if !ok || guess {
				return nil
			}
			part = fix
		} else if p.Kind != PatternOrigin {
			return nil
		}
		origins = append(origins, part)
	}
	return origins
}

func isExpression(s string) bool { return marks.MatchString(s) }

// asExpression returns an expression as allow_origin_regexes takes it: without what fences and anchors it. It returns
// nothing where the text is none that can be shown.
func asExpression(s string) string {
	if i := strings.LastIndexByte(s, '/'); i > 1 && s[0] == '/' && s[len(s)-1] != '.' && !strings.Contains(s[i:], ".") {
		s = strings.ReplaceAll(s[1:i], `\/`, "/")
	}
	s = strings.TrimSuffix(strings.TrimPrefix(s, "^"), "$")
	if strings.HasSuffix(s, `\`) || !IsShown(s) {
		return ""
	}
	if !strings.Contains(s, `\.`) {
		s = bareDot.ReplaceAllString(s, `\.$1`) // which would let neighbours in
	}
	if _, err := regexp.Compile(s); err != nil {
		return ""
	}
	return s
}

// bareDot is a dot that is neither repeated nor in a class.
var bareDot = regexp.MustCompile(`\.([^*+?{\]])`)

// asPattern returns the pattern that says what an expression says, or nothing.
func asPattern(expression string) string {
	s := strings.NewReplacer(`\.`, ".", ".*", "*", ".+", "*", "[a-z0-9-]+", "*", "[a-z0-9-]*", "*").Replace(expression)
	if p, why := ParsePattern(s); why != "" || p.Kind != PatternOrigin || p.Hosts == HostAny {
		return ""
	}
	return s
}

// isRegistry reports whether a domain is a suffix that the public suffix list has for registries.
func isRegistry(domain string) bool {
	_, icann := publicsuffix.PublicSuffix("any-name-under." + strings.TrimSuffix(domain, "."))
	return icann && IsPublicSuffix(domain)
}

func expressionMessage(what, expression, list string) string {
	switch {
	case list == "deny_origins":
		return what + "; deny_origins takes no expressions: list the origins, or allow by an expression that leaves them out"
	case expression == "":
		return what + "; expressions stand in allow_origin_regexes"
	}
	where := "in allow_origin_regexes"
	if list != "allow_origins" {
		where += " of a policy"
	}
	return what + "; " + where + " write '" + expression + "'"
}

func unlessDeny(list, text string) string {
	if list == "deny_origins" {
		return ""
	}
	return text
}

// portsMessage names a pattern for each port of a list.
func portsMessage(base, list string) string {
	const one = "a pattern has one port, or :* for any"
	if strings.Contains(list, "-") {
		return one + ": a range is an entry for each of its ports"
	}
	ports := strings.FieldsFunc(list, func(r rune) bool { return r < '0' || r > '9' })
	var written []string
	for _, port := range ports[:min(len(ports), 10)] {
		if n, err := strconv.Atoi(port); err != nil || n == 0 || n > maxPort {
			return one
		}
		written = append(written, base+":"+port)
	}
	return one + ": write " + strings.Join(written, ", ")
}

// wordMessage is about what has no scheme.
func wordMessage(s, list string) string {
	switch word := strings.ToLower(strings.Trim(s, `'" `)); word {
	case "none", "nobody", "false":
		return "this is no origin; an empty list allows nobody"
	case "all", "any", "everybody", "true":
		if list == Lines {
			return "this is no origin; \"*\" in allow_origins of a policy allows everybody"
		}
		return "this is no origin; \"*\" allows everybody"
	case "self", "same-origin", "sameorigin":
		return "this is no origin, and a page may always read answers of its own; list the others"
	case "http:", "https:":
		return "this is no origin: " + word + "//* is any host of the scheme on its default port"
	case "data:", "blob:", "file:", "filesystem:", "mediastream:":
		return "this is no origin: pages of some schemes have the opaque origin \"null\", and those of others that of the page that made them"
	}
	return ""
}

// IsShown reports whether a text can stand in a message as it is.
func IsShown(s string) bool {
	if s == "" || len(s) > MaxLen {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' || s[i] == '\'' {
			return false
		}
	}
	return true
}
