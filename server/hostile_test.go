package server

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestHostileConnections has clients on both ports that speak another protocol, or none, or speak and read as slowly as
// they can, while requests go on being answered.
func TestHostileConnections(t *testing.T) { onEach(t, testHostileConnections) }

func testHostileConnections(t *testing.T, transport Transport) {
	r := start(t, somePolicies, func(s *Settings) { s.Transport = transport })
	conn := r.connect()
	noise := make([]byte, 64<<10)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(noise)
	tlsHello := append([]byte{0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3}, noise[:196]...)
	preface := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	settings := "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	ping := "\x00\x00\x08\x06\x00\x00\x00\x00\x00abcdefgh"
	says := []struct {
		name string
		text []byte
	}{
		{"nothing", nil},
		{"one byte", []byte("P")},
		{"noise", noise},
		{"HTTP/1", []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")},
		{"half of HTTP/1", []byte("GET / HTTP/1.1\r\nHost: local")},
		{"an endless header", []byte("GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 1<<20))},
		{"TLS", tlsHello},
		{"HTTP/2 and no more", []byte(preface)},
		{"HTTP/2 and noise", append([]byte(preface+settings), noise...)},
		{"HTTP/2 and half a frame", []byte(preface + settings + ping[:12])},
		{"pings that nobody reads the answers of", []byte(preface + settings + strings.Repeat(ping, 200_000))},
	}
	var open sync.WaitGroup
	for _, address := range []string{r.listen, r.admin} {
		for _, s := range says {
			for range 3 {
				nc, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatalf("%s on %s: %v", s.name, address, err)
				}
				defer nc.Close()
				open.Go(func() { // until it is said, or refused, or nobody reads on
					_ = nc.SetWriteDeadline(time.Now().Add(3 * time.Second))
					for rest := bytes.NewReader(s.text); ; {
						if n, err := rest.WriteTo(nc); n == 0 || err != nil {
							return
						}
					}
				})
			}
		}
	}
	for range 50 {
		if !r.ask(conn, "https://shop.example.com") {
			t.Fatal("not granted")
		}
		if status, body := r.http("GET", "/-/ready"); status != 200 {
			t.Fatalf("not ready: %d %s", status, body)
		}
	}
	open.Wait()
	if !r.ask(conn, "https://shop.example.com") {
		t.Error("not granted afterwards")
	}
	r.has("corsproc_streams_active 0", "corsproc_panics_total 0")
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if most := uint64(100 << 20); m.HeapAlloc > most {
		t.Errorf("%d MiB of heap are in use", m.HeapAlloc>>20)
	}
	for _, record := range append(r.records, r.log.Take(t)...) {
		if text := fmt.Sprint(record); strings.Contains(text, "panic") || len(text) > 2000 {
			t.Errorf("logged %s", text)
		}
	}
}
