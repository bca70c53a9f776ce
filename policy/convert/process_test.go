package convert

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"
)

// startServer starts a source system and waits until it is ready, for a minute at most. It is ended when the test is. log
// returns what the process wrote elsewhere, to be shown where it ends too early.
func startServer(t *testing.T, cmd *exec.Cmd, ready func() bool, log func() string) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		ended <- nil
	})
	for range 1200 {
		if ready() {
			return
		}
		select {
		case err := <-ended:
			ended <- nil
			t.Fatalf("%s ended: %v\n%s\n%s", cmd.Path, err, said.String(), log())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("%s does not start", cmd.Path)
}

// socketClient returns a client of the source system at a socket. It follows no redirect.
func socketClient(socket string) *http.Client {
	return &http.Client{
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// put returns how the requests of a question are put to a source system; name is that of the input.
func (q question) put(t *testing.T, client *http.Client, name string) func(method string, header http.Header) *http.Response {
	return func(method string, header http.Header) *http.Response {
		req, err := http.NewRequest(method, "http://"+q.authority+q.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		a, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s: %s: %v", name, q, err)
		}
		a.Body.Close()
		return a
	}
}
