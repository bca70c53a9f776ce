package certs

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/corsproc/corsproc/server/logs"
	"github.com/corsproc/corsproc/server/logtest"
	"github.com/corsproc/corsproc/server/tlstest"
)

// TestTLSStartErrors: with files that are not as they should be, nothing starts, and everything that is wrong is told.
func TestTLSStartErrors(t *testing.T) {
	ca, dir := tlstest.NewCA(t, "ca"), t.TempDir()
	pair := ca.Issue(tlstest.Leaf{Names: []string{"127.0.0.1"}})
	cert, key := pair.Write(t, dir, "s")
	_, otherKey := ca.Issue(tlstest.Leaf{}).Write(t, dir, "other")
	file := func(name, text string) string { return tlstest.WriteFile(t, dir, name, []byte(text)) }
	const begin, end = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	for _, test := range []struct {
		name            string
		cert, key, clCA string
		want            []string // a part of each line, in their order
	}{
		{name: "no such files", cert: missing, key: missing, clCA: missing, want: []string{"tls-cert: ", "tls-key: ", `tls-client-ca: "` + missing + `" does not exist; name a file in PEM form`}},
		{name: "a directory", cert: dir, key: key, want: []string{`tls-cert: "` + dir + `" is no regular file`}},
		{name: "a pipe", cert: cert, key: fifo, want: []string{`tls-key: "` + fifo + `" is no regular file`}},
		{name: "an empty certificate", cert: file("empty", ""), key: key, want: []string{"tls-cert: ", `/empty": holds no certificate`}},
		{name: "an empty key", cert: cert, key: file("empty", ""), want: []string{`/empty" holds nothing in PEM form`}},
		{name: "an empty CA", cert: cert, key: key, clCA: file("empty", ""), want: []string{`tls-client-ca: "` + dir + `/empty": holds no certificate`}},
		{name: "DER", cert: file("der", "\x30\x82\x01"), key: key, want: []string{"holds no certificate in PEM form"}},
		{name: "swapped", cert: key, key: cert, want: []string{`tls-cert: "` + key + `": holds no certificate`}},
		{name: "the certificate twice", cert: cert, key: cert, want: []string{`tls-key: "` + cert + `": `}},
		{name: "another's key", cert: cert, key: otherKey, want: []string{`tls-cert, tls-key: "` + cert + `" and "` + otherKey + `" are no pair; name the private key`}},
		{name: "an encrypted key", cert: cert, key: file("encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), want: []string{`tls-key: "` + dir + `/encrypted" is encrypted`}},
		{name: "rubbish in a certificate", cert: file("rubbish1", begin+"AAAA\n"+end), key: key, want: []string{"certificate 1 cannot be read"}},
		{name: "rubbish behind a certificate", cert: file("rubbish2", string(pair.Cert)+begin+"AAAA\n"+end), key: key, want: []string{"certificate 2 cannot be read"}},
		{name: "a CA that is cut off", cert: cert, key: key, clCA: file("cut", string(ca.PEM)+string(ca.PEM[:200])), want: []string{"does not end as such"}},
		{name: "a CA with a broken part", cert: cert, key: key, clCA: file("broken", strings.Replace(string(ca.PEM), "MII", "?II", 1)+string(ca.PEM)), want: []string{"does not end as such"}},
		{name: "too large", cert: cert, key: key, clCA: file("large", strings.Repeat("x", maxPEMBytes+1)), want: []string{"is larger than 1048576 bytes"}},
		{name: "pair and CA", cert: cert, key: otherKey, clCA: file("empty", ""), want: []string{"are no pair", "holds no certificate"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Load(&Files{Cert: test.cert, Key: test.key, ClientCA: test.clCA})
			if err == nil {
				t.Fatal("they are loaded")
			}
			rest := err.Error()
			if lines := strings.Count(rest, "\n") + 1; lines < len(test.want)-1 || lines > len(test.want) {
				t.Errorf("%d lines:\n%v", lines, err)
			}
			for _, want := range test.want {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Errorf("%v\nwant it to say %q", err, want)
				}
				rest = after
			}
		})
	}
}

// TestTLSFilesThatAreFine have more in them than is needed.
func TestTLSFilesThatAreFine(t *testing.T) {
	ca := tlstest.NewCA(t, "ca")
	sub := ca.Intermediate("sub")
	pair := sub.Issue(tlstest.Leaf{Ends: 30 * time.Hour})
	dir := t.TempDir()
	both := tlstest.WriteFile(t, dir, "both.pem", append(append([]byte("subject=/CN=leaf\n"), pair.Cert...), pair.Key...))
	clients := tlstest.WriteFile(t, dir, "clients.pem", append(append([]byte("# old\n"), ca.PEM...), sub.PEM...))
	files := &Files{Cert: both, Key: both, ClientCA: clients}
	state, err := files.parse(files.read(new(reads)))
	if err != nil {
		t.Fatal(err)
	}
	// The intermediate one ends in a day, before the leaf.
	if left := time.Until(state.expires); left < 23*time.Hour || left > 25*time.Hour {
		t.Errorf("expires in %v", left)
	}
}

// TestTLSLooks: what changes is taken up when two looks found the same, once, and what is bad is told once.
func TestTLSLooks(t *testing.T) {
	ca, dir := tlstest.NewCA(t, "ca"), t.TempDir()
	first, second := ca.Issue(tlstest.Leaf{}), ca.Issue(tlstest.Leaf{})
	files := new(Files)
	files.Cert, files.Key = first.Write(t, dir, "s")
	log := new(logtest.Buffer)
	synctest.Test(t, func(t *testing.T) {
		c, err := Load(files)
		if err != nil {
			t.Fatal(err)
		}
		c.Report(logs.New(log, logs.JSON, slog.LevelInfo), untold)
		go c.Watch(t.Context())
		for i, step := range []struct {
			write tlstest.Pair // nil parts: the file is as it was
			want  string       // what is logged in the second after it
		}{
			{want: "TLS files loaded"},
			{write: tlstest.Pair{Cert: second.Cert}},
			{write: tlstest.Pair{Key: second.Key}}, // a second later: never told of
			{want: "TLS files loaded"},
			{write: tlstest.Pair{Key: first.Key}},
			{want: "TLS files not loaded; the last good ones stay in force"},
			{},
			{write: tlstest.Pair{Key: second.Key}},
			{want: "TLS files loaded"},
			{write: tlstest.Pair{Key: []byte("x")}},
			{write: tlstest.Pair{Key: second.Key}},
			{},
			{},
		} {
			if step.write.Cert != nil {
				tlstest.WriteFile(t, dir, "s.crt", step.write.Cert)
			}
			if step.write.Key != nil {
				tlstest.WriteFile(t, dir, "s.key", step.write.Key)
			}
			if i > 0 {
				time.Sleep(lookInterval)
				synctest.Wait()
			}
			var got []string
			for _, record := range log.Take(t) {
				if record["level"] != "WARN" { // that it is not valid, by the clock in here
					got = append(got, record["msg"].(string))
				}
			}
			if strings.Join(got, ",") != step.want {
				t.Errorf("step %d logs %q, want %q", i, got, step.want)
			}
		}
	})
	if err := os.Remove(files.Cert); err != nil {
		t.Fatal(err)
	}
}
