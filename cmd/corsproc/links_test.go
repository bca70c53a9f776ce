package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	docLink    = regexp.MustCompile(`\]\(([^)\s]+)(?:\s+"[^"]*")?\)|(?m:^\[[^\]]+\]:\s+(\S+))|<(?:img|source)\s[^>]*src(?:set)?="([^"]+)"`)
	docHeading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	docMetric  = regexp.MustCompile(`\bcorsproc_[a-z_]+`)
)

// onGitHub is where the files of the repository are shown, for forms and templates that are shown elsewhere.
const onGitHub = "//github.com/corsproc/corsproc/blob/main/"

// walk calls visit for each file of the repository, by its path, but not for what other tools keep there.
func walk(t *testing.T, visit func(path string) error) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{".git", ".tools", "bin"}, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		return visit(path)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// pages are all pages of the repository, by their paths, without code blocks.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	walk(t, func(path string) error {
		if filepath.Ext(path) != ".md" {
			return nil
		}
		data, err := os.ReadFile(path)
		all[path] = codeBlock.ReplaceAllString(string(data), "")
		return err
	})
	if len(all) < 15 {
		t.Fatalf("only %d pages", len(all))
	}
	return all
}

// links returns what a page links to, images included.
func links(text string) (all []string) {
	for _, m := range docLink.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1]+m[2]+m[3])
	}
	return all
}

// TestLinks follows every link of a page to another file, and to a heading in it.
func TestLinks(t *testing.T) {
	all := pages(t)
	for path, text := range all {
		for _, link := range links(text) {
			if why := follow(all, path, link); why != "" {
				t.Errorf("%s: %s: %s", path, link, why)
			}
		}
	}
}

// TestBrokenLinks: each kind of link that leads nowhere is found.
func TestBrokenLinks(t *testing.T) {
	path := filepath.Join(root, "docs", "page.md")
	all := map[string]string{path: "# A page\n\n## Twice\n\n## Twice\n"}
	for text, want := range map[string]int{
		"[a](#a-page) [b](#twice) [c](#twice-1) [d](../README.md) [e](https://example.com/x)": 0,
		"[a](#no-page)": 1, "[a](#twice-2)": 1, "[a](nothing.md)": 1, `[a](nothing.md "title")`: 1, "![a](nothing.svg)": 1,
		"[a][b]\n\n[b]: nothing.md\n": 1, `<img alt="" src="nothing.svg">`: 1, "[a](https:" + onGitHub + "nothing.md)": 1, "[a](/README.md)": 1, "[a](../LICENSE#top)": 1,
	} {
		found := 0
		for _, link := range links(text) {
			if follow(all, path, link) != "" {
				found++
			}
		}
		if found != want {
			t.Errorf("%s: %d links lead nowhere, want %d", text, found, want)
		}
	}
}

// follow says what is wrong with a link of a page, one of all.
func follow(all map[string]string, path, link string) string {
	if ours, ok := strings.CutPrefix(link, "https:"+onGitHub); ok {
		path, link = filepath.Join(root, "page"), ours
	}
	if strings.Contains(link, ":") {
		return "" // to the world outside
	}
	if strings.HasPrefix(link, "/") {
		return "a link goes from the page's own folder"
	}
	file, anchor, _ := strings.Cut(link, "#")
	target := path
	if file != "" {
		target = filepath.Join(filepath.Dir(path), file)
		if _, err := os.Stat(target); err != nil {
			return err.Error()
		}
	}
	if anchor != "" && !slices.Contains(anchors(all[target]), anchor) {
		return "there is no such heading"
	}
	return ""
}

// anchors returns by what the headings of a page are linked to: as GitHub makes them.
func anchors(text string) (all []string) {
	seen := map[string]int{}
	for _, m := range docHeading.FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		name = strings.ReplaceAll(name, " ", "-")
		anchor := name
		if n := seen[name]; n > 0 {
			anchor = fmt.Sprintf("%s-%d", name, n)
		}
		seen[name]++
		all = append(all, anchor)
	}
	return all
}

// TestPagesNamed looks for pages that comments and texts of other files name, such as "docs/operations.md", and that are not
// there: by their paths from the root or from the file's own folder, or by their addresses on GitHub.
func TestPagesNamed(t *testing.T) {
	name := regexp.MustCompile(`[\w./-]*\w\.md\b(?:#[\w-]+)?`)
	all := pages(t)
	named := 0
	walk(t, func(path string) error {
		switch filepath.Ext(path) {
		case ".go", ".yaml", ".yml", ".json", ".proto", ".tpl", ".service", ".js", ".html", "":
		default:
			return nil
		}
		if strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "gateway-api.yaml") {
			return nil // they name pages that are elsewhere, or nowhere
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range name.FindAllString(string(data), -1) {
			m, ours := strings.CutPrefix(m, onGitHub)
			if !ours && strings.HasPrefix(m, "//") || strings.HasPrefix(m, ".") {
				continue // elsewhere, or an ending
			}
			named++
			if fromRoot := follow(all, filepath.Join(root, "page"), m); fromRoot != "" && follow(all, path, m) != "" {
				t.Errorf("%s names %s: %s", path, m, fromRoot)
			}
		}
		return nil
	})
	if named < 10 {
		t.Errorf("only %d pages are named", named)
	}
}

// TestRecipesListed: envoy/README.md says of everything that lies beside it for copying whom it is for.
func TestRecipesListed(t *testing.T) {
	text := page(t, "envoy/README.md")
	entries, err := os.ReadDir(filepath.Join(root, "envoy"))
	if err != nil {
		t.Fatal(err)
	}
	listed := links(text)
	recipes := 0
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() {
			if files, err := filepath.Glob(filepath.Join(root, "envoy", name, "*.yaml")); err != nil || len(files) == 0 {
				if files, err = filepath.Glob(filepath.Join(root, "envoy", name, "README.md")); err != nil || len(files) == 0 {
					continue // it holds programs and tests
				}
			}
		}
		if name == "README.md" || name == "bench" {
			continue
		}
		recipes++
		if !slices.Contains(listed, name) && !slices.Contains(listed, name+"/README.md") {
			t.Errorf("envoy/README.md does not say for whom envoy/%s is", name)
		}
	}
	if recipes < 10 {
		t.Errorf("only %d recipes", recipes)
	}
}

// TestMap: every folder that holds a package of Go stands on the map of CONTRIBUTING.md, and every folder of the map is there.
func TestMap(t *testing.T) {
	_, text, _ := strings.Cut(page(t, "CONTRIBUTING.md"), "\n## The map\n")
	text, _, _ = strings.Cut(text, "\n## ")
	onMap := map[string]bool{}
	for line := range strings.Lines(text) {
		if where, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | "); ok && strings.HasPrefix(line, "| `") {
			for _, m := range regexp.MustCompile("`([a-z0-9/]+)/`").FindAllStringSubmatch(where, -1) {
				onMap[m[1]] = true
			}
		}
	}
	walk(t, func(path string) error {
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if folder = filepath.ToSlash(folder); filepath.Ext(path) == ".go" && !onMap[folder] && !strings.Contains(folder, "testdata") {
			t.Errorf("%s has Go files and is not on the map", folder)
			onMap[folder] = true // once is enough
		}
		return err
	})
	for folder := range onMap {
		if d, err := os.Stat(filepath.Join(root, folder)); err != nil || !d.IsDir() {
			t.Errorf("the map has %s, which is no folder", folder)
		}
	}
}

// TestMetricNames looks for metrics that a page names and the program does not have.
func TestMetricNames(t *testing.T) {
	data, err := os.ReadFile("../../server/admin/testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := string(data) + "corsproc_streams_per_second " // which the chart's page makes of another
	for path, text := range pages(t) {
		for _, name := range docMetric.FindAllString(text, -1) {
			if !strings.Contains(known, name) {
				t.Errorf("%s: there is no metric %s", path, name)
			}
		}
	}
}
