// Package verify says what a running gateway has to be asked so that its answers show whether it does what a policy set
// says, and judges the answers.
//
// The package is pure: who sends requests, how, and how fast is not known here. What has to be answered is package policy's
// to say and what a browser makes of an answer package browser's; nothing is decided a second time.
//
// Start reading at NewPlan (plan.go). The places of a URL are found in places.go, the origins that stand for patterns and
// those that only look like them in origins.go, the questions about a place in questions.go. An answer is judged in judge.go
// and header by header in headers.go; what all judgements together mean is diagnose.go. report.go collects them, text.go and
// junit.go show them.
package verify
