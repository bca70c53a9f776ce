package policytest

//go:generate go test -run ^TestCataloguePage$ -update .

import (
	"github.com/corsproc/corsproc/policy/finding"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// Catalogue explains the codes of this package, as policyfile.Catalogue does all others. The examples are test files, and
// the policies that they name are such as the good examples want them.
var Catalogue = []policyfile.Entry{
	{
		Code: CodeMissingField, Severity: finding.Error,
		Explanation: "A field is missing without which the test says nothing: `policies` and `tests` of a file; `name`, `fetch` and `expect` of a test; `origin` and `url` of a fetch.",
		Bad: `policies: policies.yaml
tests:
  - name: the shop may read
    fetch: {origin: https://shop.example.com, url: https://api.example.com/}
`,
		Good: good,
	},
	{
		Code: CodeNoTests, Severity: finding.Error,
		Explanation: "The file has no test. A file without tests would pass whatever the policies say.",
		Bad:         "policies: policies.yaml\ntests: []\n",
		Good:        good,
	},
	{
		Code: CodeTooManyTests, Severity: finding.Error,
		Explanation: "The file has more than 20,000 tests. Split it into several files.",
	},
	{
		Code: CodeDuplicateTest, Severity: finding.Error,
		Explanation: "Another test of the file has the same name: nobody could tell which of the two failed.",
		Bad: `policies: policies.yaml
tests:
  - name: the shop may read
    fetch: {origin: https://shop.example.com, url: https://api.example.com/}
    expect: ALLOWED
  - name: the shop may read
    fetch: {origin: https://shop.example.com, url: https://api.example.com/orders}
    expect: ALLOWED
`,
		Good: `policies: policies.yaml
tests:
  - name: the shop may read
    fetch: {origin: https://shop.example.com, url: https://api.example.com/}
    expect: ALLOWED
  - name: the shop may read orders
    fetch: {origin: https://shop.example.com, url: https://api.example.com/orders}
    expect: ALLOWED
`,
	},
	{
		Code: CodePageOrigin, Severity: finding.Error,
		Explanation: "No browser sends this origin. An origin is scheme, host and, unless it is the default, port: in lower case, without a path; or `\"null\"`.",
		Bad: `policies: policies.yaml
tests:
  - name: the shop may read
    fetch: {origin: https://Shop.example.com/, url: https://api.example.com/}
    expect: ALLOWED
`,
		Good: good,
	},
	{
		Code: CodeFetchURL, Severity: finding.Error,
		Explanation: "No script can fetch this URL: it is not absolute, not http or https (for a WebSocket also ws or wss), or has a host or port that cannot be.",
		Bad: `policies: policies.yaml
tests:
  - name: the shop may read
    fetch: {origin: https://shop.example.com, url: /orders}
    expect: ALLOWED
`,
		Good: good,
	},
	{
		Code: CodeFetchMethod, Severity: finding.Error,
		Explanation: "No script can send this method: it is no token, or one of CONNECT, TRACE and TRACK, for which fetch throws.",
		Bad: `policies: policies.yaml
tests:
  - name: the shop may trace
    fetch: {origin: https://shop.example.com, url: https://api.example.com/, method: TRACE}
    expect: REFUSED
`,
		Good: good,
	},
	{
		Code: CodeFetchHeader, Severity: finding.Error,
		Explanation: "No script can set this header, or not to this value. Only the browser sets Cookie, Host, Origin, and those that begin with Sec- and Proxy-; cookies go along with `credentials: include`.",
		Bad: `policies: policies.yaml
tests:
  - name: the shop may read with its cookie
    fetch: {origin: https://shop.example.com, url: https://api.example.com/, headers: {Cookie: a=b}}
    expect: ALLOWED
`,
		Good: `policies: policies.yaml
tests:
  - name: the shop may read with its cookie
    fetch: {origin: https://shop.example.com, url: https://api.example.com/, credentials: include}
    expect: ALLOWED
`,
	},
	{
		Code: CodeWebSocketFetch, Severity: finding.Error,
		Explanation: "A WebSocket is opened with GET, and scripts can set no header of it.",
		Bad: `policies: policies.yaml
tests:
  - name: the shop may listen
    fetch: {origin: https://shop.example.com, url: wss://api.example.com/, websocket: true, method: POST}
    expect: ALLOWED
`,
		Good: `policies: policies.yaml
tests:
  - name: the shop may listen
    fetch: {origin: https://shop.example.com, url: wss://api.example.com/, websocket: true}
    expect: ALLOWED
`,
	},
	{
		Code: CodePoliciesUnreadable, Severity: finding.Error,
		Explanation: "The policies that the file names are not there, or cannot be read. They are looked for from the folder of the test file; those of a test file on standard input from the folder where the program runs.",
		Bad: `policies: polices.yaml
tests:
  - name: the shop may read
    fetch: {origin: https://shop.example.com, url: https://api.example.com/}
    expect: ALLOWED
`,
		Good: good,
	},
	{
		Code: CodePolicyFile, Severity: finding.Error,
		Explanation: "The file is a policy file, not a policy test file: `corsproc check` reads it. A test file names it in `policies`.",
		Bad: `policies:
  shop:
    allow_origins: [https://shop.example.com]
default: {policies: [shop]}
`,
		Good: good,
	},
}

// good is a test file without faults.
const good = `policies: policies.yaml
tests:
  - name: the shop may read
    fetch: {origin: https://shop.example.com, url: https://api.example.com/}
    expect: ALLOWED
`
