package diff

// Tested by policy/diff_test.go and policy/testdata/diff.yaml.

// Effect is what a change does to those whom it is about. Changes are told in this order.
type Effect uint8

const (
	Gain    Effect = iota // they may do more
	Loss                  // they may do less
	Neither               // it is neither
)

// String returns the effect as it stands in what diff prints.
func (e Effect) String() string { return [...]string{"gain", "loss", "change"}[e] }

// What is what of a grant changes. Changes are told in this order.
type What uint8

const (
	whatPassthrough What = iota // whether corsproc answers at all
	whatOrigin                  // who may read answers
	whatCredentials
	whatMethods
	whatHeaders
	whatExposed
	whatExposeUpstream
	whatPrivateNetwork
	whatMaxAge
	whatPreflightStatus
	whatReject
	whatUnmatched
	whatTiming
	whatFixedOrigin // whether every answer names one origin, whoever asks
)

// String returns what changes, as it stands in what diff prints.
func (c What) String() string {
	return [...]string{
		"passthrough", "origin", "credentials", "methods", "headers", "exposed_headers", "expose_upstream", "private_network", "max_age",
		"preflight_status", "reject", "unmatched_preflights", "timing", "fixed_origin",
	}[c]
}

// Difference is what changes at some places where the same does.
type Difference struct {
	Places  []Place
	Changes []*Change
}

// Place is a place where something changes.
type Place struct {
	VirtualHost string
	Only        []string // which requests of the virtual host; empty: all of them
	Route       string   // empty: the virtual host itself
	Text        string   // all of that in words
}

// Change is one thing that changes.
type Change struct {
	Effect   Effect
	What     What
	Origins  []string // for whom, as patterns
	Except   []string // and for whom of those not
	Values   []string // which methods, headers or origins
	Old, New string   // of what is one value; of lists where all take the place of some, or some of all
	Grant    *Grant   // what is granted to the origins that may read now, or was to those that may no longer
	Text     string   // all of that in words
}

// Grant is what a policy grants to an origin, without what makes no difference to a browser.
type Grant struct {
	Methods, Headers, Exposed []string
	Credentials               bool
	ExposeUpstream            bool // what the upstream exposes, too
	MaxAge                    int  // seconds
}
