// Package convert turns the CORS settings of other systems into policy files: what the source system would answer to
// browsers, or tighter with a warning, never wider without one.
//
// Start reading at Convert. Each kind of source reads its files and tells a builder which places there are and what is
// granted at each; the builder makes one policy file of that, which loads (builder.go, finish.go). What a policy file
// cannot say is a warning, which stands as a comment at its place, too.
//
// It does not lint: what the source allows is written exactly, and `corsproc check` speaks of it. It decides nothing about
// requests either.
package convert
