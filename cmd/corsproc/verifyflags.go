package main

// Tested by verifyusage_test.go.

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	"github.com/corsproc/corsproc/policy/verify"
)

// verifySettings are what verify is called with.
type verifySettings struct {
	policies     string
	virtualHosts []string
	routes       []string
	verify.Options

	connect  string
	headers  []string // 'Name: value'
	tls      verifyTLS
	rate     float64
	timeout  time.Duration
	redacted []string // the values of headers
	lines    []policy.Header
}

// The slowest and the fastest that may be asked.
const minRate, maxRate = 0.001, 100_000.0

// checkFlags says what is wrong with the flags that needs neither policies nor URLs. No message has a value of -H in it.
func (s *verifySettings) checkFlags() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if s.Method != "GET" && s.Method != "HEAD" {
		add("--method is GET or HEAD, not %q", s.Method)
	}
	if !(s.rate >= minRate && s.rate <= maxRate) { // NaN is neither
		add("--rate is a number of requests a second from %g to %g", minRate, maxRate)
	}
	if s.Repeat < 1 || s.Repeat > 1000 {
		add("--repeat is a number from 1 to 1000")
	}
	if s.timeout <= 0 {
		add("--timeout is a time above 0, such as 10s")
	}
	if s.Most < 1 || s.Most > verify.MaxRequests {
		add("--max-requests is a number from 1 to %d", verify.MaxRequests)
	}
	if s.connect != "" {
		if host, port, ok := cutHostPort(s.connect); !ok || host == "" || port == "" {
			add("--connect is HOST:PORT, not %q", s.connect)
		}
	}
	errs = append(errs, s.tls.check(), s.readHeaders(), s.readRoutes())
	return errors.Join(errs...)
}

// rateFlag is the value of --rate: a number, or 50/s.
type rateFlag struct{ rate *float64 }

func (f rateFlag) String() string { return strconv.FormatFloat(*f.rate, 'g', -1, 64) }
func (f rateFlag) Type() string   { return "N" }

func (f rateFlag) Set(s string) (err error) {
	*f.rate, err = strconv.ParseFloat(strings.TrimSuffix(s, "/s"), 64)
	return err
}

// ownHeaders are what the questions and the connection consist of.
var ownHeaders = []string{"host", "origin", "content-length", "transfer-encoding", "connection", "upgrade"}

// readHeaders reads the values of -H.
func (s *verifySettings) readHeaders() error {
	var errs []error
	for i, line := range s.headers {
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		lower := strings.ToLower(name)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("-H: header %d is not written 'Name: value'", i+1))
			continue
		case !httpguts.ValidHeaderFieldName(name):
			errs = append(errs, fmt.Errorf("-H: header %d has a name that is none", i+1))
			continue
		case slices.Contains(ownHeaders, lower) || strings.HasPrefix(lower, "access-control-"):
			errs = append(errs, fmt.Errorf("-H: %s is not taken: the questions and the connection have it of their own", name))
			continue
		case !httpguts.ValidHeaderFieldValue(value):
			errs = append(errs, fmt.Errorf("-H: %s has a value that cannot be sent", name))
			continue
		}
		s.lines = append(s.lines, policy.Header{Name: name, Value: value})
		s.addRedacted(lower, value)
		if lower == "sec-fetch-site" {
			s.FetchSite.Value, s.FetchSite.Lines = value, s.FetchSite.Lines+1
		}
	}
	return errors.Join(errs...)
}

// minRedacted is the length of the shortest value that is taken out of any text. Shorter ones are parts of everything,
// and are taken out where nothing else stands.
const minRedacted = 4

// addRedacted remembers what must not be printed, should a gateway send it back: a value, and what in it is the secret.
func (s *verifySettings) addRedacted(name, value string) {
	parts := []string{value}
	switch name {
	case "authorization", "proxy-authorization":
		if _, credentials, ok := strings.Cut(value, " "); ok {
			parts = append(parts, strings.TrimSpace(credentials))
		}
	case "cookie":
		for cookie := range strings.SplitSeq(value, ";") {
			_, secret, _ := strings.Cut(cookie, "=")
			parts = append(parts, strings.TrimSpace(cookie), strings.TrimSpace(secret))
		}
	}
	for _, part := range parts {
		if len(part) >= minRedacted {
			s.redacted = append(s.redacted, part)
		}
	}
}

// redact takes the values of -H out of a text that a gateway made.
func (s *verifySettings) redact(text string) string {
	for _, line := range s.lines {
		if line.Value != "" && strings.TrimSpace(text) == line.Value {
			return "(a value of -H)"
		}
	}
	for _, value := range s.redacted {
		text = strings.ReplaceAll(text, value, "(a value of -H)")
	}
	return text
}

// readRoutes reads the values of --route.
func (s *verifySettings) readRoutes() error {
	var errs []error
	for _, text := range s.routes {
		i := strings.LastIndex(text, "=/") // a name may have an equals sign
		if i < 1 {
			errs = append(errs, fmt.Errorf("--route is NAME=PATH with a PATH that begins with a slash, not %q", text))
			continue
		}
		s.Routes = append(s.Routes, verify.NamedRoute{Name: text[:i], Path: text[i+1:]})
	}
	return errors.Join(errs...)
}

// checkNames says which names the policies do not have.
func (s *verifySettings) checkNames(set *policy.Set) error {
	var errs []error
	for _, r := range s.Routes {
		if !set.HasRouteName(r.Name) {
			errs = append(errs, fmt.Errorf("--route: no route of the policies has the name %q", r.Name))
		}
	}
	for _, text := range s.virtualHosts {
		if name, _ := cutVirtualHost(set, text); !set.HasVirtualHostName(name) {
			errs = append(errs, fmt.Errorf("--virtual-host: no virtual host of the policies has the name %q", name))
		}
	}
	return errors.Join(errs...)
}

// cutVirtualHost parts NAME=HOST[:PORT]; at is empty for a name alone.
func cutVirtualHost(set *policy.Set, text string) (name, at string) {
	if i := strings.LastIndexByte(text, '='); i > 0 && i < len(text)-1 && !strings.Contains(text[i:], "/") {
		if before := text[:i]; set.HasVirtualHostName(before) || !set.HasVirtualHostName(text) {
			return before, strings.ToLower(text[i+1:])
		}
	}
	return text, ""
}

// virtualHostOf returns the name that is given for a URL; one for its host beats one for all.
func (s *verifySettings) virtualHostOf(set *policy.Set, t browser.Target) string {
	all := ""
	for _, text := range s.virtualHosts {
		name, at := cutVirtualHost(set, text)
		if at == "" {
			all = name
			continue
		}
		host, port, ok := cutHostPort(at)
		if !ok {
			host, port = at, ""
		}
		if host == t.Host && (port == "" || port == portOf(t)) {
			return name
		}
	}
	return all
}

// sites reads the URLs. No message has one in it that holds a password.
func sitesOf(urls []string) ([]*verify.Site, error) {
	var sites []*verify.Site
	var errs []error
	for i, text := range urls {
		t, err := browser.ParseTarget(text)
		if err != nil {
			what := strconv.Quote(text)
			if strings.Contains(text, "@") {
				what = strconv.Itoa(i + 1)
			}
			errs = append(errs, fmt.Errorf("the URL %s %w", what, err))
			continue
		}
		sites = append(sites, &verify.Site{Target: t})
	}
	return sites, errors.Join(errs...)
}

// cutHostPort parts HOST:PORT. The host keeps its brackets.
func cutHostPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || i < strings.LastIndexByte(s, ']') {
		return s, "", false
	}
	host, port = s[:i], s[i+1:]
	_, err := strconv.ParseUint(port, 10, 16)
	return host, port, err == nil
}

// portOf returns the port that a URL leads to.
func portOf(t browser.Target) string {
	switch {
	case t.Port != "":
		return t.Port
	case t.Scheme == "https":
		return "443"
	}
	return "80"
}
