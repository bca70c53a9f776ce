// Package policyfile turns bytes on disk into a compiled policy set: it reads files, parses them strictly, gives every
// finding of the engine a line and a column, and loads files again when they change.
//
// It knows files, YAML and package policy. It knows nothing of Envoy, of gRPC, of the process it runs in, nor of who
// shows its findings. What a policy means is package policy's to say: here is only decided whether a file says it in a
// form that cannot be read in two ways.
//
// Start reading at [Read] (read.go) and [Content.Compile] (compile.go). The strict walk over a message's descriptor is
// walk.go, what it refuses is listed in codes.go, and [Loader] (load.go) with [Loader.Watch] (watch.go) is the way of a
// running service.
package policyfile
