package server

import (
	"fmt"
	"strings"
	"testing"
)

// TestManyFaultsAreLogged: of a file with very many faults the log holds some, and how many there are beside them.
func TestManyFaultsAreLogged(t *testing.T) {
	r := start(t, somePolicies, nil)
	const faults = maxLoggedFindings + 50
	var bad strings.Builder
	bad.WriteString("policies:\n")
	for i := range faults {
		fmt.Fprintf(&bad, "  p%d: {allow_origins: ['https://Shop.example.com']}\n", i)
	}
	r.write(bad.String())
	if code, body := r.http("POST", "/-/reload"); code != 400 || strings.Count(body, "Shop.example.com") < faults {
		t.Errorf("reloading: %d, and %d bytes", code, len(body))
	}
	before := r.records
	rest := r.logged("further policy errors are not logged")
	if n, ok := rest["count"].(float64); !ok || n < 50 {
		t.Errorf("logged as %v, after %d others", rest, len(before))
	}
}
