package loop

import (
	"slices"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// question is what a stream asks of health (grpc.health.v1). It is answered in the loop, so that no other goroutine has to
// be scheduled for it: an Envoy that gets no answer in half a second takes us for gone.
type question uint8

const (
	checks  question = iota + 1 // Health/Check: one answer
	watches                     // Health/Watch: one now, and one for every change
)

// watchEnds is how watching ends when the connection does.
var watchEnds = status.New(codes.Unavailable, "the server is stopping")

// SetServing says what health is answered from now on, and tells those who watch. Until then it is NOT_SERVING.
func (s *Server) SetServing(serving bool) {
	s.healthy.Store(serving)
	for _, c := range s.connections() {
		go func() {
			defer s.recovered(c)
			c.tellWatches() // which waits for a client that is slow to read
		}()
	}
}

// health returns the answer about every service that we have.
func (s *Server) health() healthv1.HealthCheckResponse_ServingStatus {
	if s.healthy.Load() {
		return healthv1.HealthCheckResponse_SERVING
	}
	return healthv1.HealthCheckResponse_NOT_SERVING
}

// onHealth takes the question. It reports whether the stream still goes on.
func (c *conn) onHealth(s *stream, message []byte) bool {
	var asked healthv1.HealthCheckRequest
	switch err := proto.Unmarshal(message, &asked); {
	case err != nil:
		c.end(s, status.New(codes.Internal, "the message is malformed"))
		return false
	case s.told:
		return true // only the first counts
	}
	answer, known := c.server.health(), slices.Contains(c.server.HealthServices, asked.GetService())
	if !known {
		answer = healthv1.HealthCheckResponse_SERVICE_UNKNOWN
	}
	if s.health == checks {
		if known {
			c.sendHealth(s, answer)
			c.end(s, nil)
		} else {
			c.end(s, status.New(codes.NotFound, "unknown service"))
		}
		return false
	}
	s.told = true
	if known { // otherwise there never is another answer
		c.watches[s] = struct{}{}
	}
	c.sendHealth(s, answer)
	return !c.failed
}

// tellWatches answers those who watch, anew.
func (c *conn) tellWatches() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed || len(c.watches) == 0 {
		return
	}
	answer := c.server.health()
	for s := range c.watches {
		c.sendHealth(s, answer)
	}
	c.write()
}

func (c *conn) sendHealth(s *stream, answer healthv1.HealthCheckResponse_ServingStatus) {
	message, err := proto.MarshalOptions{}.MarshalAppend(make([]byte, prefixBytes), &healthv1.HealthCheckResponse{Status: answer})
	if err != nil {
		panic(err) // a number
	}
	copy(message, prefix(len(message)-prefixBytes))
	c.send(s, message)
}
