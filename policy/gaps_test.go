package policy

import (
	"testing"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// TestGapsOfMalformed: for what no browser sends, and no policy can list, no change is told. (What is told to people of
// requests that browsers send is tested in policy/browser.)
func TestGapsOfMalformed(t *testing.T) {
	set := mustCompile(t, Source{Name: "x", Set: &corsprocv1.PolicySet{
		Policies: map[string]*corsprocv1.Policy{"p": {AllowOrigins: []string{"https://a.example"}}},
		Default:  &corsprocv1.DefaultPlace{Policies: &corsprocv1.PolicyList{Names: []string{"p"}}},
	}})
	for _, c := range []struct {
		name    string
		method  Field
		headers []string
		gaps    int
	}{
		{"a method that can be listed", Line("PUT"), nil, 1},
		{"no token as method", Line("PUT "), nil, 0},
		{"two methods", Field{Value: "PUT", Lines: 2}, nil, 0},
		{"headers that can be listed", Line("PUT"), []string{"x-one,,x-two"}, 3},
		{"no token as header", Line("PUT"), []string{"x-one,x two"}, 0},
	} {
		r := &Request{Method: "OPTIONS", Authority: "api.example", Path: "/", Origin: Line("https://a.example"), RequestMethod: c.method, RequestHeaders: c.headers}
		if gaps := set.Gaps(r, false); len(gaps) != c.gaps {
			t.Errorf("%s: %+v, want %d gaps", c.name, gaps, c.gaps)
		}
	}
}
