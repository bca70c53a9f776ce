package loop

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/corsproc/corsproc/server/extproc"
)

// fileOf asks reflection for the file of a symbol.
func fileOf(t testing.TB, symbol string) []byte {
	return prefixed(t, &reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol},
	})
}

const tooMany = " headers :status=200 grpc-status=8 grpc-message=too%20many%20streams%20of%20other%20services end"

// Streams of other services cost goroutines, so there are only so many on a connection.
func TestRelaysAreBounded(t *testing.T) {
	c := dial(t, serve(t, newServer(t, extproc.Hooks{})))
	for i := range uint32(maxRelays + 1) {
		c.open(2*i+1, relayed...)
	}
	c.expect(fmt.Sprint(2*maxRelays+1, tooMany), fmt.Sprint(2*maxRelays+1, " reset NO_ERROR"))
	c.must(c.framer.WriteRSTStream(1, http2.ErrCodeCancel))
	for id := uint32(2*maxRelays + 3); ; id += 2 { // until what ran for the first one has ended
		c.open(id, relayed...)
		c.must(c.framer.WriteData(id, true, fileOf(t, "grpc.health.v1.Health")))
		if got := c.next(); got == fmt.Sprint(id, opened) {
			c.expect(fmt.Sprint(id, " data"))
			return
		} else if got != fmt.Sprint(id, tooMany) {
			t.Fatal(got)
		}
		if got := c.next(); got != fmt.Sprint(id, " reset NO_ERROR") && got != fmt.Sprint(id, " reset STREAM_CLOSED") {
			t.Fatal(got)
		}
	}
}

// And only so many of all connections together.
func TestAllRelaysAreBounded(t *testing.T) {
	s := newServer(t, extproc.Hooks{})
	address := serve(t, s)
	for range maxAllRelays / maxRelays {
		c := dial(t, address)
		for i := range uint32(maxRelays) {
			c.open(2*i+1, relayed...)
		}
		c.must(c.framer.WritePing(false, [8]byte{}))
		c.expect("ping true " + strings.Repeat("\x00", 8))
	}
	c := dial(t, address)
	c.open(1, relayed...)
	c.expect("1"+tooMany, "1 reset NO_ERROR")
	if n := s.relays.Load(); n != maxAllRelays {
		t.Errorf("%d places are taken", n)
	}
}

// TestRelayedAnswersWait: answers that are hundreds of times as large as their questions are made one at a time, when the one
// before has been sent.
func TestRelayedAnswersWait(t *testing.T) {
	const asked = 10
	s := newServer(t, extproc.Hooks{})
	c := dial(t, serve(t, s), http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	c.open(1, relayed...)
	question := fileOf(t, "grpc.health.v1.Health")
	for range asked {
		c.data(1, question)
	}
	c.expect("1" + opened)
	c.must(c.framer.WritePing(false, [8]byte{'n', 'o', 't', ' ', 'y', 'e', 't', '.'}))
	c.expect("ping true not yet.")
	only := s.connections()[0]
	only.mu.Lock()
	one := only.waiting
	only.mu.Unlock()
	if one == 0 || one > 8<<10 {
		t.Errorf("%d bytes wait for a client that reads nothing, where one answer has some hundreds", one)
	}
	c.must(c.framer.WriteWindowUpdate(1, 1<<20))
	for range asked {
		c.expect("1 data")
	}
}
