// Package match finds by text: which pattern of a list covers an origin, which virtual host an authority or a name belongs
// to, and as what a request's path can be read. What it finds are numbers, to which whoever entered them gives a meaning;
// 0 is nothing.
//
// It is what most of a decision's time goes to. Looking up takes one hash and two places in memory for each text that can
// be meant, whatever the number of entries, allocates nothing ([OtherReadings] aside), and is safe for hostile texts and by
// any number of goroutines once nothing is added any more.
//
// The package knows no policy, no rule, no request and no finding, and no expression.
//
// Start reading at [Index] (index.go), in which everything is entered, then [Origins] (origins.go; what covers a pattern
// instead of an origin is cover.go), [Domains] (domains.go) and [Globs] (globs.go), which follow Envoy's rules for virtual
// hosts, and [ReadPath] (path.go).
package match
