// Package policy decides CORS: it compiles a PolicySet into an immutable [Set], finds the place of a request in it and
// decides what is answered.
//
// The package is pure. It knows no file, no clock, no goroutine, no gRPC and no type of Envoy's; whatever it is told of
// a request comes in a [Request], and whatever it has to say leaves in a [Decision] or a [finding.Finding]. The
// server, the command line and the admin API all ask the same [Set.Decide] and write the same
// [Decision.AppendImmediate] and [Decision.AppendResponse]: a verdict is computed nowhere else.
//
// Start reading at [Compile] (set.go) and [Set.Decide] (decide.go). The rules of the Fetch standard
// (https://fetch.spec.whatwg.org) stand where they are applied: methods and header lists in preflight.go. Package compiled
// below has what a set is compiled to; compile makes it, lint looks on, diff compares two of it. The rooms below those know
// nothing of policies: fetch has what the standard lists, origin what an Origin and a pattern are, regex what can be said of
// expressions, match how things are found by text. Package finding has what there is to say of a file. The client's half of
// the standard is package browser.
package policy
