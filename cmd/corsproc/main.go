// Command corsproc answers Envoy's CORS questions: an ext_proc service, and the tools around its policy files.
//
// Each command parses its arguments and calls one function of another package. Start reading at root.go.
package main

// Tested by envoy/e2e/processes_test.go.

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
