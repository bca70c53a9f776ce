package fetch

import (
	"slices"
	"strings"
	"testing"
)

// TestToken holds the bytes of tokens against the list of RFC 9110, section 5.6.2.
func TestToken(t *testing.T) {
	for c := range 256 {
		b := byte(c)
		alphanumeric := '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z'
		if want := alphanumeric || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0; IsToken(string([]byte{'x', b})) != want {
			t.Errorf("a token with the byte %#x: %v, want %v", b, !want, want)
		}
	}
	if IsToken("") {
		t.Error("an empty text is a token")
	}
}

// TestElements walks through lists of several lines (RFC 9110, sections 5.3 and 5.6.1).
func TestElements(t *testing.T) {
	for _, c := range []struct{ lines, want []string }{
		{nil, nil},
		{[]string{""}, []string{""}},
		{[]string{"a"}, []string{"a"}},
		{[]string{" a\t,b c,, d "}, []string{"a", "b c", "", "d"}},
		{[]string{"a,", "b"}, []string{"a", "", "b"}},
		{[]string{"\va\r"}, []string{"\va\r"}}, // which are no blanks
	} {
		var got []string
		list := Elements{Lines: c.lines}
		for element, ok := list.Next(); ok; element, ok = list.Next() {
			got = append(got, element)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.lines, got, c.want)
		}
	}
}

// TestLists holds what of the lists the standard says in other words: what is normalised may be used, what is safelisted
// may be sent, and a list that is searched is sorted.
func TestLists(t *testing.T) {
	if !slices.IsSorted(registeredMethods) {
		t.Error("registeredMethods is not sorted")
	}
	for _, m := range registeredMethods {
		if !IsRegisteredMethod(m) || IsForbiddenMethod(m) || !IsToken(m) {
			t.Errorf("%s is registered: %v, forbidden: %v", m, IsRegisteredMethod(m), IsForbiddenMethod(m))
		}
	}
	for _, m := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"} {
		if !IsNormalizedMethod(m) || !IsRegisteredMethod(m) {
			t.Errorf("%s is normalised: %v, registered: %v", m, IsNormalizedMethod(m), IsRegisteredMethod(m))
		}
	}
	for _, m := range []string{"PATCH", "get", "", "CONNECT"} {
		if IsNormalizedMethod(m) {
			t.Errorf("%s is normalised", m)
		}
	}
	for _, name := range []string{"cookie", "sec-fetch-site", "proxy-authorization", RequestMethod, RequestHeaders} {
		if !IsForbiddenRequestHeader(name) || IsSafelistedRequestHeader(name) {
			t.Errorf("scripts can set %s", name)
		}
	}
	for _, name := range []string{"x-a", "authorization", "content-type", "section", "accept"} {
		if IsForbiddenRequestHeader(name) {
			t.Errorf("no script can set %s", name)
		}
	}
}

// TestFold holds the comparisons without case against each other: A-Z alone fold, which the Kelvin sign is not.
func TestFold(t *testing.T) {
	for _, c := range []struct {
		s, lower string
		equal    bool
		upper    bool
	}{
		{"Authorization", "authorization", true, true},
		{"x", "x", true, false},
		{"\u212a", "k", false, false},
		{"\u00c9", "\u00e9", false, false},
		{"A[`", "a[`", true, true},
		{"a{", "a[", false, false},
	} {
		if got := string(LowerASCII(c.s, nil)) == c.lower; got != c.equal {
			t.Errorf("%q in lower case is %q: %v", c.s, c.lower, got)
		}
		if got := EqualFoldASCII(c.s, c.lower); got != c.equal {
			t.Errorf("%q is equal to %q: %v", c.s, c.lower, got)
		}
		if got := HasUpperASCII(c.s); got != c.upper {
			t.Errorf("%q has upper case: %v", c.s, got)
		}
	}
	equal := true
	if n := testing.AllocsPerRun(100, func() {
		var buf [64]byte
		equal = equal && string(LowerASCII("Authorization", buf[:])) == "authorization" && EqualFoldASCII("Authorization", "authorization")
	}); n > 0 || !equal {
		t.Errorf("%v allocations, equal: %v", n, equal)
	}
}
