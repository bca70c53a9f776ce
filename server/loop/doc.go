// Package loop carries Envoy's external-processing streams over HTTP/2, with one goroutine for each connection. That
// goroutine reads a message, has it decided and answers it. The answers to all that came in one read leave in one write. A
// general gRPC server hands each message three times from goroutine to goroutine; each hand-over takes microseconds, and
// deciding takes one. docs/performance.md has the figures.
//
// Health is answered here too. Rare calls (reflection) are relayed to a gRPC server in the same process. The package knows
// nothing of policies: it hands gRPC messages to an [extproc.Server]. Frames and header compression are
// golang.org/x/net/http2's.
//
// Start reading at conn.go, the loop; streams.go has what a stream is, write.go how answers leave, drain.go how a
// connection ends well. Clauses are those of RFC 9113 (HTTP/2) and of the gRPC over HTTP/2 protocol.
package loop
