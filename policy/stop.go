package policy

import (
	"strings"

	"github.com/corsproc/corsproc/policy/internal/fetch"
)

// stops reports whether a cross-origin request of a page that is not allowed is stopped.
func stops(j reject, r *Request) bool {
	switch j {
	case rejectWebSockets:
		return r.OpensWebSocket()
	case rejectUnsafeMethods:
		return r.OpensWebSocket() || !fetch.IsSafeMethod(r.Method)
	case rejectAlways:
		return true
	}
	return false
}

// OpensWebSocket reports whether a request opens a WebSocket: by Upgrade (RFC 6455) or by extended CONNECT (RFC 8441).
func (r *Request) OpensWebSocket() bool {
	return strings.EqualFold(r.Protocol, "websocket") || (r.Upgrade != "" && fetch.ListHas(r.Upgrade, "websocket"))
}
