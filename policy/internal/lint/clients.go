package lint

// Tested by policy/findings_test.go and policy/testdata/lints.yaml.

import (
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/compile"
	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// client is what a kind of client needs, in lower case.
type client struct {
	name  string   // in policy files
	what  string   // in sentences
	signs []string // request headers by which it is known
	sends []string // all that it may have to send
	reads []string // what it has to read of answers, if they tell of errors
	also  []string // what it reads where there is some
}

// rpcClients are the kinds of clients. Those of Connect read nothing but bodies in their own protocol, and in gRPC-Web what
// clients of that do.
var rpcClients = []client{
	{
		name: compile.GRPCWeb, what: "gRPC-Web", signs: []string{"x-grpc-web", "grpc-timeout"},
		sends: []string{"content-type", "x-grpc-web", "x-user-agent", "grpc-timeout"}, reads: []string{"grpc-status", "grpc-message"},
		also: []string{"grpc-status-details-bin"},
	},
	{
		name: compile.Connect, what: "Connect", signs: []string{"connect-protocol-version", "connect-timeout-ms"},
		sends: []string{"content-type", "connect-protocol-version", "connect-timeout-ms"},
	},
}

// headerNames is a list of header names as it is written, in lower case, and all that it says.
type headerNames struct {
	written []string
	all     map[string]bool
	star    bool
}

func headerNamesOf(list []string, of func(compile.Client) []string) headerNames {
	n := headerNames{all: map[string]bool{}}
	for _, s := range list {
		lower := string(fetch.LowerASCII(s, nil))
		n.written = append(n.written, lower)
		n.star = n.star || s == "*"
		n.all[lower] = true
		for _, name := range of(compile.Clients[s]) {
			n.all[string(fetch.LowerASCII(name, nil))] = true
		}
	}
	return n
}

// missing returns what of some names a list does not have.
func (n *headerNames) missing(names []string) []string {
	if n.star {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return n.all[name] })
}

// lintClients finds lists that have some of the headers of a kind of client and not all that it needs.
func (l *Linter) lintClients(p *policy) {
	allowed := headerNamesOf(p.Message.GetAllowHeaders(), func(c compile.Client) []string { return c.Sends })
	exposed := headerNamesOf(p.Message.GetExposeHeaders(), func(c compile.Client) []string { return c.Reads })
	allowAt, exposeAt := p.At.Field("allow_headers"), p.At.Field("expose_headers")
	for _, c := range rpcClients {
		hint := func(at finding.Location, value, message string) {
			l.found.Hint(finding.Finding{Code: finding.CodeClientHeaders, Location: at, Value: value,
				Message: message + "; \"" + c.name + "\" stands for all that it needs"})
		}
		sign := slices.IndexFunc(allowed.written, func(name string) bool { return slices.Contains(c.signs, name) })
		if missing := allowed.missing(c.sends); sign >= 0 && len(missing) > 0 {
			hint(allowAt.Index(sign), p.Message.GetAllowHeaders()[sign], "a client of "+c.what+" in a browser also sends "+strings.Join(missing, ", "))
		}
		missing := exposed.missing(c.reads)
		if len(missing) == 0 || p.Message.GetExposeUpstream() { // the upstream may name them
			continue
		}
		if read := slices.IndexFunc(exposed.written, func(name string) bool { return slices.Contains(c.reads, name) || slices.Contains(c.also, name) }); read >= 0 {
			hint(exposeAt.Index(read), p.Message.GetExposeHeaders()[read], "a client of "+c.what+" in a browser also reads "+strings.Join(missing, ", "))
			continue
		}
		if sign < 0 {
			sign = slices.Index(allowed.written, c.name)
		}
		if sign >= 0 {
			hint(allowAt.Index(sign), p.Message.GetAllowHeaders()[sign],
				"of answers without a body, as errors are, a client of "+c.what+" in a browser reads "+strings.Join(missing, ", ")+", which expose_headers lacks")
		}
	}
}
