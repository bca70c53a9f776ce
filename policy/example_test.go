package policy_test

import (
	"fmt"

	"github.com/corsproc/corsproc/policy"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// shop is a set as a program makes it; people write files, which package policyfile reads.
func shop() *corsprocv1.PolicySet {
	return &corsprocv1.PolicySet{
		Policies: map[string]*corsprocv1.Policy{"shop": {
			AllowOrigins: []string{"https://shop.example"}, AllowMethods: []string{"PUT"}, AllowCredentials: true,
		}},
		VirtualHosts: []*corsprocv1.VirtualHost{{
			Domains: []string{"api.example"}, Policies: &corsprocv1.PolicyList{Names: []string{"shop"}},
		}},
	}
}

func Example() {
	set, findings := policy.Compile(policy.Source{Name: "policies.yaml", Set: shop()})
	if set == nil {
		fmt.Println(findings)
		return
	}
	r := policy.Request{
		Method: "GET", Scheme: "https", Authority: "api.example", Path: "/orders",
		Origin: policy.Line("https://shop.example"),
	}
	d := set.Decide(&r)
	fmt.Println(d.Verdict, d.Reason, d.Policy)
	for _, h := range d.AppendResponse(nil, []string{"Accept-Encoding"}) {
		fmt.Println(h.Name+":", h.Value)
	}
	where, _ := set.Locate(d.Rule)
	fmt.Println(where.Source, where.Path)
	// Output:
	// allowed allowed shop
	// access-control-allow-origin: https://shop.example
	// access-control-allow-credentials: true
	// vary: Accept-Encoding, Origin
	// policies.yaml policies.shop.allow_origins[0]
}

// A preflight is answered at once, and never reaches the upstream.
func ExampleDecision_AppendImmediate() {
	set, _ := policy.Compile(policy.Source{Name: "policies.yaml", Set: shop()})
	d := set.Decide(&policy.Request{
		Method: "OPTIONS", Scheme: "https", Authority: "api.example", Path: "/orders/7",
		Origin: policy.Line("https://shop.example"), RequestMethod: policy.Line("DELETE"),
	})
	fmt.Println(d.Verdict, d.Reason, d.Action() == policy.Respond)
	status, headers, _ := d.AppendImmediate(nil)
	fmt.Println(status)
	for _, h := range headers {
		fmt.Println(h.Name+":", h.Value)
	}
	// Output:
	// refused method_not_allowed true
	// 204
	// access-control-allow-origin: https://shop.example
	// access-control-allow-credentials: true
	// access-control-allow-methods: PUT
	// vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers
}

// Wrong use: to look at the verdict alone. A refused preflight of an allowed origin has a status of 204, a refused request
// goes to the upstream all the same, and an allowed one is none of ours where the place is passthrough. What is to be done
// says [policy.Decision.Action], and what is sent the Append methods.
func ExampleDecision_Action_wrong() {
	set, _ := policy.Compile(policy.Source{Name: "policies.yaml", Set: shop()})
	d := set.Decide(&policy.Request{
		Method: "POST", Scheme: "https", Authority: "api.example", Path: "/orders", Origin: policy.Line("https://evil.example"),
	})
	if d.Verdict == policy.Refused {
		fmt.Println("refused: answer 403?") // no: CORS keeps scripts from reading, and stops no request
	}
	if d.Action() == policy.Adjust {
		fmt.Println("it goes on, and its response gets", d.AppendResponse(nil, nil))
	}
	// Output:
	// refused: answer 403?
	// it goes on, and its response gets [{vary Origin}]
}

// What keeps a set from loading is an error among the findings; there is no set then.
func ExampleCompile_error() {
	bad := shop()
	bad.Policies["shop"].AllowOrigins = []string{"https://Shop.example/"}
	set, findings := policy.Compile(policy.Source{Name: "policies.yaml", Set: bad})
	fmt.Println(set == nil)
	for _, f := range findings {
		fmt.Printf("%s: %s: %s: %s; write %s\n", f.Severity, f.Code, f.Location.Path, f.Message, f.Fix)
	}
	// Output:
	// true
	// error: origin-not-canonical: policies.shop.allow_origins[0]: an origin has no path and is lower-case; write https://shop.example
}

// The smallest change by which a request is allowed.
func ExampleSet_Gaps() {
	set, _ := policy.Compile(policy.Source{Name: "policies.yaml", Set: shop()})
	r := policy.Request{
		Method: "OPTIONS", Scheme: "https", Authority: "api.example", Path: "/orders/7",
		Origin: policy.Line("https://shop.example"), RequestMethod: policy.Line("DELETE"),
	}
	for _, gap := range set.Gaps(&r, false) {
		where, _ := set.Locate(gap.Rule)
		fmt.Println(where.Path, "lacks", gap.Value)
	}
	// Output:
	// policies.shop.allow_methods lacks DELETE
}

// Who gains and who loses when one set takes the place of another.
func ExampleDiff() {
	before, _ := policy.Compile(policy.Source{Name: "policies.yaml", Set: shop()})
	changed := shop()
	changed.Policies["shop"].AllowOrigins = append(changed.Policies["shop"].AllowOrigins, "https://partner.example")
	after, _ := policy.Compile(policy.Source{Name: "policies.yaml", Set: changed})
	for _, d := range policy.Diff(before, after) {
		for _, c := range d.GetChanges() {
			fmt.Println(d.GetPlaces()[0].GetText()+":", c.GetText())
		}
	}
	// Output:
	// virtual host api.example: https://partner.example may read responses, with credentials; method PUT
}
