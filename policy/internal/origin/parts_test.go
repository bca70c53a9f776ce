package origin

import "testing"

// TestCut: where origins and patterns are cut, and that they can be put together again.
func TestCut(t *testing.T) {
	for s, want := range map[string]Parts{
		"https://a.example":          {"https", "a.example", ""},
		"https://a.example:8443":     {"https", "a.example", "8443"},
		"http://[::1]":               {"http", "[::1]", ""},
		"http://[::1]:8080":          {"http", "[::1]", "8080"},
		"https://*.a.example:*":      {"https", "*.a.example", "*"},
		"https://*:*":                {"https", "*", "*"},
		"chrome-extension://abcdefg": {"chrome-extension", "abcdefg", ""},
		"file://":                    {"file", "", ""},
	} {
		got, ok := Cut(s)
		if !ok || got != want || got.String() != s {
			t.Errorf("%s: %t, %q, %s", s, ok, got, got)
		}
		if web := got.Scheme[0] == 'h'; got.IsWeb() != web {
			t.Errorf("%s: of the web: %t", s, got.IsWeb())
		}
	}
	for _, s := range []string{"null", "*", "", "a.example"} {
		if got, ok := Cut(s); ok {
			t.Errorf("%s: %q", s, got)
		}
	}
}
