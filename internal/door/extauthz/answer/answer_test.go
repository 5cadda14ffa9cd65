package answer

import (
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// wire is a Stream that keeps the bytes which Envoy gets.
type wire struct{ sent []byte }

func (w *wire) SendMsg(m any) (err error) {
	w.sent, err = proto.Marshal(m.(proto.Message))
	return err
}

// asEnvoyReads is what Envoy does with an answer, by its ext_authz_grpc_impl.cc: the status alone decides, and one
// that is absent is OK. The status of a denial is 0 when it passes.
func asEnvoyReads(t *testing.T, a Answer) (passes bool, status int, response *authv3.CheckResponse) {
	t.Helper()
	var w wire
	if err := a.Send(&w); err != nil {
		t.Fatal(err)
	}
	response = new(authv3.CheckResponse)
	if err := proto.Unmarshal(w.sent, response); err != nil {
		t.Fatal(err)
	}
	if response.GetStatus().GetCode() == 0 {
		return true, 0, response
	}
	return false, int(response.GetDeniedResponse().GetStatus().GetCode()), response
}

// check fails unless an answer passes as it says, and means the same to all who read it.
func check(t *testing.T, a Answer, want bool) {
	t.Helper()
	passes, status, response := asEnvoyReads(t, a)
	switch {
	case passes != want || a.Passes() != want:
		t.Fatalf("passes: %v and says %v, want %v: %v", passes, a.Passes(), want, response)
	case passes && (response.Status == nil || response.GetOkResponse() == nil):
		t.Fatalf("passes without saying so: %v", response)
	case !passes && (status < 400 || status > 599 || response.GetErrorResponse() != nil):
		t.Fatalf("a denial of status %d: %v", status, response)
	}
}

func TestTheZeroAnswerRefuses(t *testing.T) {
	check(t, Answer{}, false)
	var a Answer
	check(t, a, false)
	check(t, Refuse(Refused{}), false)
	check(t, Allow(Allowed{}), true) // only Allow allows
}

func TestNoRefusalPasses(t *testing.T) {
	for kind := range 300 {
		for _, status := range []int{-1, 0, 1, 100, 200, 204, 302, 399, 400, 401, 418, 499, 500, 503, 599, 600,
			1 << 31} {
			check(t, Refuse(Refused{Kind: authz.Kind(kind), Status: status}), false)
		}
	}
}

func FuzzNoAnswerMeansTwoThings(f *testing.F) {
	f.Add("X-Subject", "alice", "a", "b", 401, byte(1), []byte("{}"))
	f.Add("", "a\r\nb", "\xff", "", 200, byte(0), []byte("\xff"))
	f.Add(":path", "/", "&", "=", 0, byte(255), []byte(nil))
	f.Fuzz(func(t *testing.T, name, value, query, other string, status int, kind byte, body []byte) {
		headers := []authz.Header{{Name: name, Values: []string{value, other}}, {Name: other}}
		check(t, Refuse(Refused{Kind: authz.Kind(kind), Status: status, Headers: headers, Type: value, Body: body}),
			false)
		a := Allow(Allowed{Set: headers, Remove: []string{name}, Response: headers})
		check(t, a, a.Passes())
		for _, h := range a.response.GetOkResponse().GetHeaders() {
			if !sendable(h.GetHeader().GetKey(), h.GetHeader().GetValue()) {
				t.Fatalf("sends %v", h)
			}
		}
	})
}
