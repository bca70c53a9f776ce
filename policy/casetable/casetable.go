// Package casetable holds the cases that decide whether corsproc is right: tables of a policy file, requests and what is
// answered to them, as data. The same tables are run through the engine (package policy), through the gRPC service
// (server/extproc) and through a real Envoy (envoy/e2e), so that the three cannot come to differ.
//
// The package only reads tables. It knows neither the engine's insides nor how a case is sent; it is for tests.
package casetable

// Tested by policy/cases_test.go, which reads testdata/.

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/corsproc/corsproc/policy"
)

//go:embed testdata/*.yaml
var files embed.FS

// Table is one file: a policy file, the Envoy in front of it, and cases.
type Table struct {
	File     string `yaml:"-"`
	About    string `yaml:"about"`
	Policies string `yaml:"policies"`
	Envoy    Envoy  `yaml:"envoy"`
	Cases    []Case `yaml:"cases"`
}

// Envoy is the part of Envoy's route configuration that a table is about. Without virtual hosts there is one, called
// "local", for all domains.
type Envoy struct {
	VirtualHosts []VirtualHost `yaml:"virtual_hosts"`
	Adds         `yaml:",inline"`
}

// Adds are the headers that a level of the route configuration adds to responses, immediate ones too, before corsproc
// changes them (response_headers_to_add): lines, "name: value".
type Adds struct {
	Append    []string `yaml:"append"`    // beside what is there
	Overwrite []string `yaml:"overwrite"` // in its place
}

// VirtualHost is one of Envoy's virtual hosts; its domains are exact, or "*".
type VirtualHost struct {
	Name     string   `yaml:"name"`
	Domains  []string `yaml:"domains"`
	Policies string   `yaml:"policies"` // named in its metadata; empty: none
	Routes   []Route  `yaml:"routes"`   // without any: one route without a name for every path
	Adds     `yaml:",inline"`
}

// Route is one of Envoy's routes.
type Route struct {
	Name     string `yaml:"name"`
	Prefix   string `yaml:"prefix"`
	Policies string `yaml:"policies"` // named in its metadata; empty: none
	Adds     `yaml:",inline"`
}

// Case is one request and what is answered to it.
type Case struct {
	Name     string   `yaml:"name"`
	Request  Request  `yaml:"request"`
	Upstream []string `yaml:"upstream"` // the lines of the upstream's response that matter, "name: value"
	Expect   Expect   `yaml:"expect"`

	// NoEnvoy says why a case cannot be sent through an Envoy: its codec refuses the bytes, or it takes another filter.
	NoEnvoy string `yaml:"no_envoy"`
}

// Request is a request as a client sends it.
type Request struct {
	Method   string   `yaml:"method"` // default: GET
	Scheme   string   `yaml:"scheme"` // as Envoy sees it; default: http
	Host     string   `yaml:"host"`   // default: api.example.com
	Path     string   `yaml:"path"`   // default: /
	Protocol string   `yaml:"protocol"`
	Headers  []string `yaml:"headers"`  // lines, "name: value"
	Answered bool     `yaml:"answered"` // answered by an earlier filter: only the response is seen
}

// Expect is what a case expects. Of the headers that corsproc may write (see [Watched]) exactly those named here are in
// the answer.
type Expect struct {
	Kind        string            `yaml:"kind"`
	Verdict     string            `yaml:"verdict"`
	Reason      string            `yaml:"reason"`
	Policy      string            `yaml:"policy"`
	VirtualHost string            `yaml:"virtual_host"` // checked where it is given
	Rule        string            `yaml:"rule"`         // the field path of the rule that decided, or [NoRule]; checked where it is given
	Candidate   string            `yaml:"candidate"`    // "verdict reason" where the place has candidates
	Status      int               `yaml:"status"`       // of an immediate answer; 0: the request goes on to the upstream
	Body        bool              `yaml:"body"`         // an immediate answer with a body
	Headers     map[string]string `yaml:"headers"`
}

// NoRule is expected of decisions that no rule of the policy file made.
const NoRule = "none"

// Load reads every table, in the order of their names. A table that cannot be read fails the test.
func Load(t testing.TB) []Table {
	t.Helper()
	names, err := fs.Glob(files, "testdata/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no case tables: %v", err)
	}
	var tables []Table
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		table := Table{File: name}
		if err := yaml.Load(data, &table, yaml.WithKnownFields()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range table.Cases {
			table.Cases[i].fill()
		}
		if len(table.Envoy.VirtualHosts) == 0 {
			table.Envoy.VirtualHosts = []VirtualHost{{Name: "local", Domains: []string{"*"}}}
		}
		for i := range table.Envoy.VirtualHosts {
			if h := &table.Envoy.VirtualHosts[i]; len(h.Routes) == 0 {
				h.Routes = []Route{{Prefix: "/"}}
			}
		}
		tables = append(tables, table)
	}
	return tables
}

func (c *Case) fill() {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&c.Request.Method, "GET")
	set(&c.Request.Scheme, "http")
	set(&c.Request.Host, "api.example.com")
	set(&c.Request.Path, "/")
}

// Facts returns what the engine is told of a case's request behind the table's Envoy.
func (t *Table) Facts(c *Case) policy.Request {
	r := policy.Request{
		Method: c.Request.Method, Scheme: c.Request.Scheme, Authority: c.Request.Host, Path: c.Request.Path,
		Protocol: c.Request.Protocol, Answered: c.Request.Answered,
	}
	for _, line := range c.Request.Headers {
		name, value := SplitLine(line)
		switch name {
		case "origin":
			addLine(&r.Origin, value)
		case "access-control-request-method":
			addLine(&r.RequestMethod, value)
		case "access-control-request-headers":
			r.RequestHeaders = append(r.RequestHeaders, value)
		case "access-control-request-private-network":
			r.RequestPrivateNetwork = value
		case "upgrade":
			r.Upgrade = value
		case "sec-fetch-site":
			addLine(&r.FetchSite, value)
		}
	}
	if h := t.virtualHost(c.Request.Host); h != nil {
		r.VirtualHost = h.Name
		named := h.Policies
		if route := h.route(c.Request.Path); route != nil {
			r.Route = route.Name
			if route.Policies != "" {
				named = route.Policies
			}
		}
		if named != "" {
			r.Named = policy.Line(named)
		}
	}
	return r
}

func addLine(f *policy.Field, value string) {
	if f.Lines++; f.Lines == 1 {
		f.Value = value
	}
}

func (t *Table) virtualHost(host string) *VirtualHost {
	for _, domain := range []string{host, "*"} {
		for i := range t.Envoy.VirtualHosts {
			if slices.Contains(t.Envoy.VirtualHosts[i].Domains, domain) {
				return &t.Envoy.VirtualHosts[i]
			}
		}
	}
	return nil
}

func (h *VirtualHost) route(path string) *Route {
	i := slices.IndexFunc(h.Routes, func(route Route) bool { return strings.HasPrefix(path, route.Prefix) })
	if i < 0 {
		return nil
	}
	return &h.Routes[i]
}

// Added returns the lines of a response to a case once the table's Envoy has added its own, the most specific level first.
func (t *Table) Added(c *Case, lines ...string) []string {
	levels := []Adds{t.Envoy.Adds}
	if h := t.virtualHost(c.Request.Host); h != nil {
		levels = append(levels, h.Adds)
		if route := h.route(c.Request.Path); route != nil {
			levels = append(levels, route.Adds)
		}
	}
	lines = slices.Clone(lines)
	for _, level := range slices.Backward(levels) {
		lines = append(lines, level.Append...)
		for _, line := range level.Overwrite {
			name, _ := SplitLine(line)
			lines = slices.DeleteFunc(lines, func(l string) bool { n, _ := SplitLine(l); return n == name })
			lines = append(lines, line)
		}
	}
	return lines
}

// SplitLine parts a line into its lower-case name and its value.
func SplitLine(line string) (name, value string) {
	name, value, _ = strings.Cut(line, ":")
	return strings.ToLower(name), strings.TrimPrefix(value, " ")
}

// Watched reports whether corsproc may write a header, so that a case has to name it.
func Watched(name string) bool {
	return strings.HasPrefix(name, "access-control-") || name == "vary" || name == "timing-allow-origin"
}

// Compare returns what is wrong with the watched headers of an answer; empty: nothing. Several lines of a name are one
// value joined by ", ".
func (e *Expect) Compare(got map[string]string) string {
	var faults []string
	for name, value := range e.Headers {
		if g, ok := got[name]; !ok {
			faults = append(faults, fmt.Sprintf("%s: is missing, want %q", name, value))
		} else if g != value && !(name == "vary" && spaced(g) == spaced(value)) {
			faults = append(faults, fmt.Sprintf("%s: got %q, want %q", name, g, value))
		}
	}
	for name, value := range got {
		if _, ok := e.Headers[name]; !ok && Watched(name) {
			faults = append(faults, fmt.Sprintf("%s: got %q, want none", name, value))
		}
	}
	slices.Sort(faults)
	return strings.Join(faults, "\n")
}

// spaced returns a list with one blank after every comma: Envoy joins the upstream's lines without one.
func spaced(list string) string {
	elements := strings.Split(list, ",")
	for i := range elements {
		elements[i] = strings.TrimSpace(elements[i])
	}
	return strings.Join(elements, ", ")
}
