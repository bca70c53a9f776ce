package admin

// Tested by handler_test.go.

import (
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policydir"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// reload has the policy files loaded and answers with the outcome: 200 if the set in force is now that of the files, otherwise
// 400 with the findings.
func reload(source Source) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := source.Reload()
		status := http.StatusOK
		if !a.Good() {
			status = http.StatusBadRequest
		}
		if wantsJSON(r) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			policyfile.WriteJSON(w, findingsOf(source.Policies, a))
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		switch {
		case a.Err != nil:
			fmt.Fprintln(w, a.Err)
		case !a.Good():
			policyfile.WriteText(w, a.Result.Findings)
		case a.Unchanged:
			fmt.Fprintln(w, "unchanged")
		default:
			fmt.Fprintln(w, "reloaded")
		}
	}
}

// findingsOf returns the findings of an attempt to load path. If the files could not be read, that is one finding, so that
// programs have one form to read.
func findingsOf(path string, a policydir.Attempt) []finding.Diagnostic {
	if a.Err != nil {
		return []finding.Diagnostic{{Severity: finding.Error, Code: "unreadable", Position: finding.Position{File: path}, Message: a.Err.Error()}}
	}
	return a.Result.Findings
}

// wantsJSON reports whether the request's Accept names JSON.
func wantsJSON(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept") {
		for item := range strings.SplitSeq(line, ",") {
			if t, _, err := mime.ParseMediaType(item); err == nil && t == "application/json" {
				return true
			}
		}
	}
	return false
}
