package extproc

import (
	"os"
	"path/filepath"
	"testing"
)

// recorded returns the messages of a real Envoy, as it wrote them.
func recorded(t testing.TB) (messages [][]byte) {
	t.Helper()
	files, err := filepath.Glob("testdata/envoy/*.bin")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		wire, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, wire)
	}
	return messages
}
