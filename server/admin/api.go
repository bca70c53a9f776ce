package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectproto"
	"connectrpc.com/grpcreflect/v2"

	"github.com/corsproc/corsproc/policy"
	"github.com/corsproc/corsproc/policy/browser"
	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
	"github.com/corsproc/corsproc/proto/corsproc/v1/corsprocv1connect"
)

// maxRequestBytes is the largest message that the API reads: a URL may have two mebibytes.
const maxRequestBytes = browser.MaxURLBytes + 1<<20

// maxExplainHeaders is how many headers a fetch may have that is explained. No server takes as many.
const maxExplainHeaders = 1000

// mountAPI serves the admin service, and reflection, on mux. Its methods can be called by POST only: a page of another origin
// can send a GET without being asked for permission. (Connect allows GET for methods that are declared free of side
// effects, and none is.)
func (h *handler) mountAPI(mux *http.ServeMux) {
	server := connect.NewServer()
	corsprocv1connect.RegisterAdminServiceHandler(server, api{h})
	registerHealth(server, h.Ready)
	grpcreflect.Register(server)
	strict := connectproto.NewJSONCodec()
	strict.UnmarshalOptions.DiscardUnknown = false // otherwise a misspelt field would answer another question
	connecthttp.Mount(muxInTurns{mux, inTurns(apiTurns)}, server, connecthttp.WithReadMaxBytes(maxRequestBytes),
		connecthttp.WithCodecs(connectproto.NewBinaryCodec(), strict))
}

// muxInTurns is a mux whose handlers work in turns, all of them together.
type muxInTurns struct {
	*http.ServeMux
	inTurn func(http.Handler) http.Handler
}

// Handle registers a handler.
func (m muxInTurns) Handle(pattern string, h http.Handler) { m.ServeMux.Handle(pattern, m.inTurn(h)) }

// api is the admin service.
type api struct{ h *handler }

// Explain implements the call of this name.
func (a api) Explain(_ context.Context, q *corsprocv1.ExplainRequest) (*corsprocv1.Explanation, error) {
	f := browser.Fetch{
		Origin: q.GetOrigin(), URL: q.GetUrl(), Method: q.GetMethod(), WebSocket: q.GetWebsocket(),
		VirtualHost: q.GetVirtualHost(), Route: q.GetRouteName(), PathAsIs: q.GetPathAsIs(),
	}
	if len(q.GetHeaders()) > maxExplainHeaders {
		return nil, invalid(fmt.Errorf("a fetch with more than %d headers is not explained", maxExplainHeaders))
	}
	for _, name := range slices.Sorted(maps.Keys(q.GetHeaders())) {
		f.Headers = append(f.Headers, policy.Header{Name: name, Value: q.GetHeaders()[name]})
	}
	var faults []error
	if mode := q.GetCredentials(); mode != "" {
		var err error
		if f.Credentials, err = browser.ParseCredentials(mode); err != nil {
			faults = append(faults, err)
		}
	}
	for _, fault := range f.Faults() {
		faults = append(faults, fault)
	}
	if len(faults) > 0 {
		return nil, invalid(errors.Join(faults...))
	}
	now := a.h.Status().InForce
	r, err := browser.Do(now.Set, f)
	if err != nil {
		return nil, invalid(err)
	}
	return r.Explanation(now.Location), nil
}

// Status implements the call of this name.
func (a api) Status(_ context.Context, q *corsprocv1.StatusRequest) (*corsprocv1.StatusResponse, error) {
	return a.h.status(q.GetKnownHash()), nil
}

const (
	// maxLogDuration is how long decisions may be logged.
	maxLogDuration = 10 * time.Minute
	// defaultLogDuration is how long they are where no duration is given.
	defaultLogDuration = time.Minute
)

// LogDecisions implements the call of this name.
func (a api) LogDecisions(_ context.Context, q *corsprocv1.LogDecisionsRequest) (*corsprocv1.LogDecisionsResponse, error) {
	host, origin, duration := q.GetVirtualHost(), q.GetOrigin(), defaultLogDuration
	if a.h.Connections == nil {
		return nil, connect.NewError(connect.CodeFailedPrecondition, "nothing is decided here: this process has no --listen; Envoy's access log has the decisions of its module")
	}
	if host == "" && origin == "" {
		return nil, invalid(errors.New("say whose decisions to log: a virtual_host, an origin, or both"))
	}
	if q.GetDuration() != nil {
		if err := q.GetDuration().CheckValid(); err != nil {
			return nil, invalid(err)
		}
		duration = q.GetDuration().AsDuration()
	}
	switch {
	case duration < 0:
		return nil, invalid(errors.New("a duration is not negative; 0s ends what is being logged"))
	case duration > maxLogDuration:
		return nil, invalid(errors.New("decisions are logged for 10 minutes at most; write 600s or less"))
	case duration > 0:
		if err := a.checkLogged(host, origin); err != nil {
			return nil, err
		}
	}
	if err := a.h.LogDecisions(host, origin, duration); err != nil {
		return nil, connect.NewError(connect.CodeResourceExhausted, err.Error())
	}
	return &corsprocv1.LogDecisionsResponse{Logging: a.h.Logging()}, nil
}

// checkLogged refuses what no decision can be about.
func (a api) checkLogged(host, origin string) error {
	if host != "" {
		set := a.h.Status().InForce.Set
		if !slices.Contains(slices.Collect(set.VirtualHosts()), host) {
			return connect.Errorf(connect.CodeInvalidArgument, "the policies in force have no virtual host %q", host[:min(len(host), policy.MaxOriginBytes)])
		}
	}
	if origin != "" {
		if fault := browser.CheckOrigin(origin); fault != nil {
			return invalid(fault)
		}
	}
	return nil
}

func invalid(err error) error { return connect.NewError(connect.CodeInvalidArgument, err.Error()) }
