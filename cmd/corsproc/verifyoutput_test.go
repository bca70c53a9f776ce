package main

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"
	"testing"
	"unicode"
)

// TestVerifyFormats holds the keys of JSON, the report of JUnit and the codes in the text.
func TestVerifyFormats(t *testing.T) {
	g := prepare(t)
	g.wrong = func(w http.ResponseWriter, r *http.Request, status int) int {
		if origin := r.Header.Get("Origin"); strings.HasPrefix(origin, "https://evil") {
			w.Header().Set("Access-Control-Allow-Origin", origin)
		}
		if r.Method == "OPTIONS" && w.Header().Get("Access-Control-Max-Age") != "" {
			w.Header().Set("Access-Control-Max-Age", "5")
		}
		return status
	}
	connect := serveGateway(t, g).Listener.Addr().String()
	outputs := map[string]string{}
	for _, format := range []string{"text", "json", "junit"} {
		status, stdout, stderr := runIn(t, "", "verify", "--policies", "policies.yaml", "--rate=100000", "--connect", connect, "--format", format, "http://api.test", "http://api.test/healthz")
		if status != exitFailure || !strings.Contains(stderr, "http://api.test/healthz: there is nothing to ask") {
			t.Errorf("%s: status %d, %s", format, status, stderr)
		}
		outputs[format] = stdout
	}
	for _, code := range []string{"[lets_in]", "[max-age]", "[extra-header]", "[another-cors-layer]", "not asked: virtual host api, path /healthz: passthrough"} {
		if !strings.Contains(outputs["text"], code) {
			t.Errorf("the text has no %s:\n%s", code, outputs["text"])
		}
	}

	var top map[string]json.RawMessage
	if err := json.Unmarshal([]byte(outputs["json"]), &top); err != nil {
		t.Fatal(err)
	}
	keys := func(data json.RawMessage, list bool, want string) json.RawMessage {
		t.Helper()
		if list {
			var all []json.RawMessage
			if err := json.Unmarshal(data, &all); err != nil || len(all) == 0 {
				t.Fatalf("%v in %s", err, data)
			}
			data = all[0]
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(data, &m); err != nil || len(m) != len(strings.Fields(want)) {
			t.Errorf("%v in %s", err, data)
		}
		for key := range strings.FieldsSeq(want) {
			if _, ok := m[key]; !ok {
				t.Errorf("no key %s in %s", key, data)
			}
		}
		return data
	}
	keys(json.RawMessage(outputs["json"]), false, "agrees requests skipped unanswered places not_asked differences findings diagnoses")
	keys(top["places"], true, "url place questions differences")
	keys(top["not_asked"], true, "place why")
	keys(top["findings"], true, "severity code url place origin message")
	keys(top["diagnoses"], true, "code message")
	difference := keys(top["differences"], true, "url place method origin request_method request_headers credentials effect expected got")
	var sides struct{ Expected, Got json.RawMessage }
	if err := json.Unmarshal(difference, &sides); err != nil {
		t.Fatal(err)
	}
	keys(sides.Expected, false, "verdict reason status headers")
	keys(sides.Got, false, "verdict reason status headers")

	var v verified
	if err := json.Unmarshal([]byte(outputs["json"]), &v); err != nil {
		t.Fatal(err)
	}
	var report struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Suites   []struct {
			Cases []struct {
				Failure *struct {
					Text string `xml:",chardata"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(outputs["junit"]), &report); err != nil {
		t.Fatal(err)
	}
	questions, cases, failures := 0, 0, 0
	for _, p := range v.Places {
		questions += p.Questions
	}
	for _, s := range report.Suites {
		for _, c := range s.Cases {
			cases++
			if c.Failure != nil {
				failures++
			}
		}
	}
	if cases != questions || report.Tests != cases || report.Failures != failures || failures == 0 || len(report.Suites) != len(v.Places) {
		t.Errorf("%d questions, %d cases, %d failures, %+v", questions, cases, failures, report)
	}
}

// TestVerifyHostile: nothing raw of what a gateway answers is printed, and no value of -H.
func TestVerifyHostile(t *testing.T) {
	prepare(t)
	const secret = "Bearer top-secret-token"
	server := serveGateway(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		long := strings.Repeat("A", 50<<10)
		lines := "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n"
		for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Expose-Headers",
			"Access-Control-Max-Age", "Access-Control-Allow-Credentials", "Vary", "Timing-Allow-Origin", "Cache-Control", "Location"} {
			lines += name + ": \xff\xe2\x80\xae\xc2\x9b31m ##[error]x ::error::y " + secret + " " + r.Header.Get("Authorization") + " top-secret-token c00kie " + "\r\n"
		}
		conn.Write([]byte(lines + "Vary: " + long + "\r\n\r\nbody"))
		for range 1000 { // a body without end
			if _, err := conn.Write([]byte(long)); err != nil {
				return
			}
		}
	}))
	for _, format := range []string{"text", "json", "junit"} {
		status, stdout, stderr := runIn(t, "", "verify", "--policies", "policies.yaml", "--rate=100000", "--connect", server.Listener.Addr().String(), "--format", format,
			"-H", "Authorization: "+secret, "-H", "Cookie: a=c00kie; b=2", "http://api.test/")
		if status != exitFailure || stderr != "" {
			t.Errorf("%s: status %d, %s", format, status, stderr)
		}
		if strings.Contains(stdout, "top-secret-token") || strings.Contains(stdout, "c00kie") || !strings.Contains(stdout, "(a value of -H)") {
			t.Errorf("%s: a value of -H is printed, or nothing was there", format)
		}
		if len(stdout) > 2<<20 {
			t.Errorf("%s: %d bytes", format, len(stdout))
		}
		for line := range strings.Lines(stdout) {
			line = strings.TrimSuffix(line, "\n")
			if i := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
				t.Fatalf("%s: %q is printed", format, line[max(0, i-20):min(len(line), i+20)])
			}
			if strings.HasPrefix(strings.TrimLeft(line, " "), "::") || format == "text" && strings.Contains(line, "##[") {
				t.Fatalf("%s: a command is printed: %q", format, line)
			}
		}
	}
}

// TestVerifyExits: what differs beats what could not be asked, and both beat agreement.
func TestVerifyExits(t *testing.T) {
	g := prepare(t)
	server := serveGateway(t, g)
	broken := &testGateway{set: g.set, wrong: func(w http.ResponseWriter, r *http.Request, status int) int {
		w.Header().Del("Vary")
		return status
	}}
	for _, c := range []struct {
		gateway *testGateway
		args    string
		status  int
	}{
		{g, "http://api.test", exitOK},
		{g, "http://api.test http://api.test/healthz", exitUsage}, // one of them could not be asked
		{broken, "http://api.test http://api.test/healthz", exitFailure},
		{g, "http://api.test/healthz", exitUsage},
	} {
		server.Config.Handler = c.gateway
		v, status, stderr := verifyIn(t, server, strings.Fields(c.args)...)
		if status != c.status || v.Agrees != (status == exitOK) || (stderr == "") == strings.Contains(c.args, "healthz") {
			t.Errorf("%s: status %d, agrees %v, %s", c.args, status, v.Agrees, stderr)
		}
	}
}
