package learn

// Tested by golden_test.go, model_test.go and limits_test.go.

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/printable"
)

// The codes of what is found in logs. All of them are warnings. Scripts rely on codes: they are never renamed.
const (
	CodeReflectsAnyOrigin   = "reflects-any-origin"   // whatever Origin is sent is granted
	CodeGrantsNull          = "grants-null"           // the opaque origin, which anybody can have, is granted
	CodeGrantsInsecure      = "grants-insecure"       // an http origin is granted with credentials
	CodeGrantsLookAlike     = "grants-look-alike"     // a granted host holds another one, and is of another site
	CodeMissingVary         = "missing-vary"          // caches cannot tell answers to several origins apart
	CodeHeaderTwice         = "header-twice"          // a CORS header stands twice in an answer
	CodeStarWithCredentials = "star-with-credentials" // browsers refuse the pair
	CodePreflightStatus     = "preflight-status"      // a preflight is answered with CORS headers and an error
	CodeGrantsDiffer        = "grants-differ"         // the same was granted and refused
	CodeDecidedByCorsproc   = "decided-by-corsproc"   // the line shows corsproc and not the upstream
	CodeNoResponseHeaders   = "no-response-headers"   // the log does not show what was answered
	CodeNotJSON             = "not-json"              // a line is no JSON object
	CodeTableFull           = "table-full"            // more than is kept
)

// found is a finding: the first line that shows it, and what there is to count.
type found struct {
	code    string
	place   string
	at      spot
	count   int64
	subject string // what the first line shows
	message string // where it is made in the end
}

type foundKey struct{ code, place string }

// find notes that a line shows something of a place.
func (l *Learner) find(code, place string, at spot, subject string) {
	key := foundKey{code, place}
	f := l.found[key]
	if f == nil {
		if len(l.found) >= 10*MaxPlaces {
			return
		}
		f = &found{code: code, place: place, at: at, subject: cut(subject)}
		l.found[key] = f
	}
	f.count++
}

// A table is one of those that are bounded.
type table string

const (
	tablePlaces  table = "places"
	tableOrigins table = "origins"
	tableNames   table = "methods and header names"
	tableRoutes  table = "routes"
	tableEntries table = "entries of the report"
)

// fullTable counts what there was no room for.
type fullTable struct {
	count int64
	place string // the first
}

func (l *Learner) isFull(t table, p *place, n int64) {
	f := l.full[t]
	if f == nil {
		f = &fullTable{}
		if p != nil {
			f.place = p.label
		}
		l.full[t] = f
	}
	f.count += n
}

// all returns what was found, in the order of the lines that show it.
func (l *Learner) all(more []*found) []*found {
	list := slices.AppendSeq(slices.Clone(more), maps.Values(l.found))
	for i, at := range l.notJSONs {
		f := &found{code: CodeNotJSON, at: at, count: 1}
		if i == maxNotJSON-1 { // it speaks for those after it too
			f.count = l.notJSON - maxNotJSON + 1
		}
		list = append(list, f)
	}
	if !l.hasHeaders() && l.headerless.line > 0 {
		list = append(list, &found{code: CodeNoResponseHeaders, at: l.headerless, count: l.crossOrigin})
	}
	for t, f := range l.full {
		list = append(list, &found{code: CodeTableFull, place: f.place, count: f.count, subject: string(t), at: spot{source: len(l.sources) - 1}})
	}
	slices.SortFunc(list, func(a, b *found) int {
		return cmp.Or(
			cmp.Compare(a.at.source, b.at.source), cmp.Compare(a.at.line, b.at.line),
			cmp.Compare(a.code, b.code), cmp.Compare(a.place, b.place), cmp.Compare(a.subject, b.subject),
		)
	})
	return list
}

// words says what was found, in one sentence.
func (f *found) words() string {
	if f.message != "" {
		return f.message
	}
	subject := printable.Text(f.subject)
	switch f.code {
	case CodeMissingVary:
		return fmt.Sprintf("answers under %s depend on the page's origin, and their Vary names neither Origin nor *: a cache gives one page's answer to another", orSlash(subject))
	case CodeHeaderTwice:
		return fmt.Sprintf("%s stands twice in an answer, or holds a list: browsers refuse that (lines: %d)", subject, f.count)
	case CodeStarWithCredentials:
		return fmt.Sprintf("Access-Control-Allow-Origin: * with Access-Control-Allow-Credentials: true: browsers refuse that for requests with credentials, so it is taken as * without (lines: %d)", f.count)
	case CodePreflightStatus:
		return fmt.Sprintf("a preflight is answered with CORS headers and status %s: browsers only take 200 to 299, so it grants nothing (lines: %d)", subject, f.count)
	case CodeGrantsDiffer:
		return fmt.Sprintf("%s was granted and refused under the same path: the grant is taken (origins and paths: %d)", subject, f.count)
	case CodeDecidedByCorsproc:
		return fmt.Sprintf("corsproc decided these requests already, so their lines do not show what the upstream answers (lines: %d); let the place be passthrough while you learn", f.count)
	case CodeNoResponseHeaders:
		return "no line has the CORS headers of the answer, so that nobody can tell what is granted: switch on envoy/access-log.yaml, or name the keys with --field"
	case CodeNotJSON:
		if f.count > 1 {
			return fmt.Sprintf("this line is not a JSON object, and %d more are none either", f.count-1)
		}
		return "this line is not a JSON object"
	case CodeTableFull:
		return fmt.Sprintf("there are more %s than are kept; the first that came stay (lines and names left out: %d)", subject, f.count)
	}
	return subject
}

func orSlash(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// comment is a finding as a comment of a policy file.
func (f *found) comment() string { return fmt.Sprintf("warning: %s [%s]", f.words(), f.code) }

// messages returns findings as they leave.
func (l *Learner) messages(list []*found) []finding.Diagnostic {
	out := make([]finding.Diagnostic, len(list))
	for i, f := range list {
		out[i] = finding.Diagnostic{
			Severity: finding.Warning, Code: finding.Code(f.code), Message: valid(f.words()),
			Position: finding.Position{Line: int32(min(f.at.line, 1<<31-1)), Field: valid(f.place)},
		}
		if f.at.source < len(l.sources) {
			out[i].File = valid(l.sources[f.at.source])
		}
	}
	return out
}

// valid makes text fit for a message.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// WriteFindings writes a line for each finding: LOG:LINE: severity: PLACE: message [code]. Nothing that a log can hold
// breaks a line or reaches a terminal raw.
func WriteFindings(w io.Writer, findings []finding.Diagnostic) error {
	var b strings.Builder
	for _, f := range findings {
		at := f.File
		if f.Line > 0 {
			at = fmt.Sprintf("%s:%d", at, f.Line)
		}
		place := ""
		if f.Field != "" {
			place = f.Field + ": "
		}
		text := fmt.Sprintf("%s: %s: %s%s [%s]", at, f.Severity, place, f.Message, f.Code)
		b.WriteString(printable.Line(printable.Text(text)) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
