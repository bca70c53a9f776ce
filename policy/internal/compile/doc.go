// Package compile turns policy files into a compiled set, and finds what keeps them from loading. Every step goes on after an
// error, so that one run tells all of them.
//
// It does not know that lint exists. What it has in hand while it compiles, the lists as they are written among it, it shows
// to an [Observer]; when it returns that is gone. Start reading at [Compile].
package compile
