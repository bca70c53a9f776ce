package policyfile

import (
	"github.com/corsproc/corsproc/policy/finding"
)

// errorEntries explain the errors that the engine finds.
var errorEntries = []Entry{
	{
		Code: finding.CodeTooManyFindings, Severity: finding.Error,
		Explanation: "There are more findings in the file than anybody reads. What follows is shown when the first ones are corrected.",
	},
	{
		Code: finding.CodeUnknownClient, Severity: finding.Error, SafeFix: true,
		Explanation: "In allow_headers and expose_headers a name that begins with @ stands for the headers of a kind of client in browsers: @connect and @grpc-web. Sets of names of your own there are not.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], allow_headers: [\"@grpcweb\"]}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], allow_headers: [\"@grpc-web\"], expose_headers: [\"@grpc-web\"]}}\n",
	},
	{
		Code: finding.CodeFixedOrigin, Severity: finding.Error,
		Explanation: "With fixed_origin one exact origin is written into every answer, whoever asks. There is nothing to choose from: no second origin, wildcard, null, origin set, expression or deny.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com, https://www.example.com], fixed_origin: true}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], fixed_origin: true}}\n",
	},
	{
		Code: finding.CodeInvalidName, Severity: finding.Error,
		Explanation: "The name of a policy or an origin set is not 1 to 200 of A-Z a-z 0-9 . _ -",
		Bad:         "policies: {our shop: {allow_origins: [https://shop.example.com]}}\n",
		Good:        "policies: {our-shop: {allow_origins: [https://shop.example.com]}}\n",
	},
	{
		Code: finding.CodeReservedName, Severity: finding.Error,
		Explanation: "The policies none (nobody) and passthrough (hands off) are built in and cannot be defined.",
		Bad:         "policies: {none: {allow_origins: [https://shop.example.com]}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com]}}\n",
	},
	{
		Code: finding.CodeDuplicateName, Severity: finding.Error,
		Explanation: "Two policies, origin sets or virtual hosts of the whole set have the same name, so nobody could tell which one holds.",
		Bad: `virtual_hosts:
  - {name: api, policies: [none]}
  - {name: api, policies: [passthrough]}
`,
		Good: `virtual_hosts:
  - {name: api, policies: [none]}
  - {name: files, policies: [passthrough]}
`,
	},
	{
		Code: finding.CodeDuplicateDomain, Severity: finding.Error,
		Explanation: "A domain stands twice in the whole set. Envoy does not allow that either.",
		Bad: `virtual_hosts:
  - {domains: [api.example.com], policies: [none]}
  - {domains: [API.example.com], policies: [passthrough]}
`,
		Good: `virtual_hosts:
  - {domains: [api.example.com], policies: [none]}
  - {domains: [files.example.com], policies: [passthrough]}
`,
	},
	{
		Code: finding.CodeDuplicateDefault, Severity: finding.Error,
		Explanation: "Two files of a directory have a default, and there is one for all.",
		Bad: `default: {policies: [none]}
# other.yaml
default: {policies: [passthrough]}
`,
		Good: `default: {policies: [none]}
# other.yaml
{}
`,
	},
	{
		Code: finding.CodeUnknownPolicy, Severity: finding.Error,
		Explanation: "A place names a policy that does not exist in any file of the set.",
		Bad: `policies: {storefront: {allow_origins: [https://shop.example.com]}}
default: {policies: [storefrnt]}
`,
		Good: `policies: {storefront: {allow_origins: [https://shop.example.com]}}
default: {policies: [storefront]}
`,
	},
	{
		Code: finding.CodeUnknownOriginSet, Severity: finding.Error,
		Explanation: "A policy refers to an origin set that does not exist in any file of the set.",
		Bad: `policies: {partners: {allow_origins: ["@partner"]}}
origin_sets: {partners: [https://partner.example]}
`,
		Good: `policies: {partners: {allow_origins: ["@partners"]}}
origin_sets: {partners: [https://partner.example]}
`,
	},
	{
		Code: finding.CodeNestedOriginSet, Severity: finding.Error,
		Explanation: "An origin set refers to another one. Name both in the policy instead.",
		Bad: `policies: {p: {allow_origins: ["@all"]}}
origin_sets: {all: ["@partners"], partners: [https://partner.example]}
`,
		Good: `policies: {p: {allow_origins: ["@all", "@partners"]}}
origin_sets: {all: [https://all.example], partners: [https://partner.example]}
`,
	},
	{
		Code: finding.CodeBuiltinNotAlone, Severity: finding.Error,
		Explanation: "The built-in policies none and passthrough stand alone in a list: nothing can be tried before or after them.",
		Bad: `policies: {shop: {allow_origins: [https://shop.example.com]}}
default: {policies: [shop, none]}
`,
		Good: `policies: {shop: {allow_origins: [https://shop.example.com]}}
default: {policies: [shop]}
`,
	},
	{
		Code: finding.CodeEmptyList, Severity: finding.Error,
		Explanation: "An empty list of policies could mean nobody or nothing changed. Write [none] for the first, [passthrough] for the second, or leave it out to take over what holds around it.",
		Bad:         "default: {policies: []}\n",
		Good:        "default: {policies: [none]}\n",
	},
	{
		Code: finding.CodeOriginFile, Severity: finding.Error,
		Explanation: "A file that origin_files names cannot be read, or must not be. It is a text file below the directory of the policy file, by a path relative to that, and no link in its path leads out of the directory.",
		Bad:         "policies: {shop: {allow_origins: [\"@tenants\"]}}\norigin_files: {tenants: /etc/tenants.txt}\n",
		Good:        "policies: {shop: {allow_origins: [\"@tenants\"]}}\norigin_sets: {tenants: [https://tenant.example]}\n",
	},
	{
		Code: finding.CodeOriginFileEntry, Severity: finding.Error,
		Explanation: "A file of origins holds a pattern of origins a line, and never \"*\", \"null\" or \"@name\": a program that writes it cannot open a policy to everybody by one line. Who means them writes them into the policy.",
	},
	{
		Code: finding.CodeOriginNotCanonical, Severity: finding.Error, SafeFix: true,
		Explanation: "No browser spells an origin like this, so the pattern would never match: an origin is lower-case and has no path, no final slash and no default port.",
		Bad:         "policies: {shop: {allow_origins: [\"https://Shop.example.com:443/\"]}}\n",
		Good:        "policies: {shop: {allow_origins: [\"https://shop.example.com\"]}}\n",
	},
	{
		Code: finding.CodeOriginMalformed, Severity: finding.Error,
		Explanation: "The pattern can match no origin that a browser sends. A star stands for the first labels of a host (https://*.example.com), for a part of the first label (https://shop-*.example.com, one star in a pattern), for the whole host or for the port. What is too long for any host, and a label that cannot be decoded, match nothing either.",
		Bad:         "policies: {shop: {allow_origins: [\"https://eu.shop-*.example.com\"]}}\n",
		Good:        "policies: {shop: {allow_origins: [\"https://shop-*.example.com\"]}}\n",
	},
	{
		Code: finding.CodeMethodMalformed, Severity: finding.Error, SafeFix: true,
		Explanation: "A method is one word. Several methods are several entries of the list.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], allow_methods: [\"PUT:\"]}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], allow_methods: [PUT]}}\n",
	},
	{
		Code: finding.CodeHeaderMalformed, Severity: finding.Error, SafeFix: true,
		Explanation: "The name of a header has neither blanks nor a colon.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], allow_headers: [\"X-Token:\"]}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], allow_headers: [X-Token]}}\n",
	},
	{
		Code: finding.CodeRegexMalformed, Severity: finding.Error,
		Explanation: "RE2, whose time is linear, does not accept the regular expression. It has no look-around and no references back.",
		Bad:         "policies: {shop: {allow_origin_regexes: ['https://(?!evil)[a-z]+\\.example\\.com']}}\n",
		Good:        "policies: {shop: {allow_origin_regexes: ['https://[a-z]+\\.example\\.com']}}\n",
	},
	{
		Code: finding.CodeDurationMalformed, Severity: finding.Error, SafeFix: true,
		Explanation: "How long a browser may keep a preflight is a duration with a unit, in whole seconds: 90s, 10m, 2h, 1h30m.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], max_age: 7200}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], max_age: 7200s}}\n",
	},
	{
		Code: finding.CodePreflightStatus, Severity: finding.Error,
		Explanation: "A preflight is answered with 204, or with 200 for clients that mistake 204 for an error.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], preflight_status: 201}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], preflight_status: 200}}\n",
	},
	{
		Code: finding.CodeEnumUnspecified, Severity: finding.Error,
		Explanation: "A program that builds a policy set itself gave a number that the field does not know. No policy file can say this.",
	},
	{
		Code: finding.CodeAnyOriginCreds, Severity: finding.Error,
		Explanation: "Every site on the web could act with the user's cookies and read the answers. List the origins; who must have it writes dangerously_allow: [ANY_ORIGIN_WITH_CREDENTIALS].",
		Bad:         "policies: {shop: {allow_origins: [\"*\"], allow_credentials: true}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], allow_credentials: true}}\n",
	},
	{
		Code: finding.CodeInsecureCreds, Severity: finding.Error,
		Explanation: "Over http anybody on the way can pretend to be this origin, and would read answers made for the user's cookies. Local addresses are excepted. An expression may not accept such an origin either, and the finding names one; that deny_origins denies it does not count. Who must have it writes dangerously_allow: [INSECURE_ORIGINS_WITH_CREDENTIALS].",
		Bad:         "policies: {shop: {allow_origins: [http://shop.example.com], allow_credentials: true}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], allow_credentials: true}}\n",
	},
	{
		Code: finding.CodePublicSuffix, Severity: finding.Error,
		Explanation: "Everybody can get a name under this domain (it is on the public suffix list), so everybody could act with the user's cookies, also where a part of the name is written (https://our-app-*.vercel.app). An expression may not accept whatever name is straight under such a domain either, also where only a part of the name may be anything: more than 10,000 names, and more than it has characters to list them. Who must have it writes dangerously_allow: [PUBLIC_SUFFIX_WILDCARDS].",
		Bad:         "policies: {pages: {allow_origins: [\"https://*.github.io\"], allow_credentials: true}}\n",
		Good:        "policies: {pages: {allow_origins: [\"https://our-team.github.io\"], allow_credentials: true}}\n",
	},
	{
		Code: finding.CodeRegexUnjudged, Severity: finding.Error,
		Explanation: "With credentials an expression may accept no http origin, and not whatever name is under a public suffix. This one, or all of a file together, is so large that it would take too long to tell. Write it with + or * in place of counts, or as several expressions; dangerously_allow with INSECURE_ORIGINS_WITH_CREDENTIALS and PUBLIC_SUFFIX_WILDCARDS takes the question away.",
		Bad:         "policies: {shop: {allow_origin_regexes: ['https://(a?b?c?){1000}\\.example\\.com'], allow_credentials: true}}\n",
		Good:        "policies: {shop: {allow_origin_regexes: ['https://[abc]*\\.example\\.com'], allow_credentials: true}}\n",
	},
	{
		Code: finding.CodeExposeAnyCreds, Severity: finding.Error,
		Explanation: "With credentials browsers take \"*\" for the name of a header, so nothing would be exposed. List the names.",
		Bad:         "policies: {shop: {allow_origins: [https://shop.example.com], allow_credentials: true, expose_headers: [\"*\"]}}\n",
		Good:        "policies: {shop: {allow_origins: [https://shop.example.com], allow_credentials: true, expose_headers: [X-Request-Id]}}\n",
	},
	{
		Code: finding.CodeDomainMalformed, Severity: finding.Error, SafeFix: true,
		Explanation: "No request's host matches this. A domain has no scheme and no path, and one star at most, at its beginning or its end.",
		Bad:         "virtual_hosts: [{domains: [\"https://api.example.com/\"], policies: [none]}]\n",
		Good:        "virtual_hosts: [{domains: [api.example.com], policies: [none]}]\n",
	},
	{
		Code: finding.CodeNoNameNoDomain, Severity: finding.Error,
		Explanation: "A virtual host has neither a name nor domains, so no request belongs to it.",
		Bad:         "virtual_hosts: [{policies: [none]}]\n",
		Good:        "virtual_hosts: [{name: api, policies: [none]}]\n",
	},
	{
		Code: finding.CodeRouteMatch, Severity: finding.Error,
		Explanation: "A route says what it covers with exactly one of route_name, path, prefix, path_separated_prefix and regex.",
		Bad:         "virtual_hosts: [{name: api, routes: [{path: /a, prefix: /b, policies: [none]}]}]\n",
		Good:        "virtual_hosts: [{name: api, routes: [{path: /a, policies: [none]}, {prefix: /b, policies: [none]}]}]\n",
	},
	{
		Code: finding.CodePathMalformed, Severity: finding.Error,
		Explanation: "No request's path matches this: a path begins with a slash and is compared without query and fragment.",
		Bad:         "virtual_hosts: [{name: api, routes: [{path_separated_prefix: /public/, policies: [none]}]}]\n",
		Good:        "virtual_hosts: [{name: api, routes: [{path_separated_prefix: /public, policies: [none]}]}]\n",
	},
	{
		Code: finding.CodeTimingMalformed, Severity: finding.Error,
		Explanation: "Timing-Allow-Origin holds exact origins, or \"*\" alone; it knows no wildcards.",
		Bad:         "default: {policies: [none], timing_allow_origins: [\"https://*.example.com\"]}\n",
		Good:        "default: {policies: [none], timing_allow_origins: [\"https://shop.example.com\"]}\n",
	},
}
