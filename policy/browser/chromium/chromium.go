// Package chromium finds the Chromium that tests drive. It knows nothing of what they do with it.
package chromium

// Tested by policy/browser/against_test.go and policy/browser/answers_test.go.

import (
	"errors"
	"os"
	"os/exec"
	"slices"

	"github.com/chromedp/chromedp"
)

// Options returns how Chromium is started: the one that the environment's CHROMIUM names, else the one on PATH, without a
// window and without requests of its own. The error says that there is none.
func Options() ([]chromedp.ExecAllocatorOption, error) {
	path, err := find()
	if err != nil {
		return nil, err
	}
	options := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.Headless, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
	})
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox refuses to run as root
	}
	return options, nil
}

func find() (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}
	if path := os.Getenv("CHROMIUM"); path != "" {
		names = []string{path}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no Chromium on PATH, and CHROMIUM names none")
}
