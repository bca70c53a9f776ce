package admin

// Tested by handler_test.go.

import "github.com/corsproc/corsproc/policy/printable"

// shown returns a client's text as people see it.
func shown(s string) string { return printable.ASCII(s, len(s)) }

// maxAsked is how much of what somebody asked for is said again.
const maxAsked = 128

// asked returns a path, a method or a name of a request for an answer that may be shown on a terminal.
func asked(s string) string { return printable.Quoted(s, maxAsked) }
