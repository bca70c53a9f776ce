package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestURLsInChromium holds the parsing of URLs against a real Chromium.
func TestURLsInChromium(t *testing.T) {
	b := newChromium(t)
	for _, c := range urlCases {
		got, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](fmt.Sprintf("new URL(%q).href", c.in)))
		if err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("%s: Chromium %s, want %s", c.in, got, c.want)
		}
	}
}
