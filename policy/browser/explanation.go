package browser

// Tested by model_test.go, changes_test.go and blocked_test.go.

import (
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/corsproc/corsproc/policy"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// Explanation returns the result as a message. locate says where a rule stands, nil for what no file says.
func (r *Result) Explanation(locate func(policy.Rule) *corsprocv1.Location) *corsprocv1.Explanation {
	x := &corsprocv1.Explanation{
		Verdict: r.Verdict.String(), Reason: r.Reason,
		Preflight: r.Preflight.message(locate), Actual: r.Actual.message(locate),
		Browser: &corsprocv1.BrowserView{
			Readable:       r.Outcome == Readable,
			ExposedHeaders: r.Exposed.Names,
			CacheSeconds: &corsprocv1.PreflightCache{
				Chromium: int32(r.Cache.Chromium), Firefox: int32(r.Cache.Firefox), Safari: int32(r.Cache.Safari),
			},
			Console: r.Console,
		},
		Notes: r.Notes,
	}
	if r.Exposed.All {
		x.Browser.ExposedHeaders = []string{"*"}
	}
	x.Changes = Changes(r.Changes, r.credentials, locate)
	return x
}

func (e *Exchange) message(locate func(policy.Rule) *corsprocv1.Location) *corsprocv1.ExplainedRequest {
	if e == nil {
		return nil
	}
	d := &e.Decision
	by := "upstream"
	switch {
	case e.byEnvoy:
		by = "envoy"
	case d.Action() == policy.Respond:
		by = "corsproc"
	}
	return &corsprocv1.ExplainedRequest{
		Why: e.Why, Causes: e.Causes, Method: e.Method, Url: e.URL, Headers: byName(e.Headers), Passes: e.Passes,
		Decision: DecisionMessage(d, locate(d.Rule)),
		Answer:   &corsprocv1.ExplainedAnswer{By: by, Status: int32(e.Status), Headers: byName(e.Answer)},
	}
}

// DecisionMessage returns a decision as a message, whose fields are called as its facts are. rule is where what decided
// stands, nil for what no file says.
func DecisionMessage(d *policy.Decision, rule *corsprocv1.Location) *corsprocv1.Decision {
	m := &corsprocv1.Decision{Rule: rule}
	fields := m.ProtoReflect().Descriptor().Fields()
	for _, fact := range d.AppendFacts(nil) {
		m.ProtoReflect().Set(fields.ByName(protoreflect.Name(fact.Name)), protoreflect.ValueOfString(fact.Text))
	}
	return m
}

func byName(headers []policy.Header) map[string]string {
	m := make(map[string]string, len(headers))
	for _, h := range headers {
		m[h.Name] = h.Value
	}
	return m
}

// Changes says what to change so that the gaps of a request are closed. credentials says that it needs
// Access-Control-Allow-Credentials.
func Changes(gaps []policy.Gap, credentials bool, locate func(policy.Rule) *corsprocv1.Location) (changes []*corsprocv1.PolicyChange) {
	for _, g := range gaps {
		changes = append(changes, change(g, credentials, locate(g.Rule)))
	}
	return changes
}

func change(g policy.Gap, credentials bool, at *corsprocv1.Location) *corsprocv1.PolicyChange {
	c := &corsprocv1.PolicyChange{Action: "add", Value: g.Value, At: at}
	field, file := at.GetField(), fmt.Sprintf("(%s:%d:%d)", at.GetFile(), at.GetLine(), at.GetColumn())
	value := inYAML(g.Value)
	switch g.Kind {
	case policy.GapDenied:
		c.Action = "remove"
		c.Text = fmt.Sprintf("remove %s, which denies %s %s", field, value, file)
	case policy.GapCredentials:
		c.Action, c.Value = "set", "true"
		c.Text = fmt.Sprintf("set %s to true %s", field, file)
	case policy.GapPolicy:
		c.Action, c.Value = "list", ""
		allows, where := "a policy that allows "+value, "first in "+field
		if credentials {
			allows += " with credentials"
		}
		if g.Policy != "" {
			where = "in " + field + " instead of " + g.Policy
		}
		c.Text = fmt.Sprintf("list %s %s %s%s", allows, where, file, cost(g))
	default:
		c.Text = fmt.Sprintf("add %s to %s %s", value, field, file)
	}
	return c
}

// cost says what a place loses with a second policy: what is the same for everybody fits a cache that cannot take Vary.
func cost(g policy.Gap) string {
	switch {
	case g.Fixed:
		return ": fixed_origin of " + g.Static + " has no effect beside another policy; the answers get Vary, and a cache that ignores that mixes them up"
	case g.Static != "":
		return ": the answers of the place, the same for everybody with " + g.Static + " alone, then depend on who asks and get Vary"
	}
	return ""
}

// inYAML writes an entry of a list as it has to stand in a policy file, in either style of lists: null and * only mean
// themselves in quotes, and so does an address in brackets.
func inYAML(text string) string {
	var list []any
	if yaml.Load([]byte("["+text+"]"), &list) == nil && len(list) == 1 && list[0] == text {
		return text
	}
	return strconv.Quote(text)
}
