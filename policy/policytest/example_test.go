package policytest_test

import (
	"fmt"

	"github.com/corsproc/corsproc/policy/policytest"
)

// Test files are run as corsproc test does.
func ExampleRun() {
	report := policytest.Run([]string{"testdata/good/outcomes_test.yaml"}, nil)
	fmt.Println(len(report.Findings), report.Err, report.Results.GetFailed())
	// Output: 0 <nil> 0
}
