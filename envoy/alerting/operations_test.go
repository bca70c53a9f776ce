package alerting

import (
	"os"
	"strings"
	"testing"
)

// TestEveryAlertIsExplained looks for each alert in the page that its reader is sent to.
func TestEveryAlertIsExplained(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range alerts(t) {
		if !strings.Contains(string(page), "\n### "+r.Alert+"\n") {
			t.Errorf("docs/operations.md has no section %s", r.Alert)
		}
		if s := r.Labels["severity"]; s != "warning" && s != "critical" {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.KeepFiringFor != 0 {
			t.Errorf("%s: wants summary and description, and no keep_firing_for, which the tests here know nothing of", r.Alert)
		}
	}
}
