// Package alerting is the test of alerts.yaml, dashboard.json and /metrics, with Prometheus' own parser and query engine. It is a
// module of its own, so that who imports or builds corsproc never meets Prometheus; `make test` runs it.
//
// It knows corsproc's metrics by name only, from the file that the tests of server/admin hold; scrape_test.go reads those of
// a running process, in every form that Prometheus asks for. Start reading at rules_test.go.
package alerting
