// Package site is the web side of the demo: the echo upstream behind Envoy, and the page of another origin that sends
// requests there from the browser and shows what came of them.
//
// It knows neither Envoy nor policies: the page learns what is granted as any page does, by trying. Start reading at
// [Page] and, for the cases, static/cases.js.
package site

// Tested by envoy/e2e/demo_test.go.

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net"
	"net/http"
	"strings"
)

//go:embed static
var static embed.FS

var index = template.Must(template.ParseFS(static, "static/index.html"))

// Options says where the page finds what it talks about.
type Options struct {
	EnvoyPort  string // of the API, on localhost
	PagePort   string // of the page itself, on localhost
	AdminPort  string // of corsproc's own page, on localhost
	PolicyFile *PolicyFile
}

// API is the origin that the page sends requests to.
func (o Options) API() string { return "http://localhost:" + o.EnvoyPort }

// Files is the origin of the second virtual host.
func (o Options) Files() string { return "http://files.localhost:" + o.EnvoyPort }

// Own is the origin of the page.
func (o Options) Own() string { return "http://localhost:" + o.PagePort }

// Other is an origin that nothing is granted to: the same server under another name.
func (o Options) Other() string { return "http://127.0.0.1:" + o.PagePort }

// Admin is where corsproc's own page is.
func (o Options) Admin() string { return "http://localhost:" + o.AdminPort }

// Path is the policy file as the reader calls it.
func (o Options) Path() string { return o.PolicyFile.Path }

// Page serves the page and, for the refused origin, the small document that it frames from another name of the server.
func Page(o Options) http.Handler {
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	assets := http.FileServerFS(files)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if host, _, _ := net.SplitHostPort(r.Host); !strings.EqualFold(host, "localhost") {
			http.Redirect(w, r, o.Own()+"/", http.StatusFound) // the policies speak of localhost
			return
		}
		w.Header().Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' %[1]s; "+
			"connect-src 'self' %[1]s %[2]s; frame-src %[3]s; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", o.API(), o.Files(), o.Other()))
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = index.Execute(w, o) // the browser has gone: there is nobody to tell
	})
	mux.HandleFunc("GET /other.html", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; script-src 'self'; connect-src %s; base-uri 'none'; form-action 'none'; frame-ancestors %s", o.API(), o.Own()))
		assets.ServeHTTP(w, r)
	})
	for _, name := range []string{"page.css", "page.js", "cases.js", "other.js", "icon.svg"} {
		mux.Handle("GET /"+name, assets)
	}
	mux.HandleFunc("GET /policies", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(o.PolicyFile.Look(r.Context()))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store") // a rebuilt demo shows its new page
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}
