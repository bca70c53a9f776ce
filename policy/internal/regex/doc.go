// Package regex holds what can be said of RE2 expressions without running them on everything: whether one is too large to
// be compiled, which of many matches, what some texts are that one matches, which origins it accepts, and whether all that
// one takes is taken by others.
//
// [Many] is for deciding: it finds the first of many expressions that matches an origin, in one pass and without
// allocating. All else is for policy files, which may be hostile: whatever asks a question brings the steps that the
// answer may take, some nanoseconds each, and hears that there is none where they do not suffice.
//
// The package knows what an Origin is (package origin), and no policy, no route, no finding and no message.
//
// Start reading at [Whole] (size.go) for what compiling means, then at [Many] (many.go) and its automata (automaton.go).
// Questions about origins walk through an expression and the grammar of origins at the same time (grammar.go, walk.go,
// family.go); those about paths compare two expressions (inclusion.go).
package regex
