//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
)

// twins are two listeners of one Envoy that differ in where corsproc is: the one asks it, in the other it is a module. Both
// read the same policy file.
type twins struct {
	*gateway        // address is that of the listener that asks
	module   string // the address of the other
	sent     []exchanged
}

// exchanged is a request that was sent to both.
type exchanged struct {
	wire
	service, module []string // what their clients saw
}

// startTwins starts them for a setup of enforcing.yaml: what corsproc fails to answer is no answer like the module's.
func startTwins(t *testing.T, s setup) *twins {
	t.Helper()
	findModule(t)
	s.config = "enforcing.yaml"
	edit := s.edit
	s.edit = func(c *bootstrap.Config) {
		for _, p := range c.Processors {
			p.MessageTimeout = durationpb.New(patience) // the machine may be busy
		}
		if edit != nil {
			edit(c)
		}
		m := load(t, moduleRecipe)
		m.Listener.Address = c.Listener.Address
		m.Listener.Name = "module"
		filters := m.Manager.GetHttpFilters()
		m.Manager = proto.CloneOf(c.Manager)
		for i, f := range m.Manager.GetHttpFilters() {
			if f.GetName() == bootstrap.ClusterName {
				m.Manager.HttpFilters[i] = filters[0]
			}
		}
		s.loadPolicies(t, m, s.policyDir)
		if _, err := m.JSON(); err != nil { // packs the filter and the manager
			t.Fatal(err)
		}
		c.Bootstrap.StaticResources.Listeners = append(c.Bootstrap.StaticResources.Listeners, m.Listener)
	}
	// One place for both, which is known before Envoy is configured.
	s.policyDir = filepath.Join(t.TempDir(), "policies.yaml")
	if err := os.WriteFile(s.policyDir, []byte(s.policies), 0o600); err != nil {
		t.Fatal(err)
	}
	g := start(t, s)
	g.upstream.handler = http.HandlerFunc(describe)
	return &twins{gateway: g, module: g.envoy.Listeners["module"]}
}

// describe answers with what came, so that a request that was changed on its way is noticed. A handshake is answered too.
func describe(w http.ResponseWriter, r *http.Request) {
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		fmt.Fprint(buffered, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
		_ = w.Header().Write(buffered)
		fmt.Fprint(buffered, "\r\n")
		_ = buffered.Flush()
		_, _ = io.Copy(io.Discard, conn) // until the client has gone
		conn.Close()
		return
	}
	fmt.Fprintf(w, "%s %s%s\n", r.Method, r.Host, r.URL.Path)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if !ownToEach[strings.ToLower(name)] {
			fmt.Fprintf(w, "%s: %q\n", name, r.Header[name])
		}
	}
}

// ownToEach are the headers that differ between any two requests, or answers.
var ownToEach = map[string]bool{"x-request-id": true, "date": true, "x-envoy-upstream-service-time": true}

// wire is a request as it goes over the wire.
type wire struct {
	method, host, path string
	lines              []string
	version            string // "1.1", "1.0" or "2"; empty: 1.1
	protocol           string // of an extended CONNECT, over HTTP/2
	noHost             bool   // without Host, over HTTP/1
}

func (w wire) String() string {
	return fmt.Sprintf("HTTP/%s %s %s%s %s %q", w.version, w.method, w.host, w.path, w.protocol, w.lines)
}

// send sends the request to an address, with an id in its query.
func (w wire) send(address, id string) (answer, error) {
	separator := "?"
	if strings.Contains(w.path, "?") {
		separator = "&"
	}
	path := w.path + separator + id
	if w.version == "2" {
		lines := []string{":method: " + w.method, ":scheme: http", ":authority: " + w.host, ":path: " + path}
		if w.protocol != "" {
			lines = append(lines, ":protocol: "+w.protocol)
		}
		return exchangeHTTP2(address, w.protocol != "", append(lines, w.lines...)...)
	}
	version := w.version
	if version == "" {
		version = "1.1"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/%s\r\n", w.method, path, version)
	if !w.noHost {
		fmt.Fprintf(&b, "Host: %s\r\n", w.host)
	}
	for _, line := range w.lines {
		b.WriteString(line + "\r\n")
	}
	if w.method == http.MethodPost || w.method == http.MethodPut {
		b.WriteString("Content-Length: 0\r\n")
	}
	b.WriteString("\r\n")
	return exchange(address, w.method, []byte(b.String()))
}

// seen is what a client sees of an answer, line by line. The id that the answer may repeat is left out.
func seen(a answer, err error, id string) (lines []string) {
	if err != nil {
		return []string{"error: " + err.Error()}
	}
	lines = append(lines, fmt.Sprint("status: ", a.status))
	for _, name := range slices.Sorted(maps.Keys(a.joined)) {
		if !ownToEach[name] {
			lines = append(lines, name+": "+strings.ReplaceAll(a.joined[name], id, ""))
		}
	}
	return append(lines, "body: "+strings.ReplaceAll(a.body, id, ""))
}

// What the ids of requests begin with, which is of one length for both: some answers repeat them.
const askedID, insideID = "asked-", "inside"

// ask sends a request to both. Its number, by which the access log has it, is its place in sent.
func (w *twins) ask(r wire) {
	n := len(w.sent)
	one := func(address, id string) []string {
		before := w.upstream.requests.Load()
		a, err := r.send(address, id)
		return append(seen(a, err, id), fmt.Sprint("upstream: ", w.upstream.requests.Load()-before))
	}
	w.sent = append(w.sent, exchanged{r, one(w.address, fmt.Sprint(askedID, n, "!")), one(w.module, fmt.Sprint(insideID, n, "!"))})
}

// difference is one between the two that is meant.
type difference struct {
	why     string
	details []string // of the service's answer, in the access log
	host    string   // of the request; empty: any
}

// ownLacks reports whether a line is one as Envoy's routes add them, which the module's own answers lack: what Envoy adds to an
// answer could not be taken away any more.
func ownLacks(line string) bool {
	name, values, _ := strings.Cut(line, ": ")
	if name == "x-added" {
		return true
	}
	// A virtual host and its route may both add some, which are one line then.
	return (name == "vary" || name == "timing-allow-origin") && !slices.ContainsFunc(strings.Split(values, ","), func(value string) bool {
		return !slices.Contains([]string{"*", "x", "Accept"}, value)
	})
}

// compare ends Envoy, and compares what clients and the access log saw of every request.
func (w *twins) compare(meant []difference) {
	w.t.Helper()
	service, module := w.entries()
	met, different := map[string]bool{}, 0
	for i, r := range w.sent {
		details, _ := service[i]["details"].(string)
		own := strings.HasPrefix(details, "cors_")
		if own {
			if details != fmt.Sprint("cors_", module[i]["cors_reason"]) || module[i]["details"] != "" {
				w.t.Errorf("%d %v: details %q, and the module gives the reason %q and the details %q", i, r.wire, details, module[i]["cors_reason"], module[i]["details"])
			}
			service[i]["details"] = ""
			r.service = slices.DeleteFunc(r.service, ownLacks)
		}
		diff := cmp.Diff(r.service, r.module) + cmp.Diff(service[i], module[i])
		if diff == "" {
			continue
		}
		if n := slices.IndexFunc(meant, func(d difference) bool {
			return slices.Contains(d.details, details) && (d.host == "" || d.host == r.host)
		}); n >= 0 {
			met[meant[n].why] = true
			continue
		}
		if different++; different <= 10 {
			w.t.Errorf("%d %v (-service +module):\n%s", i, r.wire, diff)
		}
	}
	for _, d := range meant {
		if !met[d.why] {
			w.t.Errorf("this makes no difference: %s", d.why)
		}
	}
	w.t.Logf("%d requests, %d of them are answered otherwise", len(w.sent), different)
}

// reload puts other policies in force, in both.
func (w *twins) reload(policies string) {
	w.t.Helper()
	hash := func() string {
		for line := range strings.Lines(w.metrics()) {
			if value, ok := strings.CutPrefix(line, `corsproc_policy_info{hash="`); ok {
				return value[:12] // of which Envoy's gauge has as much
			}
		}
		w.t.Fatal("corsproc does not say which policies are in force")
		return ""
	}
	before := hash()
	replace(w.t, w.policyFile, []byte(policies))
	var now string
	eventually(w.t, "the service has loaded the policies", func() bool { now = hash(); return now != before })
	eventually(w.t, "the module has loaded the policies", func() bool {
		return fmt.Sprintf("%012x", w.stat(w.t, "corsproc.policy_hash")) == now
	})
}

// entries ends Envoy and returns what its access log says of each request: of the service's and of the module's.
func (w *twins) entries() (service, module []map[string]any) {
	w.t.Helper()
	w.stopEnvoy()
	service, module = make([]map[string]any, len(w.sent)), make([]map[string]any, len(w.sent))
	for line := range strings.Lines(w.log.String()) {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) != nil {
			if !strings.Contains(line, "caught ENVOY_SIGTERM") && !strings.Contains(line, "refusals not logged") {
				w.t.Errorf("Envoy complains: %s", line)
			}
			continue
		}
		path, _ := entry["path"].(string)
		for name, list := range map[string][]map[string]any{askedID: service, insideID: module} {
			if at := strings.LastIndex(path, name); at >= 0 {
				var n int
				if _, err := fmt.Sscanf(path[at+len(name):], "%d!", &n); err == nil && n < len(list) {
					list[n] = entry
				}
			}
		}
		delete(entry, "path")
		delete(entry, "time")
		delete(entry, "duration_ms")
	}
	return service, module
}
