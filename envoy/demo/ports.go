//go:build unix

package main

// Tested by envoy/e2e/demo_test.go.

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// use is what a port is for, and the flag that changes it.
type use struct {
	port uint
	what string
	flag string
}

func (p ports) uses() []use {
	return []use{
		{p.envoy, "Envoy", "-envoy-port"},
		{p.page, "the page", "-page-port"},
		{p.upstream, "the echo upstream", "-upstream-port"},
		{p.extproc, "corsproc (ext_proc)", "-extproc-port"},
		{p.admin, "corsproc's own page", "-admin-port"},
		{p.envoyAdmin, "Envoy's admin interface", "-envoy-admin-port"},
	}
}

// checkPorts names every port that is in use, all in one go, before anything is started.
func checkPorts(p ports) error {
	var taken []error
	for _, u := range p.uses() {
		if u.port > 65535 {
			taken = append(taken, fmt.Errorf("%s: %d is no port", u.flag, u.port))
			continue
		}
		if inUse(fmt.Sprintf("127.0.0.1:%d", u.port)) || inUse(fmt.Sprintf("[::1]:%d", u.port)) {
			taken = append(taken, fmt.Errorf("port %d, for %s, is in use: stop what listens there, or choose another with %s (make run ARGS='%s …')",
				u.port, u.what, u.flag, u.flag))
		}
	}
	return errors.Join(taken...)
}

// inUse reports whether someone listens on an address. Browsers try localhost's IPv6 address too, so whoever listens on
// that one only would get our requests; a machine without IPv6 has nobody there.
func inUse(address string) bool {
	l, err := net.Listen("tcp", address)
	if err == nil {
		_ = l.Close()
		return false
	}
	return errors.Is(err, syscall.EADDRINUSE)
}
