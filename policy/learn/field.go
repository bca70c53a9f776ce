package learn

// Tested by scan_test.go and limits_test.go.

import (
	"fmt"
	"slices"
	"strings"
)

// A field is a fact that a line of a log tells about one request and its answer.
type field uint8

const (
	fieldTime field = iota
	fieldVirtualHost
	fieldRoute
	fieldAuthority
	fieldMethod
	fieldPath
	fieldOrigin
	fieldRequestMethod
	fieldRequestHeaders
	fieldFetchSite
	fieldFetchMode
	fieldCookie
	fieldStatus
	fieldDetails
	fieldAllowOrigin
	fieldAllowCredentials
	fieldAllowMethods
	fieldAllowHeaders
	fieldExposeHeaders
	fieldMaxAge
	fieldVary
	fieldVerdict

	numFields
)

// fieldNames are the keys of envoy/access-log.yaml, and the names that --field takes.
var fieldNames = [numFields]string{
	fieldTime: "time", fieldVirtualHost: "virtual_host", fieldRoute: "route", fieldAuthority: "authority",
	fieldMethod: "method", fieldPath: "path", fieldOrigin: "origin",
	fieldRequestMethod: "request_method", fieldRequestHeaders: "request_headers",
	fieldFetchSite: "sec_fetch_site", fieldFetchMode: "sec_fetch_mode", fieldCookie: "cookie",
	fieldStatus: "status", fieldDetails: "details",
	fieldAllowOrigin: "allow_origin", fieldAllowCredentials: "allow_credentials", fieldAllowMethods: "allow_methods",
	fieldAllowHeaders: "allow_headers", fieldExposeHeaders: "expose_headers", fieldMaxAge: "max_age",
	fieldVary: "vary", fieldVerdict: "cors_verdict",
}

// otherNames are what Istio's log and Envoy's usual formats call some of them.
var otherNames = map[field]string{
	fieldTime: "start_time", fieldRoute: "route_name", fieldStatus: "response_code", fieldDetails: "response_code_details",
}

// FieldNames returns the names of the facts that lines may tell.
func FieldNames() []string { return slices.Clone(fieldNames[:]) }

// Fields says under which keys the facts stand. The zero value is the keys of envoy/access-log.yaml, and a few usual
// ones beside them.
type Fields struct {
	paths [numFields][]string // those that were given
}

// Add says, as NAME=PATH, where a fact stands: under PATH as one key, else under the keys that its dots separate. What is
// said of a fact replaces its usual keys; said twice, the first that is there counts.
func (f *Fields) Add(s string) error {
	name, path, ok := strings.Cut(s, "=")
	if !ok || path == "" {
		return fmt.Errorf("%q is no field; write NAME=PATH, for instance origin=req.headers.origin", s)
	}
	i := slices.Index(fieldNames[:], name)
	if i < 0 {
		return fmt.Errorf("%q is no fact that a log can tell; there are %s", name, strings.Join(fieldNames[:], ", "))
	}
	f.paths[i] = append(f.paths[i], path)
	return nil
}

// A node is where the values of an object are looked up by their keys.
type node struct {
	children map[string]*node
	targets  []target
}

// A target is a fact that a value tells, and how much that counts: less than the same fact found at a lower rank.
type target struct {
	field field
	rank  uint8
}

func (n *node) at(keys ...string) *node {
	for _, key := range keys {
		child := n.children[key]
		if child == nil {
			child = &node{}
			if n.children == nil {
				n.children = map[string]*node{}
			}
			n.children[key] = child
		}
		n = child
	}
	return n
}

// tree returns where the facts stand. It is only read afterwards.
func (f *Fields) tree() *node {
	root := &node{}
	for i := range numFields {
		paths := f.paths[i]
		if len(paths) == 0 {
			paths = []string{fieldNames[i]}
			if other := otherNames[i]; other != "" {
				paths = append(paths, other)
			}
		}
		rank := uint8(0)
		add := func(keys ...string) {
			n := root.at(keys...)
			n.targets = append(n.targets, target{i, rank})
			rank = min(rank, 253) + 1
		}
		for _, path := range paths {
			add(path)
			if strings.Contains(path, ".") {
				add(strings.Split(path, ".")...)
			}
		}
	}
	return root
}
