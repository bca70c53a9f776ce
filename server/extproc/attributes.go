package extproc

import (
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/corsproc/corsproc/policy"
)

// filterName is the key under which Envoy sends attributes, whatever the filter is called in its configuration.
const filterName = "envoy.filters.http.ext_proc"

// namedSuffix ends the attributes by which Envoy names policies. What comes before it says where in Envoy's
// configuration they stand.
const namedSuffix = "['corsproc']['policies']"

// unnamable stands for an attribute that should hold policy names and holds no text. No policy can be called so: what
// was meant to restrict must not come to nothing.
const unnamable = "?"

// attributes returns the attributes of a message: each field is called exactly as the expression in Envoy's
// configuration. Another proxy may send them under another key; of several the first in alphabetical order counts, so
// that the answer does not depend on the order of a map.
func attributes(m *message) map[string]*structpb.Value {
	all := m.GetAttributes()
	if s, ok := all[filterName]; ok {
		return s.GetFields()
	}
	var found *structpb.Struct
	var key string
	for k, s := range all {
		if found == nil || k < key {
			found, key = s, k
		}
	}
	return found.GetFields()
}

// readPlace reads what Envoy says of the place of a request. Without a virtual host Envoy sends no such attribute at all;
// a route without a name has an empty one.
func readPlace(a map[string]*structpb.Value, r *policy.Request) {
	r.VirtualHost = attribute(a, "xds.virtual_host_name").Value
	r.Route = attribute(a, "xds.route_name").Value
	r.Named = named(a)
}

// readAnswered reads the facts of a request that is seen only with its response. Nothing is taken from the message's
// headers, for they are the response's. r must be zero.
func readAnswered(m *message, r *policy.Request) {
	a := attributes(m)
	readPlace(a, r)
	r.Method = attribute(a, "request.method").Value
	r.Scheme = attribute(a, "request.scheme").Value
	r.Authority = attribute(a, "request.host").Value
	r.Path = attribute(a, "request.path").Value
	r.Origin = attribute(a, "request.headers['origin']")
	r.RequestMethod = attribute(a, "request.headers['access-control-request-method']")
	r.Upgrade = attribute(a, "request.headers['upgrade']").Value
	r.FetchSite = attribute(a, "request.headers['sec-fetch-site']")
	r.Answered = true
}

// attribute returns an attribute as one line; what is there without being text is an empty line. (CEL joins several
// lines of a header with a comma.)
func attribute(a map[string]*structpb.Value, name string) policy.Field {
	v, ok := a[name]
	if !ok {
		return policy.Field{}
	}
	return policy.Line(v.GetStringValue())
}

// named returns the policies that Envoy names. The route's beat the virtual host's, and those any others; of several
// others the first in alphabetical order counts.
func named(a map[string]*structpb.Value) policy.Field {
	var found *structpb.Value
	var from string
	for name, v := range a {
		if !strings.HasSuffix(name, namedSuffix) {
			continue
		}
		if from == "" || rank(name) < rank(from) || rank(name) == rank(from) && name < from {
			found, from = v, name
		}
	}
	if from == "" {
		return policy.Field{}
	}
	if s, ok := found.GetKind().(*structpb.Value_StringValue); ok {
		return policy.Line(s.StringValue)
	}
	return policy.Line(unnamable)
}

// rank orders the attributes that name policies, the closest to the request first.
func rank(attribute string) int {
	switch {
	case strings.HasPrefix(attribute, "xds.route_metadata"):
		return 0
	case strings.HasPrefix(attribute, "xds.virtual_host_metadata"):
		return 1
	}
	return 2
}
