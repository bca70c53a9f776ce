//go:build linux

package main

// Tested by bench_test.go.

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
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

// memory is what requests that wait for a slow upstream cost in the service.
type memory struct {
	Requests int `json:"requests"` // that waited
	Streams  int `json:"streams"`  // that were open meanwhile
	Before   int `json:"before"`   // bytes of resident memory without them
	With     int `json:"with"`     // and with them
}

// perStream returns the bytes of one stream; 0 where none was open.
func (m memory) perStream() float64 {
	if m.Streams == 0 {
		return 0
	}
	return float64(m.With-m.Before) / float64(m.Streams)
}

// measureMemory has requests wait at the slow upstream. It has to be the first that is asked of a service, which has only
// been rehearsed with: what a load has left on its heap would take streams for free.
func (g *gateway) measureMemory(ctx context.Context, v variant, requests int) (m memory, err error) {
	pid := g.services[v.service].PID()
	streams := "cluster." + v.service + ".upstream_rq_active"
	before, err := settled(ctx, pid)
	if err != nil {
		return m, err
	}
	idle, err := g.stat(ctx, streams)
	if err != nil {
		return m, err
	}
	const atOnce = 16
	for sent := range requests {
		conn, err := net.Dial("tcp", g.front.Listeners[v.name])
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
	if err := g.slow.wait(ctx, requests); err != nil {
		return m, fmt.Errorf("%s: %w", v.name, err)
	}
	after, err := settled(ctx, pid)
	if err != nil {
		return m, err
	}
	open, err := g.stat(ctx, streams)
	g.slow.release()
	return memory{Requests: requests, Streams: open - idle, Before: before, With: after}, err
}

// settled returns the resident memory of a process once it has not changed for half a second, or after five seconds.
func settled(ctx context.Context, pid int) (int, error) {
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
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return last, nil
}
