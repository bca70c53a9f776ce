//go:build unix

package e2e

import (
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestMeshPage opens the page of the demo in a real browser, with each platform's configuration in front of the demo's
// upstream. The policy file is the demo's but for how places are found.
func TestMeshPage(t *testing.T) {
	withPlatforms(t, func(t *testing.T, p *platform) {
		page, upstream := closedPort(t), closedPort(t)
		d := &demo{log: &syncBuffer{}, page: "http://localhost:" + strconv.Itoa(int(page))}
		policies := strings.NewReplacer(
			"http://localhost:8081", d.page, "- name: api ", "- domains: [localhost] ", "- name: files ", "- domains: [files.localhost] ",
		).Replace(read(t, "envoy/demo/policies.yaml"))
		g := start(t, setup{platform: p, policies: policies, upstream: upstream, hosts: []hosted{
			{hosts: []string{"files.localhost"}, routes: []hostedRoute{{prefix: "/"}}},
			{hosts: []string{"*"}, routes: []hostedRoute{{prefix: "/down", down: true}, {prefix: "/"}}},
		}})
		d.policies, d.admin = g.policyFile, "http://"+g.service.Admin

		program, err := buildDemo()
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"-site-only", "-policies", g.policyFile, "-root", root}
		for name, address := range map[string]string{"envoy": g.address, "admin": g.service.Admin} {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			args = append(args, "-"+name+"-port", port)
		}
		args = append(args, "-page-port", strconv.Itoa(int(page)), "-upstream-port", strconv.Itoa(int(upstream)))
		d.startUntil(t, exec.Command(program, args...), "the page is on")
		checkPage(t, d)
	})
}
