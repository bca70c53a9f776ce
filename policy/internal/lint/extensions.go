package lint

// Tested by policy/findings_test.go and policy/testdata/lints.yaml.

import (
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/origin"
	"github.com/corsproc/corsproc/policy/internal/regex"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// lintExtensions finds patterns and expressions that let in every browser extension, or every host of another scheme that
// is not the web's, with credentials. Anybody can publish an extension; what reads the answers then is any that the user has.
func (l *Linter) lintExtensions(p *policy) {
	if !p.Compiled.Credentials || slices.Contains(p.Message.GetDangerouslyAllow(), corsprocv1.DangerousCombination_DANGEROUS_COMBINATION_ANY_ORIGIN_WITH_CREDENTIALS) {
		return
	}
	if p.allow.hasAnyHost() {
		for i := range p.allow.parse() {
			if e := &p.allow.entries[i]; isEveryHost(&e.Pattern) {
				l.everyExtension(p.allow.At.Index(e.Index), text(&e.Pattern), e.Origin.Scheme, nil)
			}
		}
	}
	for _, set := range p.allow.sets {
		if !set.HasAnyHost() {
			continue
		}
		for q := range set.Patterns() {
			if isEveryHost(q) {
				patterns, _ := l.SetAt(set.OriginSet.OriginSet)
				entry := patterns.Index(q.Index)
				l.everyExtension(p.allow.At.Index(set.Element), "@"+set.Name, q.Origin.Scheme, &entry)
				break
			}
		}
	}
	texts := p.Message.GetAllowOriginRegexes()
	if len(p.Compiled.Regexes) != len(texts) {
		return // one of them does not compile, which is an error
	}
	for i, re := range p.Compiled.Regexes {
		for _, scheme := range extensionSchemes {
			if regex.AcceptsAll(re, probeExtensions(scheme)) && !regex.AcceptsAll(re, regex.ProbeOrigins("https")) && !regex.AcceptsAll(re, regex.ProbeOrigins("http")) {
				l.everyExtension(p.At.Field("allow_origin_regexes").Index(i), texts[i], scheme, nil)
				break
			}
		}
	}
}

func (l *Linter) everyExtension(at finding.Location, value, scheme string, related *finding.Location) {
	message := "every page of the scheme " + scheme + " would read answers made for the user's credentials, whoever made it: list the origins"
	if slices.Contains(extensionSchemes, scheme) {
		message = "every extension that the user has would read answers made for the user's credentials, whoever published it: list the extensions by their identifiers"
	}
	l.found.Warn(finding.Finding{Code: finding.CodeEveryExtension, Location: at, Value: value,
		Message: message, Related: related})
}

// extensionSchemes are those of the extensions of browsers.
var extensionSchemes = []string{"chrome-extension", "moz-extension", "safari-web-extension"}

// probeExtensions are extensions that have nothing in common. Chromium's identifiers are 32 letters of a to p, those of the
// others UUIDs.
func probeExtensions(scheme string) []string {
	hosts := []string{"0c1d2e3f-4a5b-4c6d-8e7f-9a0b1c2d3e4f", "fedcba98-7654-4321-8fed-cba987654321"}
	if scheme == "chrome-extension" {
		hosts = []string{"abcdefghijklmnopabcdefghijklmnop", "ponmlkjihgfedcbaponmlkjihgfedcba"}
	}
	for i, host := range hosts {
		hosts[i] = scheme + "://" + host
	}
	return hosts
}

// hasAnyHost reports whether a list has patterns of any host.
func (list *patterns) hasAnyHost() bool { return list.Compiled != nil && list.Compiled.HasAnyHost() }

// isEveryHost reports whether a pattern covers every host of a scheme that is not the web's.
func isEveryHost(p *origin.Pattern) bool {
	return p.Kind == origin.PatternOrigin && p.Hosts == origin.HostAny && !strings.HasPrefix(p.Origin.Scheme, "http")
}
