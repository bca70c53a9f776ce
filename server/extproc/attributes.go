package extproc

// Tested by facts_test.go and oracle_test.go.

import (
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

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

// readAttributes reads what Envoy says of the place of a request. Each attribute is called exactly as the expression in
// Envoy's configuration. Without a virtual host there is no such attribute; a route without a name has an empty one. If
// answered, the request is seen only with its response, and the attributes hold everything that is known of it.
func (f *facts) readAttributes(attributes []byte, answered bool) error {
	var named string // the attribute that names policies
	all := fields{rest: attributes}
	for all.next() {
		name, value, ok := entry(all.value)
		if !ok || !all.is(structFields) {
			return errUnusual
		}
		text, isText, ok := attribute(value)
		if !ok {
			return errUnusual
		}
		s, line := f.about(name, answered)
		switch {
		case s != nil:
			if *s != "" {
				return errUnusual // for the second time
			}
			*s = f.text.keepText(text)
		case line != nil:
			if line.Lines > 0 {
				return errUnusual
			}
			*line = policy.Line(f.text.keepText(text))
		case strings.HasSuffix(string(name), namedSuffix):
			if !utf8.Valid(name) || string(name) == named {
				return errUnusual
			}
			if key := f.text.keep(name); named == "" || closer(key, named) {
				named = key
				f.request.Named = policy.Line(unnamable)
				if isText {
					f.request.Named.Value = f.text.keepText(text)
				}
			}
		}
	}
	if all.broken {
		return errUnusual
	}
	return nil
}

// about returns where the fact goes that an attribute is about: into a plain text, or into a line, which tells absent from
// empty; both are nil if no fact is. What Envoy sends of the request with the response counts only if answered: nothing
// was seen of the request before.
func (f *facts) about(attribute []byte, answered bool) (*string, *policy.Field) {
	r := &f.request
	switch string(attribute) {
	case "xds.virtual_host_name":
		return &r.VirtualHost, nil
	case "xds.route_name":
		return &r.Route, nil
	}
	if !answered {
		return nil, nil
	}
	switch string(attribute) {
	case "request.method":
		return &r.Method, nil
	case "request.scheme":
		return &r.Scheme, nil
	case "request.host":
		return &r.Authority, nil
	case "request.path":
		return &r.Path, nil
	case "request.headers['upgrade']":
		return &r.Upgrade, nil
	case "request.headers['origin']":
		return nil, &r.Origin
	case "request.headers['access-control-request-method']":
		return nil, &r.RequestMethod
	case "request.headers['sec-fetch-site']":
		return nil, &r.FetchSite
	}
	return nil, nil
}

// attribute returns the text of a google.protobuf.Value, and whether it is a text. A number, a bool or null is none, and
// counts as an empty line. ok is false for what it leaves to the generated types.
func attribute(value []byte) (text []byte, isText, ok bool) {
	f := fields{rest: value}
	if !f.next() {
		return nil, false, !f.broken
	}
	isText = f.is(valueText)
	if f.wireType == protowire.BytesType && !isText || len(f.rest) > 0 {
		return nil, false, false // lists and mappings
	}
	return f.value, isText, true
}

// closer reports whether one attribute that names policies beats another: the route's beat the virtual host's, and those beat
// all others, of which the first in alphabetical order counts.
func closer(name, than string) bool {
	if a, b := rank(name), rank(than); a != b {
		return a < b
	}
	return name < than
}

func rank(attribute string) int {
	switch {
	case strings.HasPrefix(attribute, "xds.route_metadata"):
		return 0
	case strings.HasPrefix(attribute, "xds.virtual_host_metadata"):
		return 1
	}
	return 2
}
