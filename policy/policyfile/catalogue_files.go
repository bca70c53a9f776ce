package policyfile

import (
	"github.com/corsproc/corsproc/policy/finding"
)

// fileEntries explain what the reading of files finds.
var fileEntries = []Entry{
	{
		Code: CodeSyntax, Severity: finding.Error, SafeFix: true,
		Explanation: "The file is not valid YAML (a .json file: not valid JSON), or not UTF-8 text.",
		Bad: `policies:
  shop:
    allow_origins: [@partners]
origin_sets:
  partners: [https://partner.example]
`,
		Good: `policies:
  shop:
    allow_origins: ["@partners"]
origin_sets:
  partners: [https://partner.example]
`,
	},
	{
		Code: CodeFileTooLarge, Severity: finding.Error,
		Explanation: "The file is larger than 64 MiB or has more than four million entries, or lists and mappings; a file of origins has more than a million of them. Split it into several files of one directory.",
	},
	{
		Code: CodeDirectoryTooLarge, Severity: finding.Error,
		Explanation: "The policy files of the directory hold more than 128 MiB or four million entries together, or are more than 10,000. A million origins of a hundred thousand virtual hosts take a third of that; what is larger is most likely no policy.",
	},
	{
		Code: CodeEmptyFile, Severity: finding.Error,
		Explanation: "The file holds nothing, or nothing but comments. That is most likely an accident, so a file that is to say nothing says so with {}. A file of origins says so with a comment alone; one that is empty or has blank lines alone is what an export that failed leaves.",
		Bad:         "# to be written\n",
		Good:        "{}\n",
	},
	{
		Code: CodeMultipleDocuments, Severity: finding.Error,
		Explanation: "A second YAML document begins in the file. Two documents in one file are two policy files: give each its own.",
		Bad: `policies: {public: {allow_origins: ["*"]}}
---
default: {policies: [public]}
`,
		Good: `policies: {public: {allow_origins: ["*"]}}
default: {policies: [public]}
`,
	},
	{
		Code: CodeUnknownKey, Severity: finding.Error, SafeFix: true,
		Explanation: "There is no field of this name. A mistyped field would otherwise be ignored, and nobody would notice.",
		Bad: `policies:
  shop:
    allow_orgins: [https://shop.example.com]
`,
		Good: `policies:
  shop:
    allow_origins: [https://shop.example.com]
`,
	},
	{
		Code: CodeDuplicateKey, Severity: finding.Error,
		Explanation: "The same key stands twice in one mapping, and programs differ in which of the two they take.",
		Bad: `policies:
  shop:
    max_age: 10m
    max_age: 2h
`,
		Good: `policies:
  shop:
    max_age: 2h
`,
	},
	{
		Code: CodeNullValue, Severity: finding.Error,
		Explanation: "Where a value is wanted there is none, or YAML's null. Leave the key out; the opaque origin is the text \"null\", in quotes.",
		Bad: `policies:
  shop:
    allow_origins: [https://shop.example.com]
    max_age:
`,
		Good: `policies:
  shop:
    allow_origins: [https://shop.example.com]
`,
	},
	{
		Code: CodeWrongType, Severity: finding.Error, SafeFix: true,
		Explanation: "The value is of another type than the field: a single value where a list is wanted, a number where text is wanted, and so on.",
		Bad: `policies:
  shop:
    allow_origins: https://shop.example.com
`,
		Good: `policies:
  shop:
    allow_origins: [https://shop.example.com]
`,
	},
	{
		Code: CodeAlias, Severity: finding.Error, SafeFix: true,
		Explanation: "YAML anchors, aliases and merge keys are not allowed, because what is granted should stand where it is granted. Text that begins with a star has to be quoted, or YAML takes it for an alias.",
		Bad: `policies:
  public:
    allow_origins: [*]
`,
		Good: `policies:
  public:
    allow_origins: ["*"]
`,
	},
	{
		Code: CodeTag, Severity: finding.Error,
		Explanation: "Explicit YAML types are not allowed. Text that looks like something else is quoted.",
		Bad: `policies:
  shop:
    allow_origins: [!!str https://shop.example.com]
`,
		Good: `policies:
  shop:
    allow_origins: [https://shop.example.com]
`,
	},
	{
		Code: CodeUnknownValue, Severity: finding.Error, SafeFix: true,
		Explanation: "The field knows a few words only, spelt exactly so, and this is none of them.",
		Bad: `default:
  policies: [none]
  reject: websockets
`,
		Good: `default:
  policies: [none]
  reject: WEBSOCKETS
`,
	},
	{
		Code: CodeTestFile, Severity: finding.Error,
		Explanation: "The file is a policy test file, which `corsproc test` runs. It lies beside the policy file or the directory that it tests, but not in a directory of policies: every file there is read as a policy file.",
		Bad: `policies: policies.yaml
tests:
  - name: the shop may read
    fetch: {origin: https://shop.example.com, url: https://api.example.com/}
    expect: ALLOWED
`,
		Good: `policies:
  shop:
    allow_origins: [https://shop.example.com]
default: {policies: [shop]}
`,
	},
	{
		Code: CodeKubernetesManifest, Severity: finding.Error,
		Explanation: "The file is a Kubernetes manifest. corsproc reads what stands in the data of a ConfigMap, once it is mounted: give it that text as a file of its own, and make the ConfigMap of the file.",
		Bad: `apiVersion: v1
kind: ConfigMap
metadata: {name: policies}
data:
  policies.yaml: |
    default: {policies: [none]}
`,
		Good: `default: {policies: [none]}
`,
	},
}
