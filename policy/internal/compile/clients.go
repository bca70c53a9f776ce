package compile

// Tested by policy/casetable/testdata/clients.yaml, policy/testdata/findings.yaml and policy/naive_test.go.

import (
	"maps"
	"slices"
	"strings"

	"connectrpc.com/cors"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// Names that stand, in a list of header names, for those that a kind of client in browsers sends and reads.
const (
	GRPCWeb = "@grpc-web"
	Connect = "@connect"
)

// A Client is what a kind of client sends and reads beside what the application adds, in the order in which it is sent.
type Client struct {
	Sends []string // request headers
	Reads []string // response headers
}

// Clients are the kinds of clients that policy files may name.
var Clients = map[string]Client{
	// Clients of Connect speak three protocols, and gRPC-Web is one of them.
	Connect: {Sends: cors.AllowedHeaders(), Reads: cors.ExposedHeaders()},
	// The names in grpc-web's documentation (its example configuration of Envoy), without Keep-Alive, which no script can
	// set, and with Grpc-Status-Details-Bin, which clients read where a status has details.
	GRPCWeb: {
		Sends: []string{
			"Content-Type", "X-Grpc-Web", "X-User-Agent", "Grpc-Timeout",
			"X-Accept-Content-Transfer-Encoding", "X-Accept-Response-Streaming", "Content-Transfer-Encoding", "Cache-Control", "User-Agent",
		},
		Reads: []string{"Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin"},
	},
}

// fieldNames checks a list of field names and returns what is beside "*" in it, names of clients written out, and whether
// "*" is. of says which names of a client the list is of.
func (c *compiler) fieldNames(at finding.Location, list []string, of func(Client) []string) (names []string, star bool) {
	if !slices.ContainsFunc(list, IsClient) {
		return c.tokens(at, list, finding.CodeHeaderMalformed, headerFault)
	}
	there := make(map[string]bool, len(list))
	for _, s := range list {
		there[string(fetch.LowerASCII(s, nil))] = true
	}
	for i, s := range list {
		client, known := Clients[s]
		switch {
		case s == "*":
			star = true
		case known:
		case IsClient(s):
			c.found.Fail(finding.Finding{Code: finding.CodeUnknownClient, Location: at.Index(i), Value: s, Fix: nearestClient(s),
				Message: "a name that begins with @ stands here for the headers of a kind of client, and known are \"" + Connect + "\" and \"" + GRPCWeb + "\""})
		case c.isToken(at.Index(i), s, finding.CodeHeaderMalformed, headerFault):
			names = append(names, s)
		}
		for _, name := range of(client) {
			if lower := string(fetch.LowerASCII(name, nil)); !there[lower] {
				there[lower] = true
				names = append(names, name)
			}
		}
	}
	return names, star
}

// IsClient reports whether an element of a list of field names stands for those of a client.
func IsClient(s string) bool { return strings.HasPrefix(strings.TrimLeft(s, " \t"), "@") }

// nearestClient returns the name of the clients that is most likely meant; empty: none is.
func nearestClient(s string) string {
	return finding.Nearest(strings.ToLower(strings.TrimSpace(s)), maps.Keys(Clients))
}
