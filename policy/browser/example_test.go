package browser_test

import (
	"fmt"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// What a page meets: whether a preflight goes first, what it is answered, and what the console says.
func ExampleDo() {
	set, _ := policy.Compile(policy.Source{Name: "policies.yaml", Set: &corsprocv1.PolicySet{
		Policies:     map[string]*corsprocv1.Policy{"shop": {AllowOrigins: []string{"https://shop.example"}}},
		VirtualHosts: []*corsprocv1.VirtualHost{{Domains: []string{"api.example"}, Policies: &corsprocv1.PolicyList{Names: []string{"shop"}}}},
	}})
	r, err := browser.Do(set, browser.Fetch{Origin: "https://shop.example", URL: "https://api.example/orders/7", Method: "DELETE"})
	if err != nil {
		fmt.Println(err) // no browser sends that
		return
	}
	fmt.Println(r.Verdict, r.Reason)
	fmt.Println("preflight:", r.Preflight.Status, "request:", r.Actual != nil)
	// Output:
	// refused method_not_allowed
	// preflight: 204 request: false
}
