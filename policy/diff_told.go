package policy

// effect is what a change does to those whom it is about. Changes are told in this order.
type effect uint8

const (
	gain  effect = iota // they may do more
	loss                // they may do less
	other               // it is neither
)

// String returns the effect as it stands in what diff prints.
func (e effect) String() string { return [...]string{"gain", "loss", "change"}[e] }

// changed is what of a grant changes. Changes are told in this order.
type changed uint8

const (
	whatPassthrough changed = iota // whether corsproc answers at all
	whatOrigin                     // who may read answers
	whatCredentials
	whatMethods
	whatHeaders
	whatExposed
	whatPrivateNetwork
	whatMaxAge
	whatPreflightStatus
	whatReject
	whatUnmatched
	whatTiming
)

// String returns what changes, as it stands in what diff prints.
func (c changed) String() string {
	return [...]string{
		"passthrough", "origin", "credentials", "methods", "headers", "exposed_headers", "private_network", "max_age",
		"preflight_status", "reject", "unmatched_preflights", "timing",
	}[c]
}

// difference is what changes at some places where the same does.
type difference struct {
	Places  []diffPlace
	Changes []*grantChange
}

// diffPlace is a place where something changes.
type diffPlace struct {
	VirtualHost string
	Only        []string // which requests of the virtual host; empty: all of them
	Route       string   // empty: the virtual host itself
	Text        string   // all of that in words
}

// grantChange is one thing that changes.
type grantChange struct {
	Effect   effect
	What     changed
	Origins  []string   // for whom, as patterns
	Except   []string   // and for whom of those not
	Values   []string   // which methods, headers or origins
	Old, New string     // of what is one value; of lists where all take the place of some, or some of all
	Grant    *grantTold // what is granted to the origins that may read now, or was to those that may no longer
	Text     string     // all of that in words
}

// grantTold is what a policy grants to an origin, without what makes no difference to a browser.
type grantTold struct {
	Methods, Headers, Exposed []string
	Credentials               bool
	MaxAge                    int // seconds
}
