//go:build unix

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReadmeCurl asks the running demo what the README shows being asked, and compares the answers with those it shows.
// Of curl it knows the options that the README uses: -s, -i, -X and -H.
func TestReadmeCurl(t *testing.T) {
	d := startDemo(t)
	ports := strings.NewReplacer("http://localhost:8080", d.api, "http://localhost:8081", d.page, "http://localhost:9003", d.admin)
	asked := 0
	for _, block := range regexp.MustCompile("(?ms)^```console\n(.*?)^```$").FindAllStringSubmatch(read(t, "README.md"), -1) {
		for _, step := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			command, want, _ := strings.Cut(ports.Replace(step), "\n")
			if !strings.HasPrefix(command, "curl ") {
				continue
			}
			asked++
			got, want := sorted(curl(t, command)), sorted(want)
			if got != want {
				t.Errorf("%s\ngot\n%s\nwant\n%s", command, got, want)
			}
		}
	}
	if asked == 0 {
		t.Error("the README asks the demo nothing")
	}
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
	method, url, head := http.MethodGet, "", false
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
		case strings.HasPrefix(word, "-") && strings.Trim(word[1:], "si") == "":
			head = strings.Contains(word, "i")
		case strings.HasPrefix(word, "http://"):
			url = word
		default:
			t.Fatalf("%s: %s is not known here", command, word)
		}
	}
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	response, err := http.DefaultTransport.RoundTrip(request)
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
