package server

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// looks are how the page is looked at.
var looks = []struct {
	name, scheme string
	width        int64
}{{"light", "light", 1280}, {"dark", "dark", 1280}, {"phone", "light", 360}, {"phone-dark", "dark", 360}}

// hardToRead lists text that leaves its section, and text with too little contrast (WCAG 2.2, 1.4.3).
const hardToRead = `(() => {
	const channels = (color) => color.match(/[\d.]+/g).map(Number);
	const luminance = (c) => {
		const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const ground = (e) => {
		for (; e; e = e.parentElement) {
			const c = channels(getComputedStyle(e).backgroundColor);
			if (c.length === 3) return c;
		}
		return [255, 255, 255];
	};
	const bad = [];
	for (const e of document.querySelectorAll("body *")) {
		if (!e.checkVisibility() || e.closest(".unseen, :disabled") || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
		const [a, b] = [luminance(channels(getComputedStyle(e).color)), luminance(ground(e))].sort((x, y) => x - y);
		const ratio = (b + 0.05) / (a + 0.05);
		if (ratio < 4.5) bad.push("contrast " + ratio.toFixed(2) + ": " + e.outerHTML.slice(0, 100));
		const section = e.closest("section, .banner");
		if (section && section !== e && e.getBoundingClientRect().right > section.getBoundingClientRect().right - 4) bad.push("leaves its section: " + e.outerHTML.slice(0, 100));
	}
	return bad;
})()`

// readable holds that nothing is hard to read.
func (b *tab) readable(how string) {
	b.t.Helper()
	for _, text := range evaluate[[]string](b, hardToRead) {
		b.t.Errorf("%s: %s", how, text)
	}
}

// look has the page shown in a colour scheme and a width.
func (b *tab) look(scheme string, width int64) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.do("a look", chromedp.EmulateViewport(width, 800))
}

// lookedAt takes pictures, and holds that the page is not wider than the window.
func (b *tab) lookedAt(name string) {
	b.t.Helper()
	for _, l := range looks {
		b.look(l.scheme, l.width)
		b.readable(name + ", " + l.name)
		if width := evaluate[int64](b, `document.documentElement.scrollWidth`); width > l.width {
			b.t.Errorf("%s, %s: the page is %d pixels wide: %s", name, l.name, width, evaluate[string](b,
				fmt.Sprintf(`[...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > %d).map((e) => e.outerHTML.slice(0, 100)).join("\n")`, l.width)))
		}
		b.picture(name + "-" + l.name)
	}
}

// named holds that everything that can be worked with has a name for those who do not see it, that there is something of each
// role, and that no heading is left out.
func (b *tab) named(roles ...string) {
	b.t.Helper()
	tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		b.t.Fatal(err)
	}
	worked := []string{"button", "link", "textbox", "searchbox", "combobox", "checkbox", "image", "table", "navigation", "region", "heading", "DisclosureTriangle"}
	seen := map[string]int{}
	for _, n := range tree.Nodes {
		if n.Ignored || n.Role == nil {
			continue
		}
		role := strings.Trim(string(n.Role.Value), `"`)
		seen[role]++
		if slices.Contains(worked, role) && (n.Name == nil || strings.Trim(string(n.Name.Value), `" `) == "") {
			b.t.Errorf("a %s without a name (node %v)", role, n.BackendDOMNodeID)
		}
	}
	for _, role := range roles {
		if seen[role] == 0 {
			b.t.Errorf("no %s among %v", role, seen)
		}
	}
	levels := evaluate[[]int](b, `[...document.querySelectorAll("h1, h2, h3, h4")].filter((h) => h.checkVisibility()).map((h) => Number(h.tagName[1]))`)
	for i, level := range levels {
		if i > 0 && level > levels[i-1]+1 || i == 0 && level != 1 {
			b.t.Errorf("a heading of level %d is left out: %v", level-1, levels)
		}
	}
}
