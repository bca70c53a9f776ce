package browser

// Tested by blocked_test.go and model_test.go.

import (
	"slices"
	"strings"

	"github.com/corsproc/corsproc/policy/internal/origin"
)

// notes says what else there is to know, beside what comes of a fetch.
func (f *normalized) notes(r *Result) (notes []string) {
	if f.method != f.Method && f.Method != "" {
		notes = append(notes, "Browsers send the method "+f.Method+" as "+f.method+".")
	}
	if f.method != "PATCH" && strings.EqualFold(f.method, "patch") {
		notes = append(notes, "Browsers send the method "+f.method+" as it is written; servers know PATCH.")
	}
	if r.Preflight == nil && r.Actual == nil {
		return notes // the rest is about what is sent
	}
	if note := f.pathNote(); note != "" {
		notes = append(notes, note)
	}
	if note := f.localNote(); note != "" {
		notes = append(notes, note)
	}
	if note := f.cookieNote(r); note != "" {
		notes = append(notes, note)
	}
	if a := r.Actual; r.Outcome == Readable && !r.Exposed.All && !f.WebSocket && a.Decision.ExposesUpstream() {
		notes = append(notes, "With expose_upstream the page can also read the headers that the upstream names in its own Access-Control-Expose-Headers, which are not known here.")
	}
	if r.Preflight != nil {
		for _, name := range unsafeNames(f.headers) {
			if slices.Contains(chromiumSafelisted, name) {
				notes = append(notes, "Chromium does not ask for the header "+name+" in a preflight, against the Fetch standard; other browsers do.")
			}
		}
	}
	return notes
}

// chromiumSafelisted are the request headers that Chromium (156) takes for safelisted although the standard does not, or
// does not send at all (user-agent).
var chromiumSafelisted = []string{
	"device-memory", "downlink", "dpr", "ect", "intervention", "rtt", "save-data", "user-agent", "viewport-width", "width",
}

// pathNote says what Envoy makes of the path, where it is not what is sent.
func (f *normalized) pathNote() string {
	sent, _ := split(f.url.path, "?")
	path, _ := split(f.path, "?")
	const otherwise = "--path-as-is, in a test file path_as_is, takes the path as it is sent."
	switch {
	case f.unheard:
		return "Envoy with the reference configuration (normalize_path) answers 400 to a path with %00, before corsproc is asked; " + otherwise
	case path != sent:
		return "Envoy with the reference configuration (normalize_path, merge_slashes) makes " + cut(path) + " of the path, and that is looked up; " + otherwise
	}
	return ""
}

// localNote says what a page needs that fetches from this machine or from a local network (Local Network Access; Chrome
// asks its user since 142, and since 147 for WebSockets too). No answer of a server grants it.
func (f *normalized) localNote() string {
	to := f.url.origin()
	local := origin.IsLoopback(to.Host) || isLocalNetwork(to.Host)
	if !local || !f.origin.IsWeb() || origin.IsLoopback(f.origin.Host) || isLocalNetwork(f.origin.Host) {
		return ""
	}
	where := "a local network"
	if origin.IsLoopback(to.Host) {
		where = "the user's own machine"
	}
	note := "The URL is on " + where + ": before a page from the internet may fetch it, Chrome asks the user for the permission for Local Network Access, which no header grants"
	switch {
	case f.origin.Scheme == "http":
		note += ", and asks only for pages over https: this one is blocked."
	case !isTrustworthy(to):
		note += ". Browsers without that permission block a URL without TLS as mixed content."
	default:
		note += "."
	}
	return note
}

// cookieNote says which cookies go along to another site, where cookies do (RFC 6265bis, section 5.6.7, "SameSite").
func (f *normalized) cookieNote(r *Result) string {
	to := f.url.origin()
	if !f.include() && (!f.WebSocket || r.Outcome == Unreadable) || site(f.origin, to) != "cross-site" {
		return ""
	}
	if !isTrustworthy(to) {
		return "The page and the URL are of different sites, and the URL is without TLS: no cookie goes along, because those that may have to say SameSite=None; Secure."
	}
	return "The page and the URL are of different sites: of the cookies only those go along that say SameSite=None; Secure, and only in browsers that let third-party cookies through."
}
