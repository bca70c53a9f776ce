// Package e2e runs the files that people copy from envoy/: a real Envoy with the reference configuration, the built
// corsproc and a real browser. It knows both programs from outside only: by their configuration, their addresses and what
// they answer.
//
// Without an Envoy or a Chromium the tests that need one are skipped with a line that says so; with
// CORSPROC_REQUIRE_E2E=1 in the environment they fail instead. Start reading at harness_test.go.
package e2e
