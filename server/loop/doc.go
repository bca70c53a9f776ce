// Package loop carries Envoy's external-processing streams over HTTP/2 with one goroutine for each connection, where a
// general gRPC server has three hand-offs between goroutines for each message. A message is read, decided and answered in
// one go, and the answers to everything that came in one read leave in one write: deciding takes a microsecond, and to
// wake another goroutine for it takes several. docs/performance.md has the figures.
//
// Health is answered here too, and what is asked for rarely (reflection) is relayed to a gRPC server in the same process. The
// package knows nothing of policies; it takes gRPC messages apart and hands them to an [extproc.Server]. Frames and header compression are
// golang.org/x/net/http2's.
//
// Start reading at conn.go, the loop; streams.go has what a stream is, write.go how answers leave, drain.go how a
// connection ends well. Clauses are those of RFC 9113 (HTTP/2) and of the gRPC over HTTP/2 protocol.
package loop
