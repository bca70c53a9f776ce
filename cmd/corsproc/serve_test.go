package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// served is a `corsproc serve` of this process.
type served struct {
	Listen, Admin string
	records       chan map[string]any // what it logs after it is ready
	status        chan int
}

// serve runs `corsproc serve` on free addresses until stop, or the test's end, and waits until it is ready.
func serve(t *testing.T, args ...string) (s *served, stop func()) {
	t.Helper()
	return serveWith(t, append([]string{"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, args...)...)
}

// serveWith does the same with these flags alone.
func serveWith(t *testing.T, args ...string) (s *served, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	s = &served{records: make(chan map[string]any, 100), status: make(chan int, 1)}
	go func() {
		s.status <- run(ctx, append([]string{"serve"}, args...), strings.NewReader(""), io.Discard, writer)
		writer.Close()
	}()
	ready := make(chan bool)
	go func() {
		defer close(s.records)
		lines := bufio.NewScanner(reader)
		for lines.Scan() {
			var record map[string]any
			if json.Unmarshal(lines.Bytes(), &record) != nil {
				record = map[string]any{"msg": lines.Text()}
			}
			if record["msg"] == "ready" {
				s.Listen, _ = record["listen"].(string)
				s.Admin, _ = record["admin"].(string)
				close(ready)
			}
			select {
			case s.records <- record:
			default:
			}
		}
	}()
	select {
	case <-ready:
	case status := <-s.status:
		t.Fatalf("ended with %d before it was ready", status)
	case <-time.After(20 * time.Second):
		t.Fatal("is not ready")
	}
	var stopped bool
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if status := <-s.status; status != 0 {
			t.Errorf("exit status %d after a stop", status)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

func (s *served) get(t *testing.T, method, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(method, "http://"+s.Admin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

// ask sends the request headers of a GET and returns the verdict that comes back in the metadata.
func (s *served) ask(t *testing.T, origin string) string {
	t.Helper()
	conn, err := grpc.NewClient(s.Listen, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := extprocv3.NewExternalProcessorClient(conn).Process(ctx)
	if err != nil {
		t.Fatal(err)
	}
	header := func(name, value string) *corev3.HeaderValue {
		return &corev3.HeaderValue{Key: name, RawValue: []byte(value)}
	}
	if err := stream.Send(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: &extprocv3.HttpHeaders{
		Headers: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{header(":method", "GET"), header(":authority", "api.example"), header(":path", "/"), header("origin", origin)}},
	}}}); err != nil {
		t.Fatal(err)
	}
	reply, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return reply.GetDynamicMetadata().GetFields()["corsproc"].GetStructValue().GetFields()["verdict"].GetStringValue()
}

// TestServe runs the whole program: it answers Envoy and probes, takes up edits, keeps the last good set and says so.
func TestServe(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", goodPolicies)
	s, _ := serve(t, "--policies", "policies.yaml", "--log-format", "json")
	if got := s.ask(t, "https://a.example"); got != "allowed" {
		t.Errorf("verdict %q", got)
	}
	if status, stdout, _ := runIn(t, "", "health", s.Listen); status != 0 || stdout != "SERVING\n" {
		t.Errorf("health: %d %q", status, stdout)
	}
	conn, err := grpc.NewClient(s.Listen, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: "envoy.service.ext_proc.v3.ExternalProcessor"})
	if err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("health of the service: %v %v", answer, err)
	}

	write(t, "policies.yaml", strings.ReplaceAll(goodPolicies, "https://a", "https://b"))
	eventually(t, "the edit is taken up", func() bool { return s.ask(t, "https://b.example") == "allowed" })
	write(t, "policies.yaml", badPolicies)
	eventually(t, "the metric tells of the broken file", func() bool {
		_, metrics := s.get(t, "GET", "/metrics")
		return strings.Contains(metrics, "corsproc_policy_last_reload_successful 0\n")
	})
	if got := s.ask(t, "https://b.example"); got != "allowed" {
		t.Errorf("the last good set is gone: %q", got)
	}
	if status, text := s.get(t, "POST", "/-/reload"); status != 400 || !strings.HasPrefix(text, "policies.yaml:3:21: ") {
		t.Errorf("reload: %d %s", status, text)
	}
	write(t, "policies.yaml", goodPolicies)
	eventually(t, "a good file is taken up again", func() bool { return s.ask(t, "https://a.example") == "allowed" })
	_, metrics := s.get(t, "GET", "/metrics")
	for _, want := range []string{
		"corsproc_policy_last_reload_successful 1\n", "corsproc_streams_active ", "corsproc_policy_reload_total{result=\"failure\"} 1\n",
		"corsproc_decisions_total{kind=\"actual\",policy=\"p\",reason=\"allowed\",virtual_host=\"default\"}",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
}

// TestServeSignals: SIGHUP reloads, and SIGTERM drains: health says so at once while new streams are still served.
func TestServeSignals(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", goodPolicies)
	s, _ := serve(t, "--policies", "policies.yaml", "--log-format", "json", "--drain-delay", "1s", "--reload-interval", "0")
	signalSelf(t, syscall.SIGTERM)
	eventually(t, "it is not ready any more", func() bool {
		status, _ := s.get(t, "GET", "/-/ready")
		return status == 503
	})
	if status, _, stderr := runIn(t, "", "health", s.Listen); status != 1 || !strings.Contains(stderr, "NOT_SERVING") {
		t.Errorf("health while draining: %d %s", status, stderr)
	}
	if got := s.ask(t, "https://a.example"); got != "allowed" {
		t.Errorf("a new stream while draining: %q", got)
	}
	select {
	case status := <-s.status:
		s.status <- status // for the clean-up
		if status != 0 {
			t.Errorf("exit status %d", status)
		}
	case <-time.After(20 * time.Second):
		t.Error("does not stop")
	}
}

// TestServeWithoutListeners: the admin address alone, which health can ask as well; and without any address, a sentence.
func TestServeWithoutListeners(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", goodPolicies)
	s, _ := serveWith(t, "--listen=", "--admin-listen", "127.0.0.1:0", "--policies", "policies.yaml", "--log-format", "json")
	if s.Listen != "" {
		t.Errorf("listens on %q", s.Listen)
	}
	if status, stdout, stderr := runIn(t, "", "health", s.Admin); status != 0 || stdout != "SERVING\n" {
		t.Errorf("health: %d %q %s", status, stdout, stderr)
	}
	write(t, "policies.yaml", strings.ReplaceAll(goodPolicies, "https://a", "https://b"))
	eventually(t, "the edit is taken up", func() bool {
		_, config := s.get(t, "GET", "/config")
		return strings.Contains(config, "https://b.example")
	})

	const want = "corsproc: listen: no address is given, and admin-listen is empty too, so that nobody could ask this process anything; set one of them\n"
	if status, _, stderr := runIn(t, "", "serve", "--policies", "policies.yaml", "--listen=", "--admin-listen="); status != 1 || stderr != want {
		t.Errorf("without any address: %d %s", status, stderr)
	}
}

// TestStopIsNotHeldUp: neither a connection that says nothing nor somebody who watches health delays a stop.
func TestStopIsNotHeldUp(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policies.yaml", goodPolicies)
	s, stop := serve(t, "--policies", "policies.yaml", "--log-format", "json", "--drain-timeout", "1m")
	silent, err := net.Dial("tcp", s.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	conn, err := grpc.NewClient(s.Listen, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	watch, err := healthv1.NewHealthClient(conn).Watch(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(8 * time.Second): // gRPC by itself gives the silent connection 10
		t.Error("the stop is held up")
	}
}

// TestStopWhileLoading: standard input that never ends keeps nobody from stopping.
func TestStopWhileLoading(t *testing.T) {
	endless, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	os.Stdin = endless // and it stays, for the reader that is left behind; no other test uses it
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"serve", "--policies", "-"}, strings.NewReader(""), io.Discard, io.Discard)
	}()
	time.AfterFunc(50*time.Millisecond, cancel)
	select {
	case status := <-done:
		if status != 0 {
			t.Errorf("exit status %d", status)
		}
	case <-time.After(10 * time.Second):
		t.Error("does not stop")
	}
}

func signalSelf(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestSettingsOrder: the flag wins, then the environment, then the settings file, in each of its forms.
func TestSettingsOrder(t *testing.T) {
	for name, text := range map[string]string{
		"settings.yaml": "policies: policies.yaml\nlog-format: json\nadmin-listen: 127.0.0.1:0\n",
		"settings.toml": "policies = \"policies.yaml\"\nlog-format = \"json\"\n",
		"settings.json": `{"policies": "policies.yaml", "log-format": "json"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, "policies.yaml", goodPolicies)
			write(t, "other.yaml", strings.ReplaceAll(goodPolicies, "https://a", "https://other"))
			write(t, name, text)
			s, stop := serve(t, "--config", name)
			if s.ask(t, "https://a.example") != "allowed" {
				t.Error("the file does not count")
			}
			stop()
			t.Setenv("CORSPROC_POLICIES", "other.yaml")
			s, stop = serve(t, "--config", name)
			if s.ask(t, "https://other.example") != "allowed" {
				t.Error("the environment does not win against the file")
			}
			stop()
			s, stop = serve(t, "--config", name, "--policies", "policies.yaml")
			if s.ask(t, "https://a.example") != "allowed" {
				t.Error("the flag does not win against the environment")
			}
			stop()
		})
	}
}
