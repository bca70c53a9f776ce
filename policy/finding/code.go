package finding

// Code is the stable name of a kind of finding. Scripts rely on codes: they are never renamed.
type Code string

// The codes of the errors that the engine finds. The reading of files has codes of its own (package policyfile, whose
// catalogue explains every code with an example).
const (
	CodeInvalidName        Code = "invalid-name"         // a name that is not 1 to 200 of A-Z a-z 0-9 . _ -
	CodeReservedName       Code = "reserved-name"        // a policy called none or passthrough
	CodeDuplicateName      Code = "duplicate-name"       // a policy, set or virtual host name that stands twice
	CodeDuplicateDomain    Code = "duplicate-domain"     // a domain that stands twice
	CodeDuplicateDefault   Code = "duplicate-default"    // default in two files
	CodeUnknownPolicy      Code = "unknown-policy"       // a reference to a policy that does not exist
	CodeUnknownOriginSet   Code = "unknown-origin-set"   // a reference to an origin set that does not exist
	CodeNestedOriginSet    Code = "nested-origin-set"    // an origin set that refers to a set
	CodeBuiltinNotAlone    Code = "builtin-not-alone"    // none or passthrough beside another name
	CodeEmptyList          Code = "empty-list"           // a list that must name something and does not
	CodeOriginFile         Code = "origin-file"          // a file of origins that cannot be read, or must not be
	CodeOriginFileEntry    Code = "origin-file-entry"    // what a file of origins must not hold
	CodeOriginNotCanonical Code = "origin-not-canonical" // a pattern that no browser's spelling can match; there is a fix, or a guess
	CodeOriginMalformed    Code = "origin-malformed"     // a pattern that can match nothing
	CodeMethodMalformed    Code = "method-malformed"     // a method that is no token
	CodeHeaderMalformed    Code = "header-malformed"     // a field name that is no token
	CodeUnknownClient      Code = "unknown-client"       // a name that begins with @, in a list of header names, and is none that is known
	CodeRegexMalformed     Code = "regex-malformed"      // an expression that RE2 does not accept
	CodeDurationMalformed  Code = "duration-malformed"   // a max_age that is no duration of whole seconds
	CodePreflightStatus    Code = "preflight-status"     // neither 200 nor 204
	CodeEnumUnspecified    Code = "enum-unspecified"     // an enum value that does not exist (only from a program: files cannot write one)
	CodeAnyOriginCreds     Code = "any-origin-with-credentials"
	CodeInsecureCreds      Code = "insecure-origin-with-credentials"
	CodePublicSuffix       Code = "public-suffix-wildcard"
	CodeRegexUnjudged      Code = "regex-unjudged" // an expression with credentials that is too large to tell what it accepts
	CodeExposeAnyCreds     Code = "expose-any-with-credentials"
	CodeDomainMalformed    Code = "domain-malformed"    // a domain that can never match
	CodeNoNameNoDomain     Code = "no-name-no-domain"   // a virtual host that says neither
	CodeRouteMatch         Code = "route-match"         // not exactly one of the fields that say what a route covers
	CodePathMalformed      Code = "path-malformed"      // a path that can never match
	CodeTooManyFindings    Code = "too-many-findings"   // more than anybody reads
	CodeTimingMalformed    Code = "timing-allow-origin" // a timing_allow_origins entry that is neither an exact origin nor "*" alone
	CodeFixedOrigin        Code = "fixed-origin"        // fixed_origin beside anything but one exact origin
)

// The codes of the warnings and hints that the engine finds.
const (
	CodeNullOrigin        Code = "null-origin" // "null" is allowed
	CodeEveryExtension    Code = "every-extension-with-credentials"
	CodeMethodNeverSent   Code = "method-never-sent"        // a method that no script can use
	CodeStarInName        Code = "star-in-name"             // a star beside other characters in a method or a header name
	CodeMethodCase        Code = "method-case"              // a method that differs from a standard one only by case
	CodeRequestHeader     Code = "request-header-forbidden" // a request header that no script can set
	CodeResponseHeader    Code = "response-header-forbidden"
	CodeCORSHeader        Code = "cors-header-listed" // a header of the CORS protocol itself, listed as one of the page's
	CodeRegexDot          Code = "regex-unescaped-dot"
	CodeRegexNeighbour    Code = "regex-neighbour-host"   // an expression that accepts a host of somebody else
	CodePatternNeighbour  Code = "pattern-neighbour-host" // a pattern that covers hosts of somebody else
	CodeRegexNoMatch      Code = "regex-without-match"    // an expression that accepts no origin
	CodeUnusedPolicy      Code = "unused-policy"
	CodeUnusedOriginSet   Code = "unused-origin-set"
	CodeUnreachablePolicy Code = "unreachable-policy" // a policy behind one that answers everybody, or listed twice
	CodeUnreachableHost   Code = "unreachable-virtual-host"
	CodeUnreachableRoute  Code = "unreachable-route"
	CodePathTemplate      Code = "path-template"                  // a path like /users/:id, in which nothing stands for something else
	CodePathStar          Code = "path-star"                      // a star in a path that stands for itself
	CodeOriginCovered     Code = "origin-covered"                 // a pattern that another one of the same list covers
	CodeDenyOutsideAllow  Code = "deny-outside-allow"             // a deny that takes nothing from any allow
	CodeTimingNoEffect    Code = "timing-without-effect"          // timing_allow_origins where nothing is changed
	CodeFixedNoEffect     Code = "fixed-origin-without-effect"    // fixed_origin where answers still depend on who asks
	CodeMaxAgeCapped      Code = "max-age-capped"                 // more than browsers honour
	CodePostAlwaysAllowed Code = "post-always-allowed"            // a list of methods that seems to keep POST out
	CodeSafelistedHeader  Code = "safelisted-header"              // a header that needs no entry
	CodeClientHeaders     Code = "client-headers-missing"         // some of the headers of a kind of client, and not all that it needs
	CodeExposeNoEffect    Code = "expose-upstream-without-effect" // expose_upstream beside "*", which exposes everything
	CodeManyExactOrigins  Code = "many-exact-origins"             // exact origins that one wildcard would cover
)
