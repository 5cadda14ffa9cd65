package native_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// explainer is an Explainer made of a func.
type explainer func(context.Context, authz.Query) decision.Explained

func (e explainer) Explain(ctx context.Context, q authz.Query) decision.Explained { return e(ctx, q) }
func (explainer) Callable(string) bool                                            { return true }

func explaining(t *testing.T, e native.Explainer) (*server, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	return admin(t, native.Deps{
		Metrics: http.NotFoundHandler(), Status: func() status.Report { return status.Report{} },
		Explainer: e, Log: slog.New(slog.NewTextHandler(&log, nil)),
	}), &log
}

// explained is what the tests read of an explanation.
type explained struct {
	Decision    answer `json:"decision"`
	Text        string `json:"text"`
	Explanation struct {
		Cause   string `json:"cause"`
		Decided []struct {
			Rule string `json:"rule"`
			Row  int    `json:"row"`
		} `json:"decided"`
		Reasons []struct{ Code, Rule string } `json:"reasons"`
		Notes   []string                      `json:"notes"`
	} `json:"explanation"`
}

func TestAnExplanationIsTheDecisionAndWhy(t *testing.T) {
	s, log := explaining(t, newPoint(t))
	resp, body := s.post(t, "/v1/explain", `{"entrypoint":"authz/no","token":"`+rawToken+
		`","request":{"method":"GET","url":"/a?x=`+rawToken+`"}}`)
	got := decode[explained](t, body)
	if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("answered %s %v", resp.Status, resp.Header)
	}
	if d := got.Decision; d.Kind != "deny" || d.Status != 403 || d.DecisionID == "" || d.Policy.Path != "authz/no" {
		t.Errorf("decision %+v", d)
	}
	x := got.Explanation
	if len(x.Decided) != 1 || x.Decided[0].Rule != "data.authz.no" || x.Decided[0].Row != 9 || len(x.Reasons) != 1 ||
		x.Reasons[0].Rule != "data.authz.no" {
		t.Errorf("explanation %+v", x)
	}
	if !strings.HasPrefix(got.Text, "deny 403  never: say \"please\"\ndecided by   data.authz.no  ") {
		t.Errorf("text %q", got.Text)
	}
	if strings.Contains(body+log.String(), rawToken) {
		t.Errorf("the token is in %s or in %s", body, log)
	}
	if l := log.String(); strings.Count(l, "\n") != 1 || !strings.Contains(l, "msg=explained decision_id="+
		got.Decision.DecisionID) {
		t.Errorf("logged %s", l)
	}
}

func TestAnExplanationSaysWhyNoPolicyWasAsked(t *testing.T) {
	s, _ := explaining(t, newPoint(t))
	_, body := s.post(t, "/v1/explain", `{"request":{"method":"GET","url":"/a%2Fb"}}`)
	got := decode[explained](t, body)
	if got.Decision.Kind != "malformed" || !strings.Contains(got.Explanation.Cause, "the path is ambiguous") ||
		len(got.Explanation.Notes) != 1 || !strings.Contains(got.Text, "input.ambiguous_paths") {
		t.Errorf("answered %s", body)
	}
}

func TestACallForAnExplanationIsReadStrictly(t *testing.T) {
	s, _ := explaining(t, newPoint(t))
	for body, want := range map[string][2]string{
		`{"request":{"method":"GET","url":"/"},"entrypoint":"nosuch"}`: {"unknown_entrypoint", ""},
		`{"request":{"method":"GET"}}`:                                 {"missing_member", "/request/url"},
		`{"request":{"method":"GET","url":"/"},"entrypint":"x"}`:       {"unknown_member", "/entrypint"},
		`[]`: {"wrong_type", ""},
	} {
		resp, text := s.post(t, "/v1/explain", body)
		code := http.StatusBadRequest
		if want[0] == "unknown_entrypoint" {
			code = http.StatusNotFound
		}
		expectError(t, resp, text, code, want[0], want[1])
	}
}

func TestTheAPIListenerExplainsNothing(t *testing.T) {
	s := serve(t, listener(), native.Deps{Explainer: newPoint(t)})
	resp, body := s.post(t, "/v1/explain", question)
	expectError(t, resp, body, http.StatusNotFound, "not_found", "")
}

func TestFewExplanationsAreMadeAtOnce(t *testing.T) {
	busy, release := make(chan struct{}), make(chan struct{})
	s, _ := explaining(t, explainer(func(context.Context, authz.Query) decision.Explained {
		busy <- struct{}{}
		<-release
		return decision.Explained{Decision: authz.Decision{Kind: authz.Deny, Status: 403}}
	}))
	answered := make(chan int, 2)
	for range 2 {
		go func() {
			resp, _ := s.post(t, "/v1/explain", question)
			answered <- resp.StatusCode
		}()
		<-busy
	}
	resp, body := s.post(t, "/v1/explain", question)
	expectError(t, resp, body, http.StatusTooManyRequests, "too_many_explanations", "")
	if resp.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	close(release)
	for range 2 {
		if code := <-answered; code != 200 {
			t.Errorf("answered %d", code)
		}
	}
	go func() { <-busy }()
	testkit.Eventually(t, "explanations are made again", func() bool {
		resp, _ := s.post(t, "/v1/explain", question)
		return resp.StatusCode == 200
	})
}
