package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/corsproc/corsproc/server/admin"
	"github.com/corsproc/corsproc/server/logs"
	"github.com/corsproc/corsproc/server/logtest"
)

// patience is how long a test waits for what happens at once.
const patience = 20 * time.Second

const somePolicies = `policies:
  shop:
    allow_origins: [https://shop.example.com]
    allow_methods: [PUT]
virtual_hosts:
  - name: api
    domains: [api.example.com]
    policies: [shop]
`

// running is a server in this process.
type running struct {
	t       testing.TB
	path    string // its policy file
	log     *logtest.Buffer
	records []map[string]any
	past    []map[string]any // records that came no later than one that was waited for
	signals chan os.Signal
	done    chan error
	stop    func() // ends it at once, and waits until it has

	listen, admin string
}

// start starts a server with the policies, and waits until it is ready.
func start(t testing.TB, policies string, change func(*Settings)) *running {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policies.yaml")
	r := &running{t: t, path: path, log: new(logtest.Buffer), signals: make(chan os.Signal, 8), done: make(chan error, 1)}
	r.write(policies)
	s := Settings{
		Policies: path, Listen: []string{"127.0.0.1:0"}, AdminListen: "127.0.0.1:0", SocketMode: 0o660,
		MaxConnections: 100, MaxMessageBytes: 1 << 18, DrainTimeout: patience, LogFormat: logs.JSON,
	}
	if change != nil {
		change(&s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		r.done <- Run(ctx, s, Environment{Log: r.log, Signals: r.signals, Build: admin.Build{Version: "test"}})
		close(stopped)
	}()
	r.stop = func() {
		cancel()
		<-stopped
	}
	t.Cleanup(r.stop)
	ready := r.logged("ready")
	r.listen, r.admin = ready["listen"].(string), ready["admin"].(string)
	return r
}

// onEach runs a test once for each transport. Those that are about something else run on the default alone.
func onEach(t *testing.T, test func(t *testing.T, transport Transport)) {
	for _, transport := range []Transport{TransportLoop, TransportGRPC} {
		t.Run(string(transport), func(t *testing.T) { test(t, transport) })
	}
}

func (r *running) write(policies string) {
	r.t.Helper()
	if err := os.WriteFile(r.path, []byte(policies), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// logged waits for a record with the message. It and those before it are past then.
func (r *running) logged(message string) map[string]any {
	r.t.Helper()
	var found map[string]any
	eventually(r.t, func() error {
		r.records = append(r.records, r.log.Take(r.t)...)
		for i, record := range r.records {
			if record["msg"] == message {
				found = record
				r.past = append(r.past, r.records[:i+1]...)
				r.records = r.records[i+1:]
				return nil
			}
		}
		return fmt.Errorf("no record %q in %v", message, r.records)
	})
	return found
}

// ended waits for the end of the server.
func (r *running) ended() error {
	r.t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(patience):
		r.t.Fatal("the server does not end")
		return nil
	}
}

// eventually calls check until it returns nil.
func eventually(t testing.TB, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (r *running) connect() *grpc.ClientConn {
	r.t.Helper()
	conn, err := grpc.NewClient(strings.Split(r.listen, ",")[0], grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	return conn
}

// open begins a stream with the request headers of an HTTP request from a page of origin, and returns it with the reply.
func (r *running) open(conn *grpc.ClientConn, origin string) (extprocv3.ExternalProcessor_ProcessClient, *extprocv3.ProcessingResponse, error) {
	r.t.Helper()
	stream, err := extprocv3.NewExternalProcessorClient(conn).Process(r.t.Context())
	if err != nil {
		return nil, nil, err
	}
	var headers []*corev3.HeaderValue
	for _, h := range [][2]string{
		{":method", "GET"}, {":scheme", "https"}, {":authority", "api.example.com"}, {":path", "/"}, {"origin", origin},
	} {
		headers = append(headers, &corev3.HeaderValue{Key: h[0], RawValue: []byte(h[1])})
	}
	err = stream.Send(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{
		RequestHeaders: &extprocv3.HttpHeaders{Headers: &corev3.HeaderMap{Headers: headers}, EndOfStream: true},
	}})
	if err != nil {
		return nil, nil, err
	}
	reply, err := stream.Recv()
	return stream, reply, err
}

// allowed sends the rest of an exchange and reports whether the response is given to the page.
func (r *running) allowed(stream extprocv3.ExternalProcessor_ProcessClient) bool {
	r.t.Helper()
	err := stream.Send(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseHeaders{
		ResponseHeaders: &extprocv3.HttpHeaders{Headers: &corev3.HeaderMap{}},
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	reply, err := stream.Recv()
	if err != nil {
		r.t.Fatal(err)
	}
	return slices.ContainsFunc(reply.GetResponseHeaders().GetResponse().GetHeaderMutation().GetSetHeaders(), func(h *corev3.HeaderValueOption) bool {
		return h.GetHeader().GetKey() == "access-control-allow-origin"
	})
}

// ask makes an exchange of its own.
func (r *running) ask(conn *grpc.ClientConn, origin string) bool {
	r.t.Helper()
	stream, _, err := r.open(conn, origin)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.allowed(stream)
}

func (r *running) http(method, path string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, "http://"+r.admin+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// has fails unless the metrics have each of the lines.
func (r *running) has(lines ...string) {
	r.t.Helper()
	_, body := r.http("GET", "/metrics")
	for _, line := range lines {
		if !strings.Contains(body, "\n"+line+"\n") {
			r.t.Errorf("/metrics lacks %q:\n%s", line, body)
		}
	}
}

func TestServing(t *testing.T) { onEach(t, testServing) }

func testServing(t *testing.T, transport Transport) {
	socket := filepath.Join(t.TempDir(), "corsproc.sock")
	r := start(t, somePolicies, func(s *Settings) {
		s.Transport, s.Listen = transport, append(s.Listen, "unix://"+socket)
	})
	if _, second, _ := strings.Cut(r.listen, ","); second != "unix://"+socket {
		t.Errorf("ready with listen %q", r.listen)
	}
	for _, addr := range strings.Split(r.listen, ",") {
		r.listen = addr
		conn := r.connect()
		if !r.ask(conn, "https://shop.example.com") {
			t.Errorf("%s: an allowed origin is refused", addr)
		}
		if r.ask(conn, "https://evil.example") {
			t.Errorf("%s: an origin that is not allowed is allowed", addr)
		}
		for _, service := range []string{"", "envoy.service.ext_proc.v3.ExternalProcessor"} {
			answer, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
			if err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
				t.Errorf("%s: health of %q: %v, %v", addr, service, answer.GetStatus(), err)
			}
		}
	}
	refused := r.logged("refused")
	if want := r.path + ":8:15"; refused["origin"] != "https://evil.example" || refused["rule"] != want {
		t.Errorf("refusal logged as %v, want rule %q", refused, want)
	}
	r.has(
		`corsproc_decisions_total{kind="actual",policy="shop",reason="allowed",virtual_host="api"} 2`,
		`corsproc_decisions_total{kind="actual",policy="",reason="origin_not_allowed",virtual_host="api"} 2`,
		`corsproc_decision_duration_seconds_count 4`,
		`corsproc_policy_reload_total{result="success"} 1`,
		`corsproc_policy_last_reload_successful 1`,
	)
	eventually(t, func() error {
		if _, body := r.http("GET", "/metrics"); !strings.Contains(body, "\ncorsproc_streams_active 0\n") {
			return errors.New("streams are still active")
		}
		return nil
	})
}

func TestLargeMessageIsRefused(t *testing.T) { onEach(t, testLargeMessageIsRefused) }

func testLargeMessageIsRefused(t *testing.T, transport Transport) {
	r := start(t, somePolicies, func(s *Settings) { s.Transport, s.MaxMessageBytes = transport, 2000 })
	_, _, err := r.open(r.connect(), "https://"+strings.Repeat("x", 2000))
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message over the limit: %v, want ResourceExhausted", err)
	}
}

func TestReload(t *testing.T) {
	const bad = "policies: {shop: {allow_origins: ['https://Shop.example.com/']}}\n"
	other := strings.ReplaceAll(somePolicies, "shop", "desk")
	for name, reload := range map[string]func(*running) (int, string){
		"POST":   func(r *running) (int, string) { return r.http("POST", "/-/reload") },
		"SIGHUP": func(r *running) (int, string) { r.signals <- syscall.SIGHUP; return 0, "" },
		"watch":  func(*running) (int, string) { return 0, "" },
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, somePolicies, nil)
			conn := r.connect()
			// A stream keeps the set that it began with.
			old, _, err := r.open(conn, "https://shop.example.com")
			if err != nil {
				t.Fatal(err)
			}

			r.write(bad)
			if code, body := reload(r); code != 0 && (code != 400 || !strings.HasPrefix(body, r.path+":1:35: ")) {
				t.Errorf("reloading a bad file: %d %q", code, body)
			}
			r.logged("policies not loaded; the last good set stays in force")
			if fault := r.logged("policy error"); fault["place"] != r.path+":1:35" {
				t.Errorf("logged as %v", fault)
			}
			r.has(`corsproc_policy_last_reload_successful 0`, `corsproc_policy_reload_total{result="failure"} 1`)
			if !r.ask(conn, "https://shop.example.com") {
				t.Error("the last good set is not in force any more")
			}
			// The same content again is neither counted nor logged, and still answered with what is wrong.
			if code, body := r.http("POST", "/-/reload"); code != 400 || !strings.HasPrefix(body, r.path+":1:35: ") {
				t.Errorf("reloading the same bad file: %d %q", code, body)
			}
			r.has(`corsproc_policy_reload_total{result="failure"} 1`)

			r.write(other)
			// The watch may have been faster.
			if code, body := reload(r); code != 0 && (code != 200 || body != "reloaded\n" && body != "unchanged\n") {
				t.Errorf("reloading a good file: %d %q", code, body)
			}
			r.logged("policies loaded")
			if r.ask(conn, "https://shop.example.com") || !r.ask(conn, "https://desk.example.com") {
				t.Error("the new set is not in force")
			}
			if !r.allowed(old) {
				t.Error("a stream changed its set in the middle")
			}
			if code, body := r.http("POST", "/-/reload"); code != 200 || body != "unchanged\n" {
				t.Errorf("reloading the same good file: %d %q", code, body)
			}
			r.has(`corsproc_policy_last_reload_successful 1`, `corsproc_policy_reload_total{result="success"} 2`,
				`corsproc_decisions_total{kind="actual",policy="desk",reason="allowed",virtual_host="api"} 1`)
			if _, body := r.http("GET", "/metrics"); strings.Count(body, "corsproc_policy_info{") != 1 || strings.Contains(body, `policy="shop"`) {
				t.Errorf("metrics still name the old set:\n%s", body)
			}
			if _, body := r.http("GET", "/config"); !strings.Contains(body, "https://desk.example.com") {
				t.Errorf("/config is %q", body)
			}
		})
	}
}

func TestStop(t *testing.T) { onEach(t, testStop) }

func testStop(t *testing.T, transport Transport) {
	for _, test := range []struct {
		name    string
		signals []os.Signal
		delay   time.Duration
		timeout time.Duration
		finish  bool // the open stream finishes during the drain
		want    codes.Code
	}{
		{name: "SIGTERM, and the open stream finishes", signals: []os.Signal{syscall.SIGTERM}, delay: time.Millisecond, timeout: patience, finish: true},
		{name: "SIGINT skips the delay", signals: []os.Signal{os.Interrupt}, delay: time.Hour, timeout: patience, finish: true},
		{name: "the timeout cuts the stream short", signals: []os.Signal{syscall.SIGTERM}, timeout: time.Millisecond, want: codes.Unavailable},
		{name: "a second signal cuts it short", signals: []os.Signal{syscall.SIGTERM, syscall.SIGTERM}, delay: time.Hour, timeout: time.Hour, want: codes.Unavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := start(t, somePolicies, func(s *Settings) {
				s.Transport, s.DrainDelay, s.DrainTimeout = transport, test.delay, test.timeout
			})
			stream, _, err := r.open(r.connect(), "https://shop.example.com")
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range test.signals {
				r.signals <- s
			}
			r.logged("draining")
			if test.finish && !r.allowed(stream) {
				t.Error("the open stream is not served to its end")
			}
			if _, err := stream.Recv(); err != io.EOF && status.Code(err) != test.want {
				t.Errorf("the open stream ended with %v, want %v", err, test.want)
			}
			if err := r.ended(); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
}

// Within the delay health says NOT_SERVING already, and new streams are served.
func TestDrainDelay(t *testing.T) { onEach(t, testDrainDelay) }

func testDrainDelay(t *testing.T, transport Transport) {
	r := start(t, somePolicies, func(s *Settings) { s.Transport, s.DrainDelay = transport, time.Hour })
	if code, _ := r.http("GET", "/-/ready"); code != 200 {
		t.Errorf("/-/ready is %d before the drain", code)
	}
	conn := r.connect()
	r.signals <- syscall.SIGTERM
	r.logged("draining")
	if code, _ := r.http("GET", "/-/ready"); code != 503 {
		t.Errorf("/-/ready is %d in the delay, want 503", code)
	}
	if code, _ := r.http("GET", "/-/healthy"); code != 200 {
		t.Errorf("/-/healthy is %d in the delay, want 200", code)
	}
	answer, err := healthv1.NewHealthClient(conn).Check(t.Context(), new(healthv1.HealthCheckRequest))
	if err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health in the delay: %v, %v", answer.GetStatus(), err)
	}
	if !r.ask(r.connect(), "https://shop.example.com") {
		t.Error("a new stream on a new connection is not served in the delay")
	}
	r.signals <- syscall.SIGTERM
	if err := r.ended(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestStartErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, test := range []struct {
		name     string
		policies string
		change   func(*Settings)
		want     string
	}{
		{"address in use", somePolicies, func(s *Settings) { s.Listen = []string{taken.Addr().String()} }, "cannot listen on " + taken.Addr().String()},
		{"admin address in use", somePolicies, func(s *Settings) { s.AdminListen = taken.Addr().String() }, "cannot listen on " + taken.Addr().String()},
		{"reachable without encryption", somePolicies, func(s *Settings) { s.Listen = []string{":0"} }, "can be reached by other machines"},
		{"address and certificate", somePolicies, func(s *Settings) { s.Listen, s.TLSCert, s.TLSKey = []string{"nonsense"}, "/missing", "/missing" },
			"\"nonsense\" is no address; write host:port or unix:///path\ntls-cert: \"/missing\" does not exist"},
		{"no policy file", somePolicies, func(s *Settings) { s.Policies += "x" }, "policies.yamlx does not exist"},
		{"bad policy file", "polices: {}", nil, "the policy files cannot be used"},
		{"empty policy file", "", nil, "the policy files cannot be used"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "policies.yaml")
			if err := os.WriteFile(path, []byte(test.policies), 0o600); err != nil {
				t.Fatal(err)
			}
			s := Settings{Policies: path, Listen: []string{"127.0.0.1:0"}, AdminListen: "127.0.0.1:0", MaxConnections: 1, MaxMessageBytes: 1 << 18, LogFormat: logs.JSON}
			if test.change != nil {
				test.change(&s)
			}
			err := Run(t.Context(), s, Environment{Log: io.Discard})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Run: %v, want it to say %q", err, test.want)
			}
			bad := (*PolicyError)(nil)
			if errors.As(err, &bad) != (test.want == "the policy files cannot be used") {
				t.Errorf("Run: %T", err)
			} else if bad != nil && len(bad.Findings) == 0 {
				t.Error("no findings")
			}
		})
	}
}
