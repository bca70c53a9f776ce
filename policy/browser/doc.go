// Package browser is the client half of the Fetch standard (https://fetch.spec.whatwg.org): given a page's origin and
// what a script on it fetches, it says which requests a browser sends, and what the browser makes of the answers.
//
// The package is pure. It knows package policy, whose [policy.Set] gives every answer here (nothing is decided a second
// time), and the messages by which an explanation leaves; no file, no network, no terminal. Who knows where rules stand
// in files hands in a function that says so.
//
// Start reading at [Do] (do.go). What the standard lists (methods, names of headers) is package fetch. Each rule of the
// standard stands in one place: what a script may ask for in fetch.go, headers in headers.go, URLs in url.go, origins and
// sites in site.go, preflights in preflight.go, the CORS check and what is exposed in response.go. What Chromium says in
// its console is console.go; the model is held against a real Chromium by the tests.
package browser
