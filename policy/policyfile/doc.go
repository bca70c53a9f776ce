// Package policyfile turns the bytes of policy files into a compiled policy set: it parses them strictly, gives every
// finding of the engine a line and a column, and writes corrections.
//
// It knows YAML and package policy. It asks the system for nothing, so that it also works in WebAssembly and for what
// stands in an object of Kubernetes: package policydir reads the files. It knows nothing of who shows its findings. What a policy means is package policy's to say: here is only decided whether a file says it in a
// form that cannot be read in two ways.
//
// Start reading at [Content.Compile] (compile.go). The strict walk over a message's descriptor is walk.go, and what it
// refuses is listed in codes.go.
package policyfile
