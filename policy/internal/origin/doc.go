// Package origin knows what an Origin is: the grammar of the header's value and of the patterns that policies list, what is
// wrong with a text that is neither and what was most likely meant, and what is dangerous about a pattern whose origins get
// answers made for the user's credentials. Loopback hosts and public suffixes are defined here and nowhere else.
//
// It knows no policy, no list, no request, no finding and no message: it takes texts and returns values and reasons. Origin
// headers come from attackers. [Origin.Parse] takes time proportional to their length, which [MaxLen] bounds, and allocates
// nothing; all else is for policy files, in time proportional to the text.
//
// Start reading at [Origin.Parse] (origin.go) and [ParsePattern] (pattern.go). The same grammar as expressions, for what
// compares it with other expressions, is grammar.go.
package origin
