//go:build linux

package main

// Tested by bench_test.go.

import (
	"context"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/corsproc/corsproc/envoy/internal/launch"
)

// slowUpstream takes connections and requests and never answers.
type slowUpstream struct {
	address  string
	listener net.Listener
	mu       sync.Mutex
	conns    []net.Conn
}

func listenSlow() (*slowUpstream, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &slowUpstream{address: listener.Addr().String(), listener: listener}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			s.mu.Lock()
			s.conns = append(s.conns, conn) // what is sent to it stays in the kernel
			s.mu.Unlock()
		}
	}()
	return s, nil
}

// release closes every connection and returns how many there were.
func (s *slowUpstream) release() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.conns)
	for _, conn := range s.conns {
		conn.Close()
	}
	s.conns = nil
	return n
}

// wait waits until as many requests have come, each of which has a connection of its own.
func (s *slowUpstream) wait(ctx context.Context, requests int) error {
	for deadline := time.Now().Add(startPatience); ; {
		s.mu.Lock()
		waiting := len(s.conns)
		s.mu.Unlock()
		if waiting >= requests {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d requests have reached the slow upstream", waiting, requests)
		}
		if err := sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

func (s *slowUpstream) close() {
	s.listener.Close()
	s.release()
}

// memory is what requests that wait for a slow upstream cost. Bytes are of resident memory.
type memory struct {
	Requests    int `json:"requests"`         // that waited
	Streams     int `json:"streams"`          // that were open meanwhile
	Before      int `json:"before,omitempty"` // bytes of the service without them; 0: there is no service
	With        int `json:"with,omitempty"`   // and with them
	EnvoyBefore int `json:"envoy_before"`     // and of Envoy
	EnvoyWith   int `json:"envoy_with"`
}

// perStream returns the bytes of one stream in the service; 0 where none was open.
func (m memory) perStream() float64 {
	if m.Streams == 0 {
		return 0
	}
	return float64(m.With-m.Before) / float64(m.Streams)
}

// perRequest returns the bytes of one request in Envoy.
func (m memory) perRequest() float64 {
	if m.Requests == 0 {
		return 0
	}
	return float64(m.EnvoyWith-m.EnvoyBefore) / float64(m.Requests)
}

// measureMemory has requests wait at the slow upstream, behind an Envoy of the variant's own. That has to be the first that is
// asked of a process, which has only been rehearsed with: what a load has left on its heap would take streams for free.
func (g *gateway) measureMemory(ctx context.Context, v variant, o options) (m memory, err error) {
	front, err := g.startOwn(ctx, o, v, g.policies)
	if err != nil {
		return m, err
	}
	defer front.Stop(syscall.SIGTERM, stopPatience)
	m.Requests = o.streams
	if m.Before, m.EnvoyBefore, err = g.resident(ctx, v, front, o.settle); err != nil {
		return m, err
	}
	streams := "cluster." + v.service + ".upstream_rq_active"
	idle, err := stats(ctx, front, streams)
	if err != nil {
		return m, err
	}
	defer g.slow.release()
	const atOnce = 16
	for sent := range m.Requests {
		conn, err := net.Dial("tcp", front.Listeners[v.name])
		if err != nil {
			return m, err
		}
		defer conn.Close()
		if _, err := conn.Write(slowRequest); err != nil {
			return m, err
		}
		// A few at a time: all at once would be a measurement of the burst.
		if err := g.slow.wait(ctx, sent+1-atOnce); err != nil {
			return m, fmt.Errorf("%s: %w", v.name, err)
		}
	}
	if err := g.slow.wait(ctx, m.Requests); err != nil {
		return m, fmt.Errorf("%s: %w", v.name, err)
	}
	if m.With, m.EnvoyWith, err = g.resident(ctx, v, front, o.settle); err != nil {
		return m, err
	}
	open, err := stats(ctx, front, streams)
	m.Streams = open[streams] - idle[streams]
	return m, err
}

// startOwn starts an Envoy with one variant alone and rehearses it.
func (g *gateway) startOwn(ctx context.Context, o options, v variant, policies string) (*launch.Envoy, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, fmt.Errorf("no answer within %s", startPatience))
	defer cancel()
	front, err := g.startFront(ctx, o, []variant{v}, policies)
	if err != nil {
		return nil, err
	}
	if err := rehearse(ctx, front, v); err != nil {
		front.Stop(syscall.SIGTERM, stopPatience)
		return nil, err
	}
	return front, nil
}

// resident returns the settled memory of the service that a variant asks, 0 without one, and of Envoy.
func (g *gateway) resident(ctx context.Context, v variant, front *launch.Envoy, still time.Duration) (service, envoy int, err error) {
	if v.service != "" {
		if service, err = settled(ctx, g.services[v.service].PID(), still); err != nil {
			return 0, 0, err
		}
	}
	envoy, err = settled(ctx, front.PID(), still)
	return service, envoy, err
}

// settled returns the resident memory of a process once it has not changed for so long, or after ten times as long.
func settled(ctx context.Context, pid int, still time.Duration) (int, error) {
	last := -1
	for look, same := 0, 0; look < 50 && same < 5; look++ {
		now, err := residentBytes(pid)
		if err != nil {
			return 0, err
		}
		if same++; now != last {
			same = 0
		}
		last = now
		if err := sleep(ctx, still/5); err != nil {
			return 0, err
		}
	}
	return last, nil
}
