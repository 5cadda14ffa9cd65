package native_test

import (
	"net/http"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/status"
)

func TestCallsOverTheLimitOfACallerAreRefused(t *testing.T) {
	cfg := listener()
	cfg.Limits.PerCaller = listen.PerCaller{Rate: 0.01, Burst: 2}
	s := serve(t, cfg, native.Deps{Mounts: mounted()})
	for range 2 {
		if resp, body := s.do(t, "GET", "/keyed/a", "", nil); resp.StatusCode != 200 {
			t.Fatalf("%s %s", resp.Status, body)
		}
	}
	resp, body := s.post(t, "/v1/decisions", `{}`)
	expectError(t, resp, body, http.StatusTooManyRequests, "too_many_calls", "")
	if wait := resp.Header.Get("Retry-After"); wait != "100" {
		t.Errorf("Retry-After is %q", wait)
	}
	if resp, body := s.do(t, "GET", "/keyed/a", "", nil); body != "mounted: too_many_calls" ||
		resp.Header.Get("Retry-After") != "100" {
		t.Errorf("a mount: %s %q", resp.Status, body)
	}
	if resp, _ := s.do(t, "GET", "/nothing", "", nil); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("an unknown path: %s", resp.Status)
	}
}

func TestProbesAndMetricsHaveNoLimit(t *testing.T) {
	cfg := listener()
	cfg.Limits.PerCaller = listen.PerCaller{Rate: 0.01}
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) })
	ready := func() status.Report { return status.Report{Ready: true} }
	s := run(t, cfg, native.Deps{Metrics: metrics, Status: ready}, native.ListenAdmin)
	for range 3 {
		for _, path := range []string{"/livez", "/readyz", "/metrics", "/openapi.json"} {
			if resp, body := s.do(t, "GET", path, "", nil); resp.StatusCode != 200 {
				t.Errorf("%s: %s %s", path, resp.Status, body)
			}
		}
	}
	s.do(t, "GET", "/v1/status", "", nil)
	if resp, _ := s.do(t, "GET", "/v1/status", "", nil); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the status: %s", resp.Status)
	}
}
