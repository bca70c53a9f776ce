package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	corsprocv1 "github.com/corsproc/corsproc/proto/corsproc/v1"
)

// call makes a call of the admin API as curl does.
func (r *running) call(name, message string) (int, string) {
	r.t.Helper()
	resp, err := http.Post("http://"+r.admin+"/corsproc.v1.AdminService/"+name, "application/json", strings.NewReader(message))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (r *running) status() *corsprocv1.StatusResponse {
	r.t.Helper()
	code, text := r.call("Status", "{}")
	m := new(corsprocv1.StatusResponse)
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		r.t.Fatalf("%d %v in %s", code, err, text)
	}
	return m
}

func TestAdminAPI(t *testing.T) {
	r := start(t, somePolicies, nil)
	conn := r.connect()
	if code, text := r.call("LogDecisions", `{"virtual_host": "api", "duration": "600s"}`); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	r.ask(conn, "https://shop.example.com")
	for range 2 {
		r.ask(conn, "https://evil.example")
	}
	for _, want := range []string{"allowed", "refused", "refused"} {
		if got := r.logged("decision"); got["verdict"] != want || got["level"] != "DEBUG" {
			t.Errorf("logged %v, want %s", got, want)
		}
	}

	m := r.status()
	if m.GetVersion() != "test" || !m.GetReady() || len(m.GetInForce().GetPolicies()) != 1 || len(m.GetLogging()) != 1 {
		t.Errorf("status %v", m)
	}
	if got := m.GetTraffic(); got.GetConnections() != 1 || got.GetConnectionsMax() != 100 {
		t.Errorf("traffic %v", got)
	}
	total := map[string]uint32{}
	for _, s := range m.GetDecisions().GetSpans() {
		for reason, n := range s.GetReasons() {
			total[reason] += n
		}
	}
	if got := fmt.Sprint(total); got != "map[allowed:1 origin_not_allowed:2]" {
		t.Errorf("decisions %s", got)
	}
	if len(m.GetRefusals()) != 1 {
		t.Fatalf("refusals %v", m.GetRefusals())
	}
	refusal := m.GetRefusals()[0]
	want := fmt.Sprintf("add https://evil.example to policies.shop.allow_origins (%s:3:20)", r.path)
	if refusal.GetCount() != 2 || refusal.GetOrigin() != "https://evil.example" || len(refusal.GetChanges()) != 1 || refusal.GetChanges()[0].GetText() != want {
		t.Errorf("refusal %v, want the change %q", refusal, want)
	}

	r.write("policies: {")
	if code, _ := r.http("POST", "/-/reload"); code != 400 {
		t.Errorf("a reload of a broken file: %d", code)
	}
	if got := r.status().GetReloads(); len(got) != 2 || got[0].GetSuccessful() || !got[1].GetSuccessful() || got[0].GetFindings()[0].GetLine() != 1 {
		t.Errorf("reloads %v", got)
	}
	if code, text := r.call("LogDecisions", `{"virtual_host": "api", "duration": "0s"}`); code != 200 || text != "{}" {
		t.Errorf("ending the log: %d %s", code, text)
	}
}

// adminConn returns a connection of gRPC to the admin address.
func (r *running) adminConn() *grpc.ClientConn {
	r.t.Helper()
	conn, err := grpc.NewClient(r.admin, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	return conn
}

// TestAdminAPIByGRPC asks as gRPC clients do, over HTTP/2 without TLS, and finds the service by reflection.
func TestAdminAPIByGRPC(t *testing.T) {
	r := start(t, somePolicies, nil)
	conn := r.adminConn()
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range answer.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	if got := strings.Join(names, " "); !strings.Contains(got, "corsproc.v1.AdminService") {
		t.Errorf("reflection tells of %s", got)
	}

	const service = "/corsproc.v1.AdminService/"
	var x corsprocv1.Explanation
	err = conn.Invoke(t.Context(), service+"Explain", &corsprocv1.ExplainRequest{Origin: "https://shop.example.com", Url: "https://api.example.com/"}, &x)
	if err != nil || x.GetVerdict() != "allowed" {
		t.Errorf("Explain: %v %v", &x, err)
	}
	err = conn.Invoke(t.Context(), service+"LogDecisions",
		&corsprocv1.LogDecisionsRequest{VirtualHost: "api", Duration: durationpb.New(time.Hour)}, new(corsprocv1.LogDecisionsResponse))
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("LogDecisions for an hour: %v", err)
	}
}
