package browser

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/corsproc/corsproc/policy"
)

// The reasons of fetches that a browser refuses before it sends anything, whatever the policies say. A script sees the
// same error as for an answer that it may not read.
const (
	// MixedContent is the reason of a fetch by an https page over http or ws (Mixed Content, section 4.4).
	MixedContent = "mixed_content"
	// BadPort is the reason of a fetch on a port of another protocol (Fetch, section 2.9, "port blocking").
	BadPort = "bad_port"
)

// Reasons returns the reasons that only a browser has, beside those of package policy.
func Reasons() []string { return []string{CredentialsNotAllowed, MixedContent, BadPort} }

// badPorts are the ports that no fetch goes to (Fetch, section 2.9, "bad port"), sorted.
var badPorts = []int{
	0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111,
	113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554,
	556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666,
	6667, 6668, 6669, 6679, 6697, 10080,
}

// chromiumPorts are bad ports that Chromium (156) does not block.
var chromiumPorts = []string{"4190", "6679"}

// blocked returns why a browser sends nothing of the fetch; empty: it does. Fetch blocks for either reason in one step
// (section 4.1, "main fetch"); of a fetch with both Chromium tells the mixed content.
func (f *normalized) blocked() (reason string) {
	// What is sent to a host of a local network is not blocked by all browsers (notes.go).
	if to := f.url.origin(); f.origin.Scheme == "https" && !isTrustworthy(to) && !isLocalNetwork(to.Host) {
		return MixedContent
	}
	if port, err := strconv.Atoi(f.url.port); err == nil {
		if _, bad := slices.BinarySearch(badPorts, port); bad {
			return BadPort
		}
	}
	return ""
}

// block returns what comes of a fetch of which nothing is sent.
func (f *normalized) block(reason string) Result {
	r := Result{Outcome: Unreadable, Verdict: policy.Refused, Reason: reason, Notes: []string{"Nothing is sent: " + unsentNotes[reason]}}
	if reason == BadPort && slices.Contains(chromiumPorts, f.url.port) {
		r.Notes = append(r.Notes, "Chromium does not block the port "+f.url.port+", against the Fetch standard; other browsers do.")
	}
	switch {
	case reason == BadPort && f.WebSocket:
		r.Console = fmt.Sprintf("WebSocket connection to '%s' failed: Error in connection establishment: net::ERR_UNSAFE_PORT", f.url)
	case reason == BadPort:
		r.Console = fmt.Sprintf("%s %s net::ERR_UNSAFE_PORT", f.method, f.url)
	case f.WebSocket:
		r.Console = f.mixedWords("attempted to connect to the insecure WebSocket endpoint", "this endpoint must be available over WSS")
	default:
		r.Console = f.mixedWords("requested an insecure resource", "the content must be served over HTTPS")
	}
	return r
}

// unsentNotes say what helps.
var unsentNotes = map[string]string{
	MixedContent: "browsers block what an https page asks for without TLS, and no policy changes that; offer the URL over https.",
	BadPort:      "browsers let no page talk to the port of another protocol, and no policy changes that; serve on another port.",
}

// mixedWords returns the words of Chromium's console about mixed content.
func (f *normalized) mixedWords(what, must string) string {
	return fmt.Sprintf("Mixed Content: The page at '%s/' was loaded over HTTPS, but %s '%s%s'. This request has been blocked; %s.",
		f.Origin, what, f.url, f.url.fragment, must)
}
