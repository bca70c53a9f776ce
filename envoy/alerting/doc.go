// Package alerting is the test of alerts.yaml and dashboard.json, with Prometheus' own parser and query engine. It is a
// module of its own, so that who imports or builds corsproc never meets Prometheus; `make test` runs it.
//
// It knows corsproc's metrics by name only, from the file that the tests of server/admin hold. Start reading at
// rules_test.go.
package alerting
