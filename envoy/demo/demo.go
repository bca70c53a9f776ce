//go:build unix

package main

// Tested by envoy/e2e/demo_test.go.

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/corsproc/corsproc/envoy/demo/site"
	"github.com/corsproc/corsproc/envoy/internal/bootstrap"
	"github.com/corsproc/corsproc/envoy/internal/launch"
)

const (
	startPatience = 30 * time.Second // for Envoy or corsproc to answer; a slow machine needs a few
	stopPatience  = 3 * time.Second  // for them to end by themselves
)

// runDemo starts everything, in the order in which one needs the other, and waits.
func runDemo(ctx context.Context, o options, out io.Writer) error {
	if o.siteOnly {
		return serveSite(ctx, o, out)
	}
	if err := checkPorts(o.ports); err != nil {
		return err
	}
	binary, err := launch.FindEnvoy(o.root)
	if err != nil {
		return err
	}
	config, listen, err := envoyConfig(o)
	if err != nil {
		return err
	}
	defer os.Remove(config)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var site sync.WaitGroup
	defer site.Wait()
	defer cancel()
	siteFailed := make(chan error, 1)
	site.Go(func() { siteFailed <- serveSite(ctx, o, io.Discard) })

	fmt.Fprintln(out, "starting corsproc and Envoy…")
	starting, stopStarting := context.WithTimeoutCause(ctx, startPatience, fmt.Errorf("no answer within %s", startPatience))
	defer stopStarting()
	service, err := launch.StartService(starting, o.service, []string{
		"--policies", o.policies,
		"--listen", listen,
		"--admin-listen", loopback(o.ports.admin),
	}, newConsole(out, "corsproc"))
	if err != nil {
		return stopped(ctx, err)
	}
	defer service.Stop(syscall.SIGINT, stopPatience) // SIGINT: nobody waits for the drain delay
	envoy, err := launch.StartEnvoy(starting, binary, config, "warning", newConsole(out, "envoy"))
	if err != nil {
		return stopped(ctx, err)
	}
	defer envoy.Stop(syscall.SIGTERM, stopPatience)

	fmt.Fprintf(out, welcome, o.ports.page, o.ports.envoy, o.ports.envoy, o.ports.admin, o.ports.envoyAdmin, o.policies)
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "\nstopping…")
		return nil
	case err := <-siteFailed:
		return err
	case <-service.Done():
		return fmt.Errorf("corsproc has ended (%v): stopping the rest", service.Err())
	case <-envoy.Done():
		return fmt.Errorf("envoy has ended (%v): stopping the rest", envoy.Err())
	}
}

const welcome = `
  The page          http://localhost:%d    open this one
  The API, by Envoy http://localhost:%d    and http://files.localhost:%d
  corsproc          http://localhost:%d
  Envoy's admin     http://localhost:%d

  Edit %s while it runs. Ctrl-C stops everything.

`

// stopped makes the error of a start that was interrupted none.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func loopback(port uint) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))) }

// envoyConfig writes the chosen configuration with the ports of the command line to a temporary file. It returns where Envoy
// asks corsproc, too: with the module nowhere.
func envoyConfig(o options) (path, listen string, err error) {
	c, err := bootstrap.Load(filepath.Join(o.root, "envoy", o.config))
	if err != nil {
		return "", "", err
	}
	at := func(port uint) bootstrap.Address { return bootstrap.Address{IP: "127.0.0.1", Port: uint16(port)} }
	c.Listen(at(o.ports.envoy), at(o.ports.envoyAdmin))
	if err := c.SetEndpoint("echo", at(o.ports.upstream)); err != nil {
		return "", "", err
	}
	if c.Module == nil {
		listen = loopback(o.ports.extproc)
		err = c.SetEndpoint(bootstrap.ClusterName, at(o.ports.extproc))
	} else {
		err = loadModule(c.Module, o)
	}
	if err != nil {
		return "", "", err
	}
	path, err = c.WriteTemp()
	return path, listen, err
}

// loadModule has Envoy be corsproc. The process beside it then only has the page about the same files.
func loadModule(m *bootstrap.Module, o options) error {
	module, err := filepath.Abs(o.module)
	if err != nil {
		return err
	}
	if _, err := os.Stat(module); err != nil {
		return fmt.Errorf("%w; make module builds it", err)
	}
	policies, err := filepath.Abs(o.policies)
	if err != nil {
		return err
	}
	m.Load(module, policies)
	return nil
}

// serveSite serves the upstream and the page until ctx ends.
func serveSite(ctx context.Context, o options, out io.Writer) error {
	number := func(port uint) string { return strconv.Itoa(int(port)) }
	servers := []*http.Server{
		{Addr: net.JoinHostPort(o.bind, number(o.ports.upstream)), Handler: site.Upstream(), ReadHeaderTimeout: time.Minute},
		{Addr: net.JoinHostPort(o.bind, number(o.ports.page)), ReadHeaderTimeout: time.Minute, Handler: site.Page(site.Options{
			EnvoyPort: number(o.ports.envoy), PagePort: number(o.ports.page), AdminPort: number(o.ports.admin),
			PolicyFile: &site.PolicyFile{Path: o.policies, Reload: "http://" + loopback(o.ports.admin) + "/-/reload"},
		})},
	}
	failed := make(chan error, len(servers))
	for _, s := range servers {
		go func() { failed <- s.ListenAndServe() }()
		defer s.Close()
	}
	fmt.Fprintf(out, "the page is on http://localhost:%d\n", o.ports.page)
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}
