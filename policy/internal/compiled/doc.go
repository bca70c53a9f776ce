// Package compiled is the form in which a policy set decides: policies with their lists as they are compared and the values
// of headers as they are sent, the places of requests, and the rules by which a decision names the part of the set that made
// it. Package compile makes it, package policy decides by it, packages lint and diff read it.
//
// It knows no request, no finding and no message of proto: what it is asked comes as texts. Whoever has a [Set] must not
// change it once it is made. Start reading at [Set] (set.go); [Set.HostIndex] and [VirtualHost.Find] find the place of a
// request, [Policy.Match] what a policy says of an origin.
package compiled
