package origin

// Tested by policy/findings_test.go and policy/testdata/patterns.yaml.

import "strings"

// Danger is what is dangerous about an origin, or about many, that gets answers made for the user's credentials.
type Danger uint8

const (
	AnyOrigin    Danger = iota + 1 // every site, or the opaque origin, which every site can have
	Insecure                       // an origin that anybody on the way can be
	PublicSuffix                   // a name under a public suffix, which everybody can have
)

// Message says what is wrong with giving credentials to the origins of a pattern; nil: to everybody's.
func (d Danger) Message(p *Pattern) string {
	switch d {
	case Insecure:
		return InsecureMessage
	case PublicSuffix:
		return SuffixMessage(p.Origin.Host)
	}
	if p != nil && p.Kind == PatternNull {
		return "any page can have the origin null, in a sandboxed frame, and would read answers made for the user's credentials"
	}
	return "every site on the web would read answers made for the user's credentials: list the origins"
}

// InsecureMessage says what is wrong with giving them to an http origin.
const InsecureMessage = "over http anybody on the way can be this origin, and would read answers made for the user's credentials"

// SuffixMessage says what is wrong with giving them to every name under a suffix.
func SuffixMessage(suffix string) string {
	return "everybody can get a name under " + suffix + ", and would read answers made for the user's credentials"
}

// Dangers returns what is dangerous about a pattern where credentials are allowed.
func (p *Pattern) Dangers() (dangers []Danger) {
	if p.IsExact() && p.Origin.Scheme == "https" {
		return nil // as nearly all are
	}
	web := p.Origin.Scheme == "http" || p.Origin.Scheme == "https"
	if p.Kind == PatternAny || p.Kind == PatternNull || (web && p.Hosts == HostAny) {
		dangers = append(dangers, AnyOrigin)
	}
	if p.Origin.Scheme == "http" && (p.Hosts == HostAny || !IsLoopback(p.Origin.Host)) {
		dangers = append(dangers, Insecure)
	}
	if web && (p.Hosts == HostSub || p.Hosts == HostLabel) && IsPublicSuffix(p.Origin.Host) {
		dangers = append(dangers, PublicSuffix)
	}
	return dangers
}

// OverHTTPS returns the pattern that says the same over https as an http pattern, or nothing where there is none: its
// port may be that of https.
func (p *Pattern) OverHTTPS() string {
	fix := "https" + strings.TrimPrefix(p.Origin.Text, "http")
	if _, why := ParsePattern(fix); why != "" {
		return ""
	}
	return fix
}
