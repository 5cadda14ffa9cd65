package sidecarclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/sidecarclient"
	"github.com/authz-sidecar/sidecar/sidecarclient/sidecartest"
)

func TestABatchIsAnsweredInItsOrder(t *testing.T) {
	s := sidecartest.New(t, sidecartest.On("/a", sidecartest.Allow()))
	ds, err := s.Client().Batch(t.Context(), []sidecarclient.Request{{Method: "GET", URL: "/a"},
		{Method: "GET", URL: "/b"}})
	if err != nil || len(ds) != 2 || !ds[0].Allow || ds[1].Allow {
		t.Errorf("%+v, %v", ds, err)
	}
	if ds, err := s.Client().Batch(t.Context(), nil); ds != nil || err != nil || len(s.Questions()) != 2 {
		t.Errorf("an empty batch: %v, %v", ds, err)
	}
}

func TestABatchWithoutADecisionForEachRequestIsNone(t *testing.T) {
	for _, body := range []string{`{"items":[]}`, `{"items":[` + allowJSON + `]}`, `{"items":null}`, `{}`, `[]`,
		`null`,
		`{"items":[` + allowJSON + `,{}]}`, `{"items":[` + allowJSON + `,` + allowJSON + `,` + allowJSON + `]}`,
		`{"items":[` + allowJSON + `,null]}`} {
		server := httptest.NewServer(testkit.ReplyJSON(body))
		client, err := sidecarclient.New(sidecarclient.Config{Address: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		ds, err := client.Batch(t.Context(), make([]sidecarclient.Request, 2))
		server.Close()
		var down *sidecarclient.UnavailableError
		if ds != nil || !errors.As(err, &down) {
			t.Errorf("%s: %v, %v", body, ds, err)
		}
	}
}

func TestABatchOfAnotherEntrypointIsRefused(t *testing.T) {
	c, err := sidecarclient.New(sidecarclient.Config{Entrypoint: "billing/decision"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Batch(t.Context(), make([]sidecarclient.Request, 1)); err == nil {
		t.Error("no error")
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	s := sidecartest.New(t, sidecartest.Rule{Fault: sidecartest.Hangs})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := s.Client().Decide(ctx, sidecarclient.Request{Method: "GET", URL: "/"})
		ended <- err
	}()
	testkit.Eventually(t, "the sidecar is asked", func() bool { return len(s.Questions()) == 1 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestConnectionsAreClosedOnDemand(t *testing.T) {
	s := sidecartest.New(t, sidecartest.On("**", sidecartest.Allow()))
	c := s.Client()
	for range 2 {
		if _, err := c.Decide(t.Context(), sidecarclient.Request{Method: "GET", URL: "/"}); err != nil {
			t.Fatal(err)
		}
		c.CloseIdleConnections()
	}
}

func TestADeadlineOfTheCallerIsNotThatOfTheClient(t *testing.T) {
	s := sidecartest.New(t, sidecartest.Rule{Fault: sidecartest.Hangs})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := s.Client().Decide(ctx, sidecarclient.Request{Method: "GET", URL: "/"})
	if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "3s") {
		t.Errorf("%v", err)
	}
}

func TestAContextThatIsNoJSONIsAWrongCall(t *testing.T) {
	s := sidecartest.New(t)
	_, err := s.Client().Decide(t.Context(), sidecarclient.Request{Method: "GET", URL: "/", Context: func() {}})
	var wrong *sidecarclient.CallError
	if !errors.As(err, &wrong) || len(s.Questions()) != 0 {
		t.Errorf("%v", err)
	}
}

func TestAnAnswerIsBoundedByMaxAnswerBytes(t *testing.T) {
	for bytes, want := range map[int64]bool{int64(len(allowJSON)): true, int64(len(allowJSON)) - 1: false} {
		server := httptest.NewServer(sound(nil))
		d, err := decide(t, sidecarclient.Config{Address: server.URL, MaxAnswerBytes: bytes})
		server.Close()
		if d.Allow != want || (err == nil) != want {
			t.Errorf("%d: %+v, %v", bytes, d, err)
		}
	}
}

// TestADecisionIsItsJSON: what the sidecar answers is read and written without a loss.
func TestADecisionIsItsJSON(t *testing.T) {
	const text = `{"decision_id":"01J","allow":false,"kind":"deny","status":403,` +
		`"reasons":[{"code":"a","message":"b","more":[1]}],"headers":{"X-A":["1","2"]},"upstream_headers":{"X-B":[]},` +
		`"context":{"obligations":[{"type":"t","id":"i","n":1.50}]},` +
		`"policy":{"path":"authz/decision","revision":"1","digest":"sha256:00"}}`
	var d sidecarclient.Decision
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	if got := string(mustJSON(t, d)); got != text {
		t.Errorf("got  %s\nwant %s", got, text)
	}
	if len(d.Obligations) != 1 || d.Obligations[0].Type != "t" || d.Obligations[0].ID != "i" ||
		d.Reasons[0].Message != "b" {
		t.Errorf("%+v", d)
	}
	if err := json.Unmarshal([]byte(strings.Replace(text, `"allow":false`, `"allow":true`, 1)), &d); err == nil {
		t.Error("a contradiction was read")
	}
	if got := string(mustJSON(t, sidecarclient.Decision{})); strings.Contains(got, "null") {
		t.Errorf("a decision of nothing: %s", got)
	}
}

func TestNamesOfMembersAreExact(t *testing.T) {
	for _, name := range []string{"Allow", "ALLOW", "allo\\u0077 "} {
		server := httptest.NewServer(testkit.ReplyJSON(strings.Replace(allowJSON, `"allow":`, `"`+name+`":`, 1)))
		d, err := decide(t, sidecarclient.Config{Address: server.URL})
		server.Close()
		if err == nil {
			t.Errorf("%s: %+v", name, d)
		}
	}
	newer := strings.Replace(allowJSON, `{`, `{"allow_all":true,"Allow":false,`, 1)
	server := httptest.NewServer(testkit.ReplyJSON(newer))
	defer server.Close()
	if d, err := decide(t, sidecarclient.Config{Address: server.URL}); err != nil || !d.Allow {
		t.Errorf("members of a newer sidecar: %+v, %v", d, err)
	}
}

func TestErrorsHoldNoToken(t *testing.T) {
	const token = "a-token-that-is-secret-0123456789"
	for _, h := range []http.Handler{testkit.Reply(500, "", token), testkit.Reply(400, "", token),
		testkit.ReplyJSON(token),
		testkit.ReplyJSON(`{"decision_id":"` + token + `"}`)} {
		server := httptest.NewServer(h)
		c, err := sidecarclient.New(sidecarclient.Config{Address: server.URL, CallerKey: token})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Decide(t.Context(), sidecarclient.Request{Method: "GET", URL: "/?access_token=" + token,
			Token: token})
		server.Close()
		if err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("%v", err)
		}
	}
}

// FuzzDecision: what is read as an allow says so in each of its members, and a decision is its JSON.
func FuzzDecision(f *testing.F) {
	f.Add([]byte(allowJSON))
	f.Add([]byte(strings.Replace(allowJSON, `"context":{}`, `"context":{"obligations":[{"type":"a"},{}]}`, 1)))
	f.Add([]byte(strings.Replace(allowJSON, `true,"kind":"allow","status":200`, `false,"kind":"deny","status":403`,
		1)))
	f.Add([]byte(strings.Replace(allowJSON, `"reasons":[]`, `"reasons":[{"code":"a","message":"b","c":1}]`, 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d, again sidecarclient.Decision
		if json.Unmarshal(b, &d) != nil {
			return
		}
		var said map[string]any
		if err := json.Unmarshal(b, &said); err != nil {
			t.Fatal(err)
		}
		sure := said["allow"] == true && said["kind"] == "allow" && said["status"] == 200.0
		if d.Allow != sure || d.Allow != (d.Kind == sidecarclient.KindAllow) || d.Allow != (d.Status == 200) {
			t.Errorf("%s is read as %+v", b, d)
		}
		if err := json.Unmarshal(mustJSON(t, d), &again); err != nil ||
			string(mustJSON(t, again)) != string(mustJSON(t, d)) {
			t.Errorf("%s is written as %s: %v", b, mustJSON(t, d), err)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	s := sidecartest.Start(sidecartest.On("**", sidecartest.Allow("X-Subject", "alice", "X-Tenant", "acme")))
	defer s.Close()
	c := s.Client()
	r := sidecarclient.Request{Method: "GET", URL: "/orders/42", Headers: http.Header{"Authorization": {"Bearer x"}}}
	for b.Loop() {
		if _, err := c.Decide(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
