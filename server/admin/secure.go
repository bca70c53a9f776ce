package admin

// Tested by handler_test.go and server/foreignpage_test.go.

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

const (
	// plainPolicy is for answers that no browser is to do anything with. The index of pprof is the only HTML among them.
	plainPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	// pagePolicy is for our own page. Its scripts make elements one by one: with trusted types and no policy for them, a
	// browser refuses to read any text as markup or script.
	pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; " +
		"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)

// secured keeps web pages of other sites away from the handler. Any page in any browser that can reach this address can
// send requests to it, so there are three fences:
//
//   - DNS rebinding: the owner of a name points it at this address, and to the browser a page of that name is then of the same
//     origin. Its requests carry the name as Host. Only IP addresses, localhost and names from the settings are answered.
//   - A page of another origin cannot read answers, but its requests could change something, or cost work. They are refused
//     by Sec-Fetch-Site, and writes by Origin too. It may link to our page, and ask for what machines read, which costs little.
//   - A page of another origin could show ours in a frame and have it clicked. Framing is forbidden.
func secured(hosts []string, next http.Handler) http.Handler {
	names := map[string]bool{"localhost": true}
	for _, h := range hosts {
		names[strings.ToLower(h)] = true
	}
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(foreign))
	inner := crossOrigin.Handler(next)

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Content-Security-Policy", plainPolicy)
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		machine := forMachines(r.URL.Path)
		if !machine && !answersTo(names, r.Host) {
			http.Error(w, fmt.Sprintf("The admin address answers to IP addresses, localhost and the names given with --admin-hosts, not to %s.", asked(r.Host)),
				http.StatusForbidden)
			return
		}
		if !fromHere(r) || !machine && !ofOurPage(r) && !opensPage(r) {
			foreign(w, r)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// fromHere reports whether the Origin of a write, if it has one, is that of our own page. The library believes Sec-Fetch-Site
// alone; here both must agree. An https origin is ours only if the browser says that it is the same origin: something in
// front of us ends TLS then.
func fromHere(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 || r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return true
	}
	if len(origins) > 1 {
		return false
	}
	return strings.EqualFold(origins[0], "http://"+r.Host) ||
		(r.Header.Get("Sec-Fetch-Site") == "same-origin" && strings.EqualFold(origins[0], "https://"+r.Host))
}

// ofOurPage reports whether a request comes from our own page, from what is no page (an address that somebody typed), or
// from a program. Browsers say so where the address is one that they trust: https, localhost, 127.0.0.1 (Fetch Metadata).
func ofOurPage(r *http.Request) bool {
	return !slices.ContainsFunc(r.Header.Values("Sec-Fetch-Site"), func(site string) bool {
		return site != "same-origin" && site != "none"
	})
}

// opensPage reports whether a request is a navigation of a tab to our page, by a link for example. A frame is none.
func opensPage(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Path == "/" &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// foreign refuses what a page of another origin asks for.
func foreign(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "Pages of other origins may neither ask for anything here nor change it; they may link to the page at /.", http.StatusForbidden)
}

// forMachines reports whether Prometheus or a probe asks for the path. They come under whatever name a cluster gives
// this process, and what they see is no secret from a page.
func forMachines(path string) bool {
	return path == "/metrics" || path == "/-/healthy" || path == "/-/ready" || path == healthv1.Health_Check_FullMethodName
}

// answersTo reports whether host, the Host of a request, is an IP address or one of names, with a port or without (RFC 9110,
// section 7.2; RFC 3986, section 3.2.2). An IPv6 address stands in brackets. It has no zone, behind whose percent sign any
// name could stand. Whatever else looks like an address is a name to a browser, and somebody may own it.
func answersTo(names map[string]bool, host string) bool {
	if rest, ok := strings.CutPrefix(host, "["); ok {
		inner, rest, closed := strings.Cut(rest, "]")
		address, err := netip.ParseAddr(inner)
		return closed && err == nil && address.Is6() && address.Zone() == "" && (rest == "" || isPort(rest))
	}
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 {
		if !isPort(host[colon:]) {
			return false
		}
		host = host[:colon]
	}
	if names[strings.ToLower(host)] {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Is4()
}

// isPort reports whether s is a colon and the number of a port.
func isPort(s string) bool {
	_, err := strconv.ParseUint(s[1:], 10, 16)
	return err == nil && s[0] == ':'
}
