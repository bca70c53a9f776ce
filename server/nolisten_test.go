package server

import (
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/corsproc/corsproc/server/tlstest"
)

// startWithoutListeners starts a server that has the admin address alone.
func startWithoutListeners(t *testing.T, change func(*Settings)) *running {
	t.Helper()
	return start(t, pagePolicies, func(s *Settings) {
		s.Listen = nil
		if change != nil {
			change(s)
		}
	})
}

// TestWithoutListeners: the admin address is all there is, and everything there is about the policies works.
func TestWithoutListeners(t *testing.T) {
	r := startWithoutListeners(t, nil)
	if r.listen != "" {
		t.Errorf("listens on %q", r.listen)
	}
	for path, want := range map[string]string{
		"/-/ready": "corsproc is ready.\n", "/-/healthy": "corsproc is running.\n",
		"/config": "https://*.partner.example", "/": "No Envoy asks this process", "/metrics": "corsproc_policy_last_reload_successful 1\n",
	} {
		if _, text := r.http("GET", path); !strings.Contains(text, want) {
			t.Errorf("%s: %s", path, text)
		}
	}
	if _, text := r.http("GET", "/metrics"); strings.Contains(text, "corsproc_connections_max") {
		t.Errorf("there are no connections to count:\n%s", text)
	}
	if code, text := r.call("Explain", `{"origin": "https://shop.example.com", "url": "https://api.example.com/"}`); code != 200 || !strings.Contains(text, `"verdict":"allowed"`) {
		t.Errorf("explain: %d %s", code, text)
	}
	if code, text := r.call("LogDecisions", `{"virtual_host": "api"}`); code != 400 || !strings.Contains(text, "nothing is decided here: this process has no --listen") {
		t.Errorf("LogDecisions: %d %s", code, text)
	}
	if s := r.status(); s.Traffic != nil || !s.Ready || len(s.InForce.Policies) != 3 {
		t.Errorf("status %v", s)
	}
	r.write(strings.ReplaceAll(pagePolicies, "partner.example", "other.example"))
	r.logged("policies loaded")
	if _, text := r.http("GET", "/config"); !strings.Contains(text, "https://*.other.example") {
		t.Errorf("what is in force after a reload:\n%s", text)
	}
}

// TestStopWithoutListeners: no stream is waited for.
func TestStopWithoutListeners(t *testing.T) {
	r := startWithoutListeners(t, func(s *Settings) { s.DrainDelay = time.Hour })
	r.signals <- syscall.SIGTERM
	if err := r.ended(); err != nil {
		t.Error(err)
	}
}

// TestSettingsWithoutListeners: what would be misunderstood is said.
func TestSettingsWithoutListeners(t *testing.T) {
	cert, key := tlstest.NewCA(t, "servers").Issue(tlstest.Leaf{Names: []string{"127.0.0.1"}}).Write(t, t.TempDir(), "s")
	for name, c := range map[string]struct {
		change func(*Settings)
		want   string
	}{
		"TLS":    {func(s *Settings) { s.TLSCert, s.TLSKey = cert, key }, "TLS is for --listen alone, and there is none: tls-cert, tls-key and tls-client-ca mean nothing; the admin address has no TLS"},
		"traces": {func(s *Settings) { s.OTLPEndpoint = "127.0.0.1:1" }, "there are no traces, because there is no --listen, and so no request is seen; otlp-endpoint and the OTEL_ variables mean nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			r := startWithoutListeners(t, c.change)
			if !slices.ContainsFunc(r.past, func(record map[string]any) bool { return record["msg"] == c.want && record["level"] == "WARN" }) {
				t.Errorf("not said in %v", r.past)
			}
		})
	}
}

// TestPageWithoutListeners: the page works, and shows nothing of what is not there.
func TestPageWithoutListeners(t *testing.T) {
	r := startWithoutListeners(t, nil)
	b := newTab(t)
	b.open("http://"+r.admin+"/", `document.getElementById("since").innerText.includes("ago")`)
	b.says("policies-rows", r.path+":2:3")
	b.says("hosts-rows", r.path+":14:5")
	text := evaluate[string](b, `document.body.innerText`)
	for _, absent := range []string{"Open streams", "Decisions", "Refused", "Candidates\n"} {
		if strings.Contains(text, absent) {
			t.Errorf("the page shows %s:\n%s", absent, text)
		}
	}
}

// TestHealthOnTheAdminAddress: gRPC health is there too, for probes of processes that have no other address.
func TestHealthOnTheAdminAddress(t *testing.T) {
	r := start(t, somePolicies, nil)
	conn := r.adminConn()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for service, want := range map[string]codes.Code{"": codes.OK, "corsproc.v1.AdminService": codes.OK, "envoy.service.ext_proc.v3.ExternalProcessor": codes.NotFound} {
		answer, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{Service: service})
		if status.Code(err) != want || err == nil && answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v %v", service, answer, err)
		}
	}
	watch, err := healthv1.NewHealthClient(conn).Watch(ctx, &healthv1.HealthCheckRequest{})
	if err == nil {
		_, err = watch.Recv()
	}
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("watch: %v", err)
	}
}
