package compile

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/origin"
	"github.com/corsproc/corsproc/policy/internal/regex"
)

const (
	// maxAllRegexSteps bounds that of a set: half a second, and beside it what usual expressions take, each by its length.
	maxAllRegexSteps  = 20_000_000
	regexSteps        = 10_000
	regexStepsPerByte = 100
)

// regex looks at an expression. That deny_origins may take away what it accepts is not looked at, as it is not with
// patterns: what a policy allows has to be safe as it stands.
func (k *credentialRisks) regex(at finding.Location, text string, re *regexp.Regexp) {
	if !k.on {
		return
	}
	https, http := regex.AcceptsAll(re, regex.ProbeOrigins("https")), regex.AcceptsAll(re, regex.ProbeOrigins("http"))
	if https || http {
		k.danger(at, text, origin.AnyOrigin, nil, nil)
	}
	var asked []origin.Danger
	if !https || !http { // else it is as "*" is
		asked = append(asked, origin.Insecure)
	}
	if !https && !http { // who lets in everybody lets in what is under a suffix
		asked = append(asked, origin.PublicSuffix)
	}
	unjudged := ""
	for _, danger := range asked {
		if k.lifted[danger] {
			continue
		}
		risk := k.regexRisk(danger, text, re)
		if !risk.judged {
			unjudged += ", or " + unjudgedWords[danger]
		}
		if risk.accepted == "" {
			continue
		}
		f := finding.Finding{Severity: finding.Error, Code: dangerCodes[danger], Location: at, Value: text}
		f.Message = "this accepts " + risk.accepted
		switch danger {
		case origin.Insecure:
			f.Message += ": " + origin.InsecureMessage
			if !risk.loopback {
				f.Fix = k.saferRegex(danger, text, writtenScheme.ReplaceAllString(text, "https$1"))
			}
			if f.Fix == "" {
				f.Message += "; write https:// in front of every host that is not this machine"
			}
		case origin.PublicSuffix:
			f.Message += " and thousands of names like it: " + origin.SuffixMessage(risk.suffix) + "; list those that are yours in allow_origins"
			f.Fix = k.saferRegex(danger, text, escapeLoneDots(text))
		}
		k.found.Add(f)
	}
	if unjudged != "" {
		k.found.Fail(finding.Finding{Code: finding.CodeRegexUnjudged, Location: at, Value: text,
			Message: "this is too large to tell whether it accepts " + strings.TrimPrefix(unjudged, ", or ") +
				", which must not get credentials: use + or * where a count does not matter, or several expressions"})
	}
}

var unjudgedWords = map[origin.Danger]string{
	origin.Insecure:     "an http origin",
	origin.PublicSuffix: "whatever name is under a public suffix",
}

// regexRisk is an origin for which a danger of an expression is there.
type regexRisk struct {
	accepted string // empty: it is not there
	loopback bool   // for Insecure: http origins of this machine are accepted, too
	suffix   string // for PublicSuffix
	judged   bool   // false: it would cost too much to tell
}

// regexQuestion is what is asked of an expression.
type regexQuestion struct {
	danger origin.Danger
	text   string
}

// regexRisk asks whether a danger of an expression is there. The same expression often stands in many policies.
func (c *compiler) regexRisk(danger origin.Danger, text string, re *regexp.Regexp) regexRisk {
	question := regexQuestion{danger, text}
	if risk, asked := c.regexRisks[question]; asked {
		return risk
	}
	c.regexSteps += regexSteps + regexStepsPerByte*len(text)
	steps := min(regex.MaxSteps, c.regexSteps)
	c.regexSteps -= steps
	var risk regexRisk
	switch danger {
	case origin.Insecure:
		risk.accepted, risk.judged = regex.HTTPOriginOf(re, regex.InsecureOrigin, &steps)
		if risk.accepted != "" {
			loopback, known := regex.HTTPOriginOf(re, regex.LoopbackOrigin, &steps)
			risk.loopback = loopback != "" || !known
		}
	case origin.PublicSuffix:
		var found *regex.SuffixFamily
		// An expression that lists names has more characters than names.
		if found, risk.judged = regex.SuffixFamilyOf(re, max(regex.ManyNames, len(text)), &steps); found != nil {
			risk.accepted, risk.suffix = found.Accepted, found.Suffix
		}
	}
	c.regexSteps += max(steps, 0)
	c.regexRisks[question] = risk
	return risk
}

// writtenScheme is the scheme http in an expression, also where it may be https.
var writtenScheme = regexp.MustCompile(`(?:\((?:\?:)?(?:https\??|http\|https|https\|http)\)|https[?*]|https\{0,1\}|http(?:\((?:\?:)?s\)|\[s\])[?*]|http)(:\\?/\\?/)`)

// loneDot is what stands for a single character of any kind, and after it what follows. The other alternatives skip what
// is escaped, and classes of characters.
var loneDot = regexp.MustCompile(`\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\.[*+?{]|\.`)

// escapeLoneDots returns an expression in which dots stand for dots.
func escapeLoneDots(text string) string {
	return loneDot.ReplaceAllStringFunc(text, func(part string) string {
		if part == "." {
			return `\.`
		}
		return part
	})
}

// maxSaferRegex is the length of the longest expression that gets a fix.
const maxSaferRegex = 2000

// saferRegex returns fix if the danger of an expression that is spelled like that is not there.
func (c *compiler) saferRegex(danger origin.Danger, text, fix string) string {
	if fix == text || len(fix) > maxSaferRegex {
		return ""
	}
	tree, err := syntax.Parse(fix, syntax.Perl)
	if err != nil || regex.IsTooLarge(tree, fix) {
		return ""
	}
	re, err := regex.Whole(fix, tree)
	if err != nil {
		return ""
	}
	if risk := c.regexRisk(danger, fix, re); risk.accepted != "" || !risk.judged {
		return ""
	}
	return fix
}
