// Package certs is the TLS of the addresses for Envoy: its files, their rotation while the process runs, who is let in by
// the names in a client's certificate, and why handshakes fail.
//
// It knows connections, and not what is said on them; what counts its events gets them by [Hooks].
//
// Start reading at [Load].
package certs
