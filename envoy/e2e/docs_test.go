//go:build unix

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocsCurl asks the running demo what the README and the pages in docs/ show being asked, and compares the answers with
// those they show; corsproc verify too. Of curl it knows the options that they use: -s, -i, -X, -H and -d, and of jq, behind it, paths.
func TestDocsCurl(t *testing.T) {
	d := startDemo(t)
	other := strings.Replace(d.page, "localhost", "127.0.0.1", 1)
	ports := strings.NewReplacer("http://localhost:8080", d.api, "http://localhost:8081", d.page, "http://127.0.0.1:8081", other,
		"http://localhost:9003", d.admin, "localhost:9003", strings.TrimPrefix(d.admin, "http://"), "envoy/demo/policies.yaml", d.policies)
	pages, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := read(t, "README.md")
	for _, page := range pages {
		if filepath.Base(page) == "module.md" {
			continue // TestDocsModule asks a demo with the module
		}
		text += "\n" + read(t, "docs/"+filepath.Base(page))
	}
	for _, command := range regexp.MustCompile("`bin/(corsproc verify [^`]+)`").FindAllString(text, -1) {
		text += "\n```console\n$ " + strings.Trim(strings.TrimPrefix(command, "`bin/"), "`") + "\n" + anything + "\n```\n"
	}
	dir := t.TempDir()
	asked, verified := 0, 0
	for _, block := range regexp.MustCompile("(?ms)^```console\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		for _, step := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			command, want, _ := strings.Cut(ports.Replace(step), "\n")
			var got string
			switch tool, _, _ := strings.Cut(command, " "); tool {
			case "curl":
				command, filter, _ := strings.Cut(command, " | jq -r ")
				got = jq(t, curl(t, command), strings.Trim(filter, "'"))
			case "grpcurl":
				got = grpcurl(t, command)
			case "cat":
				name := strings.Fields(command)[1]
				if err := os.WriteFile(filepath.Join(dir, name), []byte(want+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				continue
			case "corsproc":
				args := strings.Fields(command)[1:]
				if args[0] != "verify" {
					continue // cmd/corsproc runs it
				}
				verified++
				if got = verifyShown(t, dir, args); strings.TrimSpace(want) == anything && strings.Contains(got, "agrees with the policies") {
					continue
				}
			default:
				continue
			}
			asked++
			if got, want := sorted(got), sorted(want); got != want {
				t.Errorf("%s\ngot\n%s\nwant\n%s", command, got, want)
			}
		}
	}
	if asked < 5 || verified < 3 {
		t.Errorf("the pages ask the demo %d things, %d of them by verify", asked, verified)
	}
}

// anything stands for an output that a page does not show: all that is wanted is that the gateway agrees.
const anything = "(anything)"

// verifyShown runs a command in a folder that has the files that the pages show.
func verifyShown(t *testing.T, dir string, args []string) string {
	t.Helper()
	c := exec.Command(binary, args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// sorted returns an answer with its lines sorted: the client does not keep the order of header lines.
func sorted(answer string) string {
	lines := strings.Split(strings.TrimSpace(answer), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// curl does what a curl command line says. The lines that every server adds (date, server) are left out.
func curl(t *testing.T, command string) string {
	t.Helper()
	return curlThrough(t, http.DefaultTransport, command)
}

func curlThrough(t *testing.T, client http.RoundTripper, command string) string {
	t.Helper()
	method, url, data, head := http.MethodGet, "", "", false
	header := http.Header{}
	words := regexp.MustCompile(`'[^']*'|\S+`).FindAllString(command, -1)[1:]
	for i := 0; i < len(words); i++ {
		switch word := words[i]; {
		case word == "-X":
			i++
			method = words[i]
		case word == "-H":
			i++
			name, value, _ := strings.Cut(strings.Trim(words[i], "'"), ": ")
			header.Add(name, value)
		case word == "-d":
			i++
			method, data = http.MethodPost, strings.Trim(words[i], "'")
		case strings.HasPrefix(word, "-") && strings.Trim(word[1:], "si") == "":
			head = strings.Contains(word, "i")
		case strings.HasPrefix(strings.Trim(word, "'"), "http://"):
			url = strings.Trim(word, "'")
		default:
			t.Fatalf("%s: %s is not known here", command, word)
		}
	}
	request, err := http.NewRequest(method, url, strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	response, err := client.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !head {
		return string(body)
	}
	var lines []string
	for name, values := range response.Header {
		if name = strings.ToLower(name); name != "date" && name != "server" {
			lines = append(lines, name+": "+strings.Join(values, ", "))
		}
	}
	return fmt.Sprintf("%s %s\n%s\n\n%s", response.Proto, response.Status, strings.Join(lines, "\n"), body)
}

// jq returns what the paths of a filter find in a JSON text, a line each: .a.b and .a[].b. Without a filter it is the text.
func jq(t *testing.T, text, filter string) string {
	t.Helper()
	if filter == "" {
		return text
	}
	var whole any
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	var lines []string
	for path := range strings.SplitSeq(filter, ", ") {
		found := []any{whole}
		for step := range strings.SplitSeq(strings.TrimPrefix(path, "."), ".") {
			name, each := strings.CutSuffix(step, "[]")
			var next []any
			for _, value := range found {
				object, _ := value.(map[string]any)
				value = object[name]
				if list, ok := value.([]any); ok && each {
					next = append(next, list...)
				} else {
					next = append(next, value)
				}
			}
			found = next
		}
		for _, value := range found {
			lines = append(lines, fmt.Sprint(value))
		}
	}
	return strings.Join(lines, "\n")
}

// grpcurl does what a grpcurl command line says. Times are those of the pages.
func grpcurl(t *testing.T, command string) string {
	t.Helper()
	args := []string{"tool", "-modfile=tools/go.mod"}
	for _, word := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(command, -1) {
		args = append(args, strings.Trim(word, "'"))
	}
	c := exec.Command("go", args...)
	c.Dir = root
	var problems strings.Builder
	c.Stderr = &problems
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, problems.String())
	}
	return regexp.MustCompile(`"until": "[^"]*"`).ReplaceAllString(string(out), `"until": "2026-11-23T12:10:00Z"`)
}
