package policyfile

import (
	"github.com/corsproc/corsproc/policy/finding"
)

// lintEntries explain warnings and hints. None of their fixes is safe: the file loads without them, and with them it
// would decide something else.
var lintEntries = []Entry{
	{
		Code: finding.CodeNullOrigin, Severity: finding.Warning,
		Explanation: "Any page can have the origin null, in a sandboxed frame, so this allows every site that tries. Local files have it too, which is why it is asked for; serve them over http instead.",
		Bad:         "policies: {shop: {allow_origins: [\"null\"]}}\n",
		Good:        "policies: {shop: {allow_origins: [\"http://localhost:3000\"]}}\n",
	},
	{
		Code: finding.CodeEveryExtension, Severity: finding.Warning,
		Explanation: "Every browser extension that the user has, whoever published it, could act with the user's cookies and read the answers. List the extensions; who must have it writes dangerously_allow: [ANY_ORIGIN_WITH_CREDENTIALS].",
		Bad:         "policies: {shop: {allow_origins: [\"chrome-extension://*\"], allow_credentials: true}}\ndefault: {policies: [shop]}\n",
		Good:        "policies: {shop: {allow_origins: [\"chrome-extension://abcdefghijklmnopabcdefghijklmnop\"], allow_credentials: true}}\ndefault: {policies: [shop]}\n",
	},
	{
		Code: finding.CodeMethodNeverSent, Severity: finding.Warning,
		Explanation: "Browsers let no script use CONNECT, TRACE or TRACK, so the entry has no effect.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], allow_methods: [PUT, TRACE]}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], allow_methods: [PUT]}}\n",
	},
	{
		Code: finding.CodeStarInName, Severity: finding.Warning,
		Explanation: "A star in the name of a method or a header stands for nothing: X-* is one header that is called so, and no page sends it. All names are \"*\" alone.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], allow_headers: [X-Shop-*]}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], allow_headers: [X-Shop-Id, X-Shop-Cart]}}\n",
	},
	{
		Code: finding.CodeMethodCase, Severity: finding.Warning,
		Explanation: "Methods are compared with their case. Browsers write put as PUT whatever a script says, but leave patch as it is, which servers then do not know.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], allow_methods: [patch]}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], allow_methods: [PATCH]}}\n",
	},
	{
		Code: finding.CodeRequestHeader, Severity: finding.Warning,
		Explanation: "Only the browser itself sets this request header, so no page ever asks for it. Cookies are allowed by allow_credentials.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], allow_headers: [Cookie]}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], allow_credentials: true}}\n",
	},
	{
		Code: finding.CodeResponseHeader, Severity: finding.Warning,
		Explanation: "Browsers show Set-Cookie to no script, whatever is exposed.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], expose_headers: [Set-Cookie]}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], expose_headers: [X-Request-Id]}}\n",
	},
	{
		Code: finding.CodeCORSHeader, Severity: finding.Warning,
		Explanation: "The headers of the CORS protocol itself are no headers that a page sends or reads. List those of the page, such as Content-Type.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], allow_headers: [Access-Control-Allow-Origin]}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], allow_headers: [Content-Type]}}\n",
	},
	{
		Code: finding.CodeRegexDot, Severity: finding.Warning,
		Explanation: "In a regular expression a dot stands for any character, so somebody else's host with a letter in its place is accepted too.",
		Bad:         "policies: {shop: {allow_origin_regexes: ['https://shop\\.example.com']}}\n",
		Good:        "policies: {shop: {allow_origin_regexes: ['https://shop\\.example\\.com']}}\n",
	},
	{
		Code: finding.CodeRegexNeighbour, Severity: finding.Warning,
		Explanation: "The expression accepts a host that anybody could own, beside those it is made for: something may run into the host's name, or follow it.",
		Bad:         "policies: {shop: {allow_origin_regexes: ['https://.*example\\.com']}}\n",
		Good:        "policies: {shop: {allow_origin_regexes: ['https://(.*\\.)?example\\.com']}}\n",
	},
	{
		Code: finding.CodePatternNeighbour, Severity: finding.Warning,
		Explanation: "The star stands for a part of a name that anybody can register: https://*example.com covers https://evilexample.com. If the subdomains of a domain are meant, put a dot behind the star.",
		Bad:         "policies: {shop: {allow_origins: [\"https://*example.com\"]}}\n",
		Good:        "policies: {shop: {allow_origins: [\"https://*.example.com\", https://example.com]}}\n",
	},
	{
		Code: finding.CodeRegexNoMatch, Severity: finding.Warning,
		Explanation: "The expression accepts no origin that a browser sends. It is held against all of an origin, scheme and port included, not against a part of it.",
		Bad:         "policies: {shop: {allow_origin_regexes: ['[a-z]+\\.example\\.com']}}\n",
		Good:        "policies: {shop: {allow_origin_regexes: ['https://[a-z]+\\.example\\.com']}}\n",
	},
	{
		Code: finding.CodeUnusedPolicy, Severity: finding.Warning,
		Explanation: "No virtual host, route or default names this policy. It has an effect only where Envoy's metadata names it; a set without any place is taken to be for that.",
		Bad: `policies:
  shop: {allow_origins: [https://shop.example.com]}
  partners: {allow_origins: [https://partner.example]}
default: {policies: [shop]}
`,
		Good: `policies:
  shop: {allow_origins: [https://shop.example.com]}
  partners: {allow_origins: [https://partner.example]}
default: {policies: [shop, partners]}
`,
	},
	{
		Code: finding.CodeUnusedOriginSet, Severity: finding.Warning,
		Explanation: "No policy refers to this origin set.",
		Bad: `policies: {shop: {allow_origins: [https://shop.example.com]}}
origin_sets: {partners: [https://partner.example]}
`,
		Good: `policies: {shop: {allow_origins: [https://shop.example.com, "@partners"]}}
origin_sets: {partners: [https://partner.example]}
`,
	},
	{
		Code: finding.CodeUnreachableHost, Severity: finding.Warning,
		Explanation: "A longer name pattern matches every name that this one matches, and the longer one wins: no request belongs here.",
		Bad: `virtual_hosts:
  - {name: "shop*", policies: [none]}
  - {name: "*shop*", policies: [passthrough]}
`,
		Good: `virtual_hosts:
  - {name: "shop/*", policies: [none]}
  - {name: "*", policies: [passthrough]}
`,
	},
	{
		Code: finding.CodeUnreachableRoute, Severity: finding.Warning,
		Explanation: "The first route that matches is the place, and an earlier one takes all that this one could get; or no path can be like this; or servers can read such a path in two ways (/a;b, /caf%c3%a9/), the other of which leads to a place with other policies, so that nothing is ever granted.",
		Bad: `virtual_hosts:
  - name: api
    routes:
      - {prefix: /, policies: [none]}
      - {prefix: /public/, policies: [passthrough]}
`,
		Good: `virtual_hosts:
  - name: api
    routes:
      - {prefix: /public/, policies: [passthrough]}
      - {prefix: /, policies: [none]}
`,
	},
	{
		Code: finding.CodePathTemplate, Severity: finding.Warning,
		Explanation: "The path looks like the template of a router, and is compared as it stands: nothing in it stands for something else. A regex says what varies.",
		Bad:         "virtual_hosts: [{name: api, routes: [{path: \"/users/:id\", policies: [none]}]}]\n",
		Good:        "virtual_hosts: [{name: api, routes: [{regex: \"/users/[^/]+\", policies: [none]}]}]\n",
	},
	{
		Code: finding.CodePathStar, Severity: finding.Warning,
		Explanation: "Only names and domains have stars that stand for something. In path, prefix and path_separated_prefix a star is a star, and in a regex it repeats what stands before it.",
		Bad: `virtual_hosts:
  - name: api
    policies: [none]
    routes:
      - {prefix: /public/*, policies: [passthrough]}
`,
		Good: `virtual_hosts:
  - name: api
    policies: [none]
    routes:
      - {prefix: /public/, policies: [passthrough]}
`,
	},
	{
		Code: finding.CodeOriginCovered, Severity: finding.Warning,
		Explanation: "Another pattern of the same list matches every origin that this one matches, so one of them is not what was meant, or is not needed.",
		Bad:         "policies: {shop: {allow_origins: [\"https://*.example.com\", https://shop.example.com]}}\n",
		Good:        "policies: {shop: {allow_origins: [\"https://*.example.com\", https://example.com]}}\n",
	},
	{
		Code: finding.CodeDenyOutsideAllow, Severity: finding.Warning,
		Explanation: "An exception to what nobody allows: neither this policy nor one that is tried after it allows the origin.",
		Bad: `policies:
  shop:
    allow_origins: ["https://*.example.com"]
    deny_origins: [https://legacy.example.org]
`,
		Good: `policies:
  shop:
    allow_origins: ["https://*.example.com"]
    deny_origins: [https://legacy.example.com]
`,
	},
	{
		Code: finding.CodeTimingNoEffect, Severity: finding.Warning,
		Explanation: "On a passthrough place no response is changed, so Timing-Allow-Origin is not set either.",
		Bad:         "default: {policies: [passthrough], timing_allow_origins: [\"*\"]}\n",
		Good:        "default: {policies: [none], timing_allow_origins: [\"*\"]}\n",
	},
	{
		Code: finding.CodeFixedNoEffect, Severity: finding.Warning,
		Explanation: "A policy with fixed_origin gives every answer the same headers, so that a cache needs no Vary. That is not possible where other policies answer too, or where requests are rejected: answers of this place depend on who asks, and have Vary as everywhere. A cache that ignores it mixes them up.",
		Bad: `policies:
  shop: {allow_origins: [https://shop.example.com], fixed_origin: true}
default: {policies: [shop], reject: WEBSOCKETS}
`,
		Good: `policies:
  shop: {allow_origins: [https://shop.example.com], fixed_origin: true}
default: {policies: [shop]}
`,
	},
	{
		Code: finding.CodeMaxAgeCapped, Severity: finding.Hint,
		Explanation: "Browsers keep a preflight no longer than their own limit: Chromium 2 hours, Firefox 24 hours, Safari 10 minutes. There is a hint from more than 2 hours on.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], max_age: 720h}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], max_age: 2h}}\n",
	},
	{
		Code: finding.CodeUnreachablePolicy, Severity: finding.Hint,
		Explanation: "The first policy of a list that matches the origin ends the search, so what stands behind one that allows everybody, or stands there twice, is never tried.",
		Bad: `policies:
  public: {allow_origins: ["*"]}
  shop: {allow_origins: [https://shop.example.com], allow_credentials: true}
default: {policies: [public, shop]}
`,
		Good: `policies:
  public: {allow_origins: ["*"]}
  shop: {allow_origins: [https://shop.example.com], allow_credentials: true}
default: {policies: [shop, public]}
`,
	},
	{
		Code: finding.CodePostAlwaysAllowed, Severity: finding.Hint,
		Explanation: "A list with GET and without POST looks as if it kept POST out. It cannot: the Fetch standard lets every page use GET, HEAD and POST. reject: UNSAFE_METHODS stops requests of pages that are not allowed.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], allow_methods: [GET, PUT]}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], allow_methods: [PUT]}}\n",
	},
	{
		Code: finding.CodeSafelistedHeader, Severity: finding.Hint,
		Explanation: "Every page may send or read this header anyway. (Content-Type as a request header is worth its entry: only three types are free, and JSON is none of them.)",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], allow_headers: [Accept], expose_headers: [Content-Type]}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], allow_headers: [Content-Type], expose_headers: [ETag]}}\n",
	},
	{
		Code: finding.CodeExposeNoEffect, Severity: finding.Hint,
		Explanation: "With \"*\" in expose_headers scripts may read every header of the response, also those that the upstream names: expose_upstream adds nothing.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], expose_headers: [\"*\"], expose_upstream: true}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], expose_headers: [X-Request-Id], expose_upstream: true}}\n",
	},
	{
		Code: finding.CodeClientHeaders, Severity: finding.Hint,
		Explanation: "A list has some of the headers that clients of gRPC-Web or Connect send or read in browsers, and not all of them: some calls work, and those with a deadline or an error do not. \"@grpc-web\" and \"@connect\" stand for all of them.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], allow_headers: [Content-Type, X-Grpc-Web]}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], allow_headers: [\"@grpc-web\"], expose_headers: [\"@grpc-web\"]}}\n",
	},
	{
		Code: finding.CodeManyExactOrigins, Severity: finding.Hint,
		Explanation: "Ten or more origins of a list are subdomains of one domain. If whoever has a name there may be trusted, one wildcard is easier to keep right.",
		Bad: `policies:
  shop:
    allow_origins:
      - https://at.example.com
      - https://be.example.com
      - https://ch.example.com
      - https://cz.example.com
      - https://de.example.com
      - https://es.example.com
      - https://fr.example.com
      - https://it.example.com
      - https://nl.example.com
      - https://pl.example.com
`,
		Good: `policies:
  shop:
    allow_origins:
      - https://*.example.com
`,
	},
}
