// Package server is the running process: its settings, listeners, health, reloading and draining.
//
// It joins what knows nothing of each other: package policydir, which loads policy files; package extproc, which
// speaks Envoy's protocol; and package admin, which shows what happens. The one thing it owns besides sockets is
// the pointer to the policy set in force. It decides nothing about CORS and parses neither command lines nor files.
//
// Start reading at [Run].
package server
