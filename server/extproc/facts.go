package extproc

import "github.com/corsproc/corsproc/policy"

// facts are the facts of one request, with room for them.
type facts struct {
	request policy.Request
	text    text
	lists   [4]string // room for the lines of Access-Control-Request-Headers
}

// reset makes f ready for another request.
func (f *facts) reset() {
	f.text.reset()
	f.request = policy.Request{}
	f.lists = [4]string{}
}

// readRequest reads the facts of a request from its request headers message.
func (f *facts) readRequest(in *inbound) error {
	f.reset()
	if err := f.readAttributes(in.attributes, false); err != nil {
		return err
	}
	r := &f.request
	r.RequestHeaders = f.lists[:0]
	for lines := (headers{fields{rest: in.headers}}); ; {
		name, value, err := lines.next()
		switch {
		case err != nil:
			return err
		case name == nil:
			if len(r.RequestHeaders) == 0 {
				r.RequestHeaders = nil
			}
			return nil
		}
		switch string(name) {
		case ":method":
			f.only(&r.Method, value)
		case ":scheme":
			f.only(&r.Scheme, value)
		case ":authority":
			f.only(&r.Authority, value)
		case ":path":
			f.only(&r.Path, value)
		case ":protocol":
			f.only(&r.Protocol, value)
		case "origin":
			f.line(&r.Origin, value)
		case "access-control-request-method":
			f.line(&r.RequestMethod, value)
		case "access-control-request-headers":
			r.RequestHeaders = append(r.RequestHeaders, f.text.keep(value))
		case "access-control-request-private-network":
			err = f.joined(&r.RequestPrivateNetwork, value)
		case "upgrade":
			err = f.joined(&r.Upgrade, value)
		case "sec-fetch-site":
			f.line(&r.FetchSite, value)
		}
		if err != nil {
			return err
		}
	}
}

// readAnswered reads the facts of a request that is seen only with its response. Nothing is taken from the message's
// headers, for they are the response's.
func (f *facts) readAnswered(in *inbound) error {
	f.reset()
	f.request.Answered = true
	return f.readAttributes(in.attributes, true)
}

// only keeps the first value of a pseudo header, of which HTTP allows one.
func (f *facts) only(s *string, value []byte) {
	if *s == "" {
		*s = f.text.keep(value)
	}
}

// line counts another line of a field.
func (f *facts) line(field *policy.Field, value []byte) {
	if field.Lines == 0 {
		field.Value = f.text.keep(value)
	}
	field.Lines++
}

// joined keeps the value of a field whose lines are one list. Envoy has joined them already.
func (f *facts) joined(s *string, value []byte) error {
	if *s != "" || len(value) == 0 {
		return errUnusual
	}
	*s = f.text.keep(value)
	return nil
}

// upstream is what of a response decides about its own headers.
type upstream struct {
	vary, exposed []string // its lines of Vary and of Access-Control-Expose-Headers
}

// readUpstream appends to u the lines in a response headers message. Envoy joins those of a name, other proxies may not. They
// are kept behind the facts of the request, which the decision still refers to.
func (f *facts) readUpstream(u upstream, in *inbound) (upstream, error) {
	for all := (headers{fields{rest: in.headers}}); ; {
		name, value, err := all.next()
		if name == nil {
			return u, err
		}
		switch string(name) {
		case policy.HeaderVary:
			u.vary = append(u.vary, f.text.keep(value))
		case policy.HeaderExposed:
			u.exposed = append(u.exposed, f.text.keep(value))
		}
	}
}

// headers goes through a HeaderMap.
type headers struct{ fields }

// next returns the next header, nil after the last. It refuses what Envoy never writes: an upper-case name, and a value
// where raw_value belongs.
func (h *headers) next() (name, value []byte, err error) {
	if !h.fields.next() {
		if h.broken {
			err = errUnusual
		}
		return nil, nil, err
	}
	if !h.is(headerMapHeaders) {
		return nil, nil, errUnusual
	}
	f := fields{rest: h.value}
	for f.next() {
		switch {
		case f.is(headerValueKey) && name == nil:
			name = f.value
		case f.is(headerValueRaw) && value == nil:
			value = f.value
		default:
			return nil, nil, errUnusual
		}
	}
	if f.broken || len(name) == 0 || !isEnvoyName(name) {
		return nil, nil, errUnusual
	}
	return name, value, nil
}

// isEnvoyName reports whether a header's name is written as Envoy writes them: in lower case, and in ASCII.
func isEnvoyName(name []byte) bool {
	for _, c := range name {
		if 'A' <= c && c <= 'Z' || c >= 0x80 {
			return false
		}
	}
	return true
}
