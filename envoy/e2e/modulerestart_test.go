//go:build unix

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/envoy/internal/launch"
)

// TestModuleHotRestart starts a second Envoy that takes the listener over from the first: both have the module, no request
// fails, and what is edited meanwhile is taken up by each. Envoy adds up the gauges of both while there are both, by which the
// alerts know such a restart, and has those of the second alone when the first has ended.
func TestModuleHotRestart(t *testing.T) {
	dir, err := os.MkdirTemp("", "corsproc-") // a short path: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	port := closedPort(t)
	arguments := func(epoch int, base ...string) []string {
		return append([]string{
			"--concurrency", "2", "--restart-epoch", fmt.Sprint(epoch), "--drain-time-s", "1", "--parent-shutdown-time-s", "3",
			"--socket-path", filepath.Join(dir, "restart"), "--socket-mode", "600",
		}, base...)
	}
	base := filepath.Join(dir, "base")
	var config string
	g := start(t, setup{config: moduleRecipe, policies: shopPolicies, launch: arguments(0, "--use-dynamic-base-id", "--base-id-path", base), edit: func(c *bootstrap.Config) {
		c.Bootstrap.StatsFlushInterval = durationpb.New(200 * time.Millisecond) // when the second asks the first for its statistics
		c.Listen(bootstrap.Address{IP: "127.0.0.1", Port: port}, bootstrap.Address{IP: "127.0.0.1"})
		if config, err = c.WriteTemp(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(config) })
	}})
	id, err := os.ReadFile(base)
	if err != nil {
		t.Fatal(err)
	}
	traffic := g.startTraffic()
	binary, err := launch.FindEnvoy(root)
	need(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	second, err := launch.StartEnvoyWith(ctx, binary, config, g.log, append(arguments(1, "--base-id", strings.TrimSpace(string(id))), "--log-level", "warning")...)
	if err != nil {
		t.Fatalf("%v\n%s", err, g.log)
	}
	t.Cleanup(func() { second.Stop(syscall.SIGTERM, patience) })
	gauges := func() string {
		return (&gateway{t: t, envoy: second}).stats("/stats/prometheus", "envoy_corsproc_policy_")
	}
	hold := func(hash string, good int) func() bool {
		return func() bool {
			got := gauges()
			return strings.Contains(got, "envoy_corsproc_policy_hash{} "+hash+"\n") && strings.Contains(got, fmt.Sprintf("envoy_corsproc_policy_last_reload_successful{} %d\n", good))
		}
	}
	var one int
	if _, err := fmt.Sscan(hash48(t, g.policyFile), &one); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the gauges are the sums of both", hold(fmt.Sprint(2*one), 2))
	replace(t, g.policyFile, []byte(strings.ReplaceAll(shopPolicies, "X-Request-Id", "X-Edited")))
	select {
	case <-g.envoy.Done():
	case <-ctx.Done():
		t.Fatal("the first Envoy does not end")
	}
	eventually(t, "the edit is in force", func() bool {
		return g.do("GET", "api.example.com", "/", "Origin: https://shop.example.com").joined["access-control-expose-headers"] == "X-Edited"
	})
	eventually(t, "the gauges are those of one again", hold(hash48(t, g.policyFile), 1))
	if failed := traffic.end(); len(failed) > 0 {
		t.Errorf("of %d requests went wrong: %v", traffic.requests.Load(), failed)
	}
	t.Logf("%d requests", traffic.requests.Load())
	if log := g.log.String(); strings.Contains(log, "[critical]") || strings.Contains(log, "panic") {
		t.Errorf("Envoy complains:\n%s", log)
	}
}
