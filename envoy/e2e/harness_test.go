//go:build unix

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/envoy/internal/launch"
	"github.com/corsproc/corsproc/policy/casetable"
)

// root is the repository, seen from this package.
const root = "../.."

// patience is for what takes milliseconds on a machine that has nothing else to do.
const patience = 30 * time.Second

// binary is the corsproc that TestMain built.
var binary string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "corsproc-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "corsproc")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/corsproc/corsproc/cmd/corsproc").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building corsproc: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// need skips a test that lacks something, or fails it where everything has to be there.
func need(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CORSPROC_REQUIRE_E2E") != "" {
		t.Fatal(err)
	}
	t.Skipf("SKIPPED, not tested: %v", err)
}

// setup is what a test wants to stand.
type setup struct {
	config       string    // the reference configuration, or the path of another; default: envoy.yaml
	platform     *platform // whose configuration it is instead; nil: a reference
	envoy        string    // the Envoy binary; default: the one that launch.FindEnvoy finds
	policies     string    // the policy file's text
	policyDir    string    // a directory of policy files in place of it
	hosts        []hosted  // of a platform; nil: those of its file
	virtualHosts string    // a YAML list in Envoy's format; empty: one, "local", for all domains, to the upstream
	before       string    // HTTP filters before corsproc, a YAML list
	after        string    // HTTP filters behind it
	edit         func(c *bootstrap.Config)
	upstream     uint16                       // a port where a platform's application is; 0: the tests' own upstream
	noUpstream   bool                         // of a platform: nobody listens where the application should be
	noService    bool                         // corsproc does not run: its port is one on which nobody listens
	settings     map[string]any               // of a module, beside the policies
	launch       []string                     // Envoy's arguments, beside its log's level; nil: one worker, no hot restart
	replicas     int                          // how many corsproc run; default: 1
	args         []string                     // more settings of theirs
	gap          func(c *casetable.Case) bool // cases about which Envoy, being old, asks nobody; nil: none
}

// oneVirtualHost sends everything to the upstream.
const oneVirtualHost = `[{name: local, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: echo}}]}]`

// gateway is an Envoy with corsproc and an upstream.
type gateway struct {
	t          *testing.T
	address    string // Envoy's listener
	envoy      *launch.Envoy
	service    *launch.Service // the first of replicas; nil without one
	replicas   []*launch.Service
	policyFile string
	args       []string // settings of corsproc
	upstream   *upstream
	log        *syncBuffer // what Envoy printed, its access log with it
}

// start starts a gateway that ends with the test.
func start(t *testing.T, s setup) *gateway {
	t.Helper()
	if s.envoy == "" {
		found, err := launch.FindEnvoy(root)
		need(t, err)
		s.envoy = found
	}
	if s.module() {
		findModule(t)
		s.noService = true
	}
	g := &gateway{t: t, upstream: newUpstream(t), log: &syncBuffer{}}
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("no answer within %s", patience))
	defer cancel()

	endpoints := []bootstrap.Address{{IP: "127.0.0.1", Port: closedPort(t)}}
	if !s.noService || s.module() {
		g.policyFile = s.policyDir
		if s.policyDir == "" {
			g.policyFile = filepath.Join(t.TempDir(), "policies.yaml")
			if err := os.WriteFile(g.policyFile, []byte(s.policies), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !s.noService {
		g.args, endpoints = s.args, nil
		for range max(s.replicas, 1) {
			replica := g.startService(ctx, "127.0.0.1:0")
			g.replicas = append(g.replicas, replica)
			first, _, _ := strings.Cut(replica.Listen, ",") // a test may want more of them
			endpoints = append(endpoints, addressOf(t, first))
		}
		g.service = g.replicas[0]
	}

	var c *bootstrap.Config
	logLevel := "warning"
	if s.platform != nil {
		c = s.platform.configure(t, &s, endpoints, addressOf(t, g.upstream.address))
		logLevel = "error" // what control planes write is not always the newest
	} else {
		c = s.configure(t, endpoints, addressOf(t, g.upstream.address))
	}
	if s.module() {
		s.loadPolicies(t, c, g.policyFile)
	}
	if s.edit != nil {
		s.edit(c)
	}
	path, err := c.WriteTemp()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(path) })
	if s.launch == nil {
		s.launch = []string{"--concurrency", "1", "--disable-hot-restart"}
	}
	if g.envoy, err = launch.StartEnvoyWith(ctx, s.envoy, path, g.log, append(s.launch, "--log-level", logLevel)...); err != nil {
		t.Fatalf("%v\n%s", err, g.log)
	}
	t.Cleanup(g.stopEnvoy)
	g.address = g.envoy.Listener
	if s.platform != nil {
		g.address = g.envoy.Listeners[s.platform.entry]
	}
	if !s.noService {
		g.waitForService(ctx)
	}
	if !s.noService && s.platform != nil {
		g.warmUp(ctx, c.Manager.GetRouteConfig().GetVirtualHosts())
	}
	return g
}

// configure returns the reference configuration that the test wants.
func (s *setup) configure(t *testing.T, service []bootstrap.Address, upstream bootstrap.Address) *bootstrap.Config {
	t.Helper()
	config := s.config
	if config == "" {
		config = "envoy.yaml"
	}
	if !filepath.IsAbs(config) {
		config = filepath.Join(root, "envoy", config)
	}
	c, err := bootstrap.Load(config)
	if err != nil {
		t.Fatal(err)
	}
	c.Listen(bootstrap.Address{IP: "127.0.0.1"}, bootstrap.Address{IP: "127.0.0.1"})
	hosts := s.virtualHosts
	if hosts == "" {
		hosts = oneVirtualHost
	}
	if err := errors.Join(
		c.SetEndpoint("echo", upstream),
		c.SetVirtualHosts(hosts),
		c.AddFilters(s.before, s.after),
	); err != nil {
		t.Fatal(err)
	}
	if !s.module() {
		if err := c.SetEndpoint(bootstrap.ClusterName, service...); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// startService starts corsproc on an address, and ends it with the test.
func (g *gateway) startService(ctx context.Context, listen string) *launch.Service {
	g.t.Helper()
	log := &syncBuffer{}
	s, err := launch.StartService(ctx, binary, append([]string{
		"--policies", g.policyFile, "--listen", listen, "--admin-listen", "127.0.0.1:0", "--drain-delay", "0s",
	}, g.args...), log)
	if err != nil {
		g.t.Fatalf("%v\n%s", err, log)
	}
	g.t.Cleanup(func() { s.Stop(syscall.SIGINT, time.Second) })
	return s
}

// waitForService waits until Envoy's health checks have found every replica of corsproc. Until then Envoy would ask it too, but the first
// connection may take longer than a message's time-out on a busy machine.
func (g *gateway) waitForService(ctx context.Context) {
	g.t.Helper()
	for {
		stats, err := g.envoy.Get(ctx, "/stats?filter=cluster.*corsproc.*membership_healthy")
		if err == nil && strings.HasSuffix(strings.TrimSpace(string(stats)), fmt.Sprint(": ", len(g.replicas))) {
			return
		}
		select {
		case <-ctx.Done():
			g.t.Fatalf("Envoy does not find corsproc: %s %v", stats, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stopEnvoy stops Envoy, which then writes out what it still holds of its access log.
func (g *gateway) stopEnvoy() {
	if g.envoy != nil {
		g.envoy.Stop(syscall.SIGTERM, patience)
		g.envoy = nil
	}
}

// answer is what a client got.
type answer struct {
	status int
	header http.Header // as it came
	joined map[string]string
	body   string
}

// do sends one HTTP/1.1 request whose header lines are written as they are, so that a test can say what no client
// library would.
func (g *gateway) do(method, host, path string, lines ...string) answer {
	g.t.Helper()
	a, err := send(g.address, method, host, path, lines...)
	if err != nil {
		g.t.Fatalf("%s %s%s: %v", method, host, path, err)
	}
	return a
}

func send(address, method, host, path string, lines ...string) (answer, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, host)
	for _, line := range lines {
		b.WriteString(line + "\r\n")
	}
	if method == http.MethodPost || method == http.MethodPut {
		b.WriteString("Content-Length: 0\r\n")
	}
	b.WriteString("\r\n")
	return exchange(address, method, b.Bytes())
}

// exchange sends the bytes of a request on a connection of its own, and returns the answer.
func exchange(address, method string, request []byte) (answer, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience)) // on a connection that was just opened
	if _, err := conn.Write(request); err != nil {
		return answer{}, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	a := answer{status: response.StatusCode, header: response.Header, joined: map[string]string{}, body: string(body)}
	return a.join(), err
}

// upstream is a server whose answers tests dictate.
type upstream struct {
	address  string
	requests atomic.Int64 // how many reached it
	lines    sync.Map     // the value of X-Case -> []string, header lines of the answer
	work     func()       // what a request takes; nil: nothing. Set before the first request
	handler  http.Handler // what is answered beside those lines; nil: one word. Set before the first request
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{address: listener.Addr().String()}
	server := &http.Server{Handler: u, ReadHeaderTimeout: time.Minute}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return u
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.requests.Add(1)
	if lines, ok := u.lines.Load(r.Header.Get("X-Case")); ok {
		for _, line := range lines.([]string) {
			name, value, _ := strings.Cut(line, ":")
			w.Header().Add(name, strings.TrimSpace(value))
		}
	}
	if u.work != nil {
		u.work()
	}
	if u.handler != nil {
		u.handler.ServeHTTP(w, r)
		return
	}
	fmt.Fprintln(w, "upstream")
}

// answers makes the upstream give these header lines to requests with the header "X-Case: name".
func (u *upstream) answers(name string, lines ...string) { u.lines.Store(name, lines) }

// syncBuffer takes what several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func addressOf(t *testing.T, hostport string) bootstrap.Address {
	t.Helper()
	a, err := bootstrap.ParseAddress(hostport)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// closedPort returns a port on which nobody listens.
func closedPort(t *testing.T) uint16 {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return uint16(listener.Addr().(*net.TCPAddr).Port)
}
