package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	docLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	docHeading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	docMetric  = regexp.MustCompile(`\bcorsproc_[a-z_]+`)
)

// pages are all pages of the repository, by their paths, without code blocks.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "../.." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin") {
			return fs.SkipDir
		}
		if filepath.Ext(path) == ".md" {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			all[path] = codeBlock.ReplaceAllString(string(data), "")
		}
		return nil
	})
	if err != nil || len(all) < 5 {
		t.Fatal(len(all), err)
	}
	return all
}

// TestLinks follows every link of a page to another file, and to a heading in it.
func TestLinks(t *testing.T) {
	all := pages(t)
	for path, text := range all {
		for _, m := range docLink.FindAllStringSubmatch(text, -1) {
			link := m[1]
			if strings.Contains(link, ":") {
				continue // to the world outside
			}
			file, anchor, _ := strings.Cut(link, "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s: %v", path, link, err)
				continue
			}
			if anchor != "" && !hasHeading(all[target], anchor) {
				t.Errorf("%s: %s: there is no such heading", path, link)
			}
		}
	}
}

// hasHeading reports whether a page has a heading that is linked to in this way.
func hasHeading(text, anchor string) bool {
	for _, m := range docHeading.FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		if strings.ReplaceAll(name, " ", "-") == anchor {
			return true
		}
	}
	return false
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
