// Package policydir finds policy files where they lie: it reads a file, a directory or standard input, watches them, loads
// them again when they change, and writes a corrected file in the place of the old one.
//
// It knows files and disks, also those that do not answer. What is in the files it leaves to package policyfile. It knows
// nothing of Envoy, of gRPC, nor of the process that it runs in.
//
// Start reading at [Read] (read.go). The way of a running service is [Loader] (load.go) with [Watch] (watch.go).
package policydir
