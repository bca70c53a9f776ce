package policy

// Tested by cases_test.go and policy/casetable/testdata/, and naive_test.go.

import (
	"strings"

	"github.com/corsproc/corsproc/policy/internal/compiled"
	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// stops reports whether a cross-origin request of a page that is not allowed is stopped.
func stops(j compiled.Reject, r *Request) bool {
	switch j {
	case compiled.RejectWebSockets:
		return r.OpensWebSocket()
	case compiled.RejectUnsafeMethods:
		return r.OpensWebSocket() || !fetch.IsSafeMethod(r.Method)
	case compiled.RejectAlways:
		return true
	}
	return false
}

// OpensWebSocket reports whether a request opens a WebSocket: by Upgrade (RFC 6455) or by extended CONNECT (RFC 8441).
func (r *Request) OpensWebSocket() bool {
	return strings.EqualFold(r.Protocol, "websocket") || (r.Upgrade != "" && fetch.ListHas(r.Upgrade, "websocket"))
}
