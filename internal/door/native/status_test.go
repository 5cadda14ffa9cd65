package native_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

func TestStatus(t *testing.T) {
	report := status.Report{
		Version: "1.2.3", Started: time.Unix(1_800_000_000, 0), Ready: true,
		Policy: status.Policy{
			Revision: "r1", Bundles: map[string]string{"policies": ""}, Entrypoints: []string{"authz/decision"},
			FailedAt: time.Unix(1_800_000_001, 0),
			Errors: []status.Problem{{File: "a.rego", Row: 3, Col: 1, Code: "rego_parse_error", Message: "no",
				Text: "a.rego:3:1: rego_parse_error: no"}},
		},
		Issuers: []status.Issuer{{Name: "acme", CachedActive: 2}},
	}
	s := serve(t, listener(), native.Deps{Status: func() status.Report { return report }})
	resp, body := s.do(t, "GET", "/v1/status", "", nil)
	got := decode[map[string]any](t, body)
	if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-store" ||
		resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	policy := got["policy"].(map[string]any)
	problem := policy["errors"].([]any)[0].(map[string]any)
	if got["version"] != "1.2.3" || got["ready"] != true || policy["healthy"] != false ||
		problem["text"] != "a.rego:3:1: rego_parse_error: no" || problem["row"] != 3.0 {
		t.Errorf("status %s", body)
	}
}

func TestReadinessSaysWhy(t *testing.T) {
	var ready atomic.Bool
	s := admin(t, native.Deps{Metrics: http.NotFoundHandler(), Status: func() status.Report {
		return status.Report{Ready: ready.Load(), Policy: status.Policy{Revision: "r1"}}
	}})
	resp, body := s.do(t, "GET", "/readyz", "", nil)
	if resp.StatusCode != 503 || !strings.Contains(body, `"ready": false`) ||
		!strings.Contains(body, `"revision": "r1"`) {
		t.Errorf("%s %s", resp.Status, body)
	}
	if resp, _ := s.do(t, "GET", "/livez", "", nil); resp.StatusCode != 200 {
		t.Errorf("it lives, and answers %s", resp.Status)
	}
	ready.Store(true)
	if resp, body := s.do(t, "GET", "/readyz", "", nil); resp.StatusCode != 200 ||
		!strings.Contains(body, `"ready": true`) {
		t.Errorf("%s %s", resp.Status, body)
	}
	if resp, body := s.do(t, "HEAD", "/readyz", "", nil); resp.StatusCode != 200 || body != "" {
		t.Errorf("HEAD: %s %s", resp.Status, body)
	}
}

func TestAProbeTellsTheCauseInWords(t *testing.T) {
	since := time.Date(2026, 11, 23, 3, 51, 45, 5, time.FixedZone("", 3600))
	for because, c := range map[string]struct {
		report status.Report
		want   string
	}{
		"starting": {status.Report{}, "the sidecar is starting"},
		"stopping": {status.Report{},
			"the sidecar is stopping: calls are still answered, new ones should go elsewhere"},
		"canary": {status.Report{Issuers: []status.Issuer{
			{Name: "good"},
			{Name: "acme", Canary: "ask \"login.acme\": ...", CanaryOutcome: status.CanaryInactive,
				CanarySince: since},
			{Name: "globex", Canary: "ask \"login.globex\": ...", CanaryOutcome: status.CanaryRefused,
				CanarySince: since},
		}}, `the canary of issuer "acme" does not come back since 2026-11-23T02:51:45Z: a token that the authorization ` +
			`server issued to the sidecar a moment ago is not good; the canary of issuer "globex" does not come back ` +
			`since 2026-11-23T02:51:45Z: the authorization server refuses the sidecar or its request`},
	} {
		c.report.Because = because
		s := serve(t, listener(), native.Deps{Status: func() status.Report { return c.report }})
		_, body := s.do(t, "GET", "/readyz", "", nil)
		got := decode[struct {
			Because, Message string
			Canaries         []struct{ Issuer, Outcome, Since string }
		}](t, body)
		if got.Because != because || got.Message != c.want || len(got.Canaries) != len(c.report.Issuers)/3*2 {
			t.Errorf("%s: %s", because, body)
		}
		if strings.Contains(body, "login.") {
			t.Errorf("%s: a probe is told what only the status may tell: %s", because, body)
		}
	}
}

func TestMetricsAreOnTheAdminListenerOnly(t *testing.T) {
	deps := native.Deps{Metrics: telemetry.NewMetrics("1.2.3").Handler(),
		Status: func() status.Report { return status.Report{} }}
	if resp, body := admin(t, deps).do(t, "GET", "/metrics", "", nil); resp.StatusCode != 200 ||
		!strings.Contains(body, `version="1.2.3"`) {
		t.Errorf("admin: %s", resp.Status)
	}
	if resp, body := admin(t, deps).post(t, "/v1/decisions", question); resp.StatusCode != 404 {
		t.Errorf("the admin listener decides: %s %s", resp.Status, body)
	}
	if resp, _ := serve(t, listener(), deps).do(t, "GET", "/metrics", "", nil); resp.StatusCode != 404 {
		t.Errorf("api: %s", resp.Status)
	}
}

func TestTracesOfCallersAreContinued(t *testing.T) {
	spans := make(chan string, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		spans <- string(b)
	}))
	defer collector.Close()
	tracer, err := telemetry.NewTracer(t.Context(), telemetry.TraceConfig{Endpoint: collector.URL, Ratio: 1}, "test",
		telemetry.NewLogger(telemetry.LogConfig{}, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, listener(), native.Deps{Tracer: tracer})
	resp, _ := s.do(t, "POST", "/v1/decisions", question, http.Header{
		"Content-Type": {"application/json"}, "Traceparent": {
			"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	})
	if err := tracer.Shutdown(t.Context()); err != nil || resp.StatusCode != 200 {
		t.Fatal(err, resp.Status)
	}
	sent := <-spans
	if !strings.Contains(sent, "POST /v1/decisions") || !strings.Contains(sent, "\x0a\xf7\x65\x19\x16\xcd\x43\xdd") {
		t.Error("the span is not in the trace of the caller")
	}
}
