package native_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// receiving answers with what it was asked.
func receiving() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, r.Method+" "+r.URL.Path+" "+string(b))
	})
}

func TestEventsNeedNoCallerKeyAndTheRestOfTheListenerDoes(t *testing.T) {
	cfg := listener()
	cfg.BearerKeysFile = filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(cfg.BearerKeysFile, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	deps := native.Deps{Metrics: http.NotFoundHandler(), Events: receiving(),
		Status: func() status.Report { return status.Report{} }}
	s := run(t, cfg, deps, native.ListenAdmin)
	resp, body := s.do(t, "POST", "/v1/events/acme/backchannel-logout", "x", nil)
	if resp.StatusCode != http.StatusAccepted || body != "POST /v1/events/acme/backchannel-logout x" {
		t.Errorf("%s %s", resp.Status, body)
	}
	for _, path := range []string{"/v1/status", "/metrics", "/v1/events/../status", "/v1/events",
		"/v1/events/../../metrics"} {
		if resp, body := s.do(t, "GET", path, "", nil); resp.StatusCode < 400 {
			t.Errorf("%s without a key: %s %s", path, resp.Status, body)
		}
	}
	if resp, _ := s.do(t, "GET", "/v1/status", "", nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("status without a key: %s", resp.Status)
	}
}

func TestEventsAreAcceptedOnTheAdminListenerOnly(t *testing.T) {
	s := serve(t, listener(), native.Deps{Events: receiving(),
		Status: func() status.Report { return status.Report{} }})
	if resp, _ := s.do(t, "POST", "/v1/events/acme/backchannel-logout", "x",
		nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("on the api listener: %s", resp.Status)
	}
	s = admin(t, native.Deps{Metrics: http.NotFoundHandler(), Status: func() status.Report { return status.Report{} }})
	if resp, _ := s.do(t, "POST", "/v1/events/acme/backchannel-logout", "x",
		nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("with none configured: %s", resp.Status)
	}
}
