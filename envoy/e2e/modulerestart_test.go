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

	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/envoy/internal/launch"
)

// TestModuleHotRestart starts a second Envoy that takes the listener over from the first: both have the module, no request
// fails, and what is edited meanwhile is taken up by each.
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
	replace(t, g.policyFile, []byte(strings.ReplaceAll(shopPolicies, "X-Request-Id", "X-Edited")))
	select {
	case <-g.envoy.Done():
	case <-ctx.Done():
		t.Fatal("the first Envoy does not end")
	}
	eventually(t, "the edit is in force", func() bool {
		return g.do("GET", "api.example.com", "/", "Origin: https://shop.example.com").joined["access-control-expose-headers"] == "X-Edited"
	})
	if failed := traffic.end(); len(failed) > 0 {
		t.Errorf("of %d requests went wrong: %v", traffic.requests.Load(), failed)
	}
	t.Logf("%d requests", traffic.requests.Load())
	if log := g.log.String(); strings.Contains(log, "[critical]") || strings.Contains(log, "panic") {
		t.Errorf("Envoy complains:\n%s", log)
	}
}
