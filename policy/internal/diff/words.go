package diff

// Tested by policy/diff_test.go and policy/testdata/diff.yaml.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
)

// maxListed is how many of a list's entries stand in a sentence.
const maxListed = 8

// listed joins the entries of a list, the first ones of a long list.
func listed(list []string) string {
	if more := len(list) - maxListed; more > 1 {
		return strings.Join(list[:maxListed], ", ") + fmt.Sprintf(" and %d more", more)
	}
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// placeText says in words where something changes.
func placeText(p *Place) string {
	text := "virtual host " + p.VirtualHost
	if p.VirtualHost == compiled.DefaultLabel {
		text = compiled.DefaultLabel
	}
	if len(p.Only) > 0 {
		text += " (only requests of " + listed(p.Only) + ")"
	}
	if p.Route != "" {
		text += ", " + p.Route
	}
	return text
}

// changeText says in one sentence what changes for whom.
func changeText(c *Change) string {
	who := listed(c.Origins)
	if slices.Contains(c.Origins, "*") {
		who = "every origin" // whatever else is among them
	}
	if len(c.Except) > 0 {
		who += " (other than " + listed(c.Except) + ")"
	}
	may := who + " may "
	if c.Effect == Loss {
		may += "no longer "
	}
	switch c.What {
	case whatOrigin:
		if c.Effect == Gain {
			return may + "read responses, " + grantText(c.Grant)
		}
		return may + "read responses (before: " + grantText(c.Grant) + ")"
	case whatCredentials:
		return may + "send credentials"
	case whatMethods:
		return may + "use " + valuesText(c, "method", "every method")
	case whatHeaders:
		return may + "send " + valuesText(c, "request header", allRequestHeaders(c.Values))
	case whatExposed:
		return may + "read " + valuesText(c, "response header", "every response header")
	case whatExposeUpstream:
		return may + "read the response headers that the upstream exposes"
	case whatPrivateNetwork:
		return may + "reach a private network from a public page"
	case whatMaxAge:
		return "preflights of " + who + " are kept for " + c.New + " instead of " + c.Old
	case whatPreflightStatus:
		return "preflights of " + who + " are answered with status " + c.New + " instead of " + c.Old
	case whatReject:
		return rejectText(c)
	case whatUnmatched:
		return "unmatched_preflights: " + c.New + " instead of " + c.Old + "; " + map[string]string{
			"ANSWER": "of an allowed origin they get the configured lists again",
			"REFUSE": "all that fail get 403 without CORS headers",
		}[c.New]
	case whatTiming:
		return timingText(c)
	case whatFixedOrigin:
		if c.New == "" {
			return "answers depend on who asks, and have Vary: " + c.Old + " is no longer named in all of them"
		}
		return "every answer names " + c.New + ", whoever asks, and has no Vary of corsproc's"
	}
	if c.New == "true" {
		return "corsproc keeps its hands off now (passthrough): the upstream answers for itself, and what policies granted here ends"
	}
	return "corsproc answers now, no longer the upstream (passthrough): what policies grant is all that is granted here"
}

// grantText says what an origin is granted that may read responses.
func grantText(g *Grant) string {
	parts := []string{"without credentials"}
	if g.Credentials {
		parts[0] = "with credentials"
	}
	add := func(what, all string, list []string) {
		switch {
		case slices.Contains(list, "*"):
			parts = append(parts, all)
		case len(list) > 0:
			parts = append(parts, counted(what, list))
		}
	}
	add("method", "every method", g.Methods)
	add("request header", allRequestHeaders(g.Headers), g.Headers)
	add("response header", "every response header", g.Exposed)
	if g.ExposeUpstream {
		parts = append(parts, "response headers that the upstream exposes")
	}
	return strings.Join(parts, "; ")
}

// counted names one thing or several.
func counted(what string, list []string) string {
	if len(list) > 1 {
		what += "s"
	}
	return what + " " + listed(list)
}

// allRequestHeaders says what a list of request headers with a star covers.
func allRequestHeaders(list []string) string {
	if slices.Contains(list, "authorization") {
		return "every request header"
	}
	return "every request header but Authorization"
}

// valuesText names what is gained or lost. Where all take the place of some, or some of all, it says which.
func valuesText(c *Change, what, all string) string {
	if !slices.Contains(c.Values, "*") {
		return counted(what, c.Values)
	}
	switch {
	case c.Effect == Gain && c.Old != "":
		return all + ", not only " + c.Old
	case c.Effect == Loss && c.New != "":
		return all + ", only " + c.New
	}
	return all
}

// rejectText says what is stopped of the requests of pages that are not allowed.
func rejectText(c *Change) string {
	stopped := map[string]string{
		"NEVER":          "nothing",
		"WEBSOCKETS":     "WebSocket handshakes",
		"UNSAFE_METHODS": "WebSocket handshakes and every method but GET, HEAD and OPTIONS",
		"ALWAYS":         "everything",
	}
	return fmt.Sprintf("reject: %s instead of %s; of pages that are not allowed this stops %s", c.New, c.Old, stopped[c.New])
}

// timingText says who may see how long a response took.
func timingText(c *Change) string {
	who := "every page"
	if !slices.Contains(c.Values, "*") {
		who = listed(c.Values)
	}
	switch {
	case c.Effect == Gain:
		return who + " may see detailed timing"
	case c.New != "" && slices.Contains(c.Values, "*"):
		return who + " may no longer see detailed timing, only " + c.New
	}
	return who + " may no longer see detailed timing"
}
