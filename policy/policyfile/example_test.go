package policyfile_test

import (
	"fmt"
	"os"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/policyfile"
)

// From bytes to a set. What is wrong is told with line and column, and what is right is not used: the file is one thing.
func ExampleContent_Compile() {
	content := policyfile.Content{Files: []policyfile.File{{Name: "policies.yaml", Data: []byte(`
policies:
  shop:
    allow_origins: ["https://Shop.example/"]
default:
  policies: [shop]
`)}}}
	result := content.Compile()
	fmt.Println(result.Set == nil)
	policyfile.WriteText(os.Stdout, result.Findings)
	// Output:
	// true
	// policies.yaml:4:21: policies.shop.allow_origins[0]: "https://Shop.example/": an origin has no path and is lower-case; write https://shop.example
}

// A decision's rule is a line of a file.
func ExampleResult_Location() {
	content := policyfile.Content{Files: []policyfile.File{{Name: "policies.yaml", Data: []byte(`
policies:
  shop: {allow_origins: ["https://shop.example"]}
default: {policies: [shop]}
`)}}}
	result := content.Compile()
	d := result.Set.Decide(&policy.Request{Method: "GET", Origin: policy.Line("https://shop.example")})
	at := result.Location(d.Rule)
	fmt.Printf("%s by %s:%d\n", d.Verdict, at.GetFile(), at.GetLine())
	// Output:
	// allowed by policies.yaml:3
}
