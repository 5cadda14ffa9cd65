package extauthz_test

import (
	"context"
	"path/filepath"
	"testing"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/authz-sidecar/sidecar/internal/door/extauthz"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestAnEnvoyThatAsksTooOftenGetsDenials(t *testing.T) {
	const other = "another-key-of-16-bytes"
	cfg := listener()
	cfg.Limits.PerCaller = listen.PerCaller{Rate: 0.01}
	cfg.BearerKeysFile = filepath.Join(t.TempDir(), "keys")
	testkit.WriteFile(t, cfg.BearerKeysFile, "a-key-of-16-bytes-or-more\n"+other+"\n")
	w := serve(t, cfg, extauthz.Deps{Point: says(allowed())})
	key := []string{"authorization", "Bearer a-key-of-16-bytes-or-more"}
	if out := w.check(t, get(), key...); out.GetOkResponse() == nil {
		t.Fatalf("the first check: %v", out)
	}
	denied := w.check(t, get(), key...).GetDeniedResponse()
	wait := ""
	for _, h := range denied.GetHeaders() {
		if h.GetHeader().GetKey() == "retry-after" {
			wait = h.GetHeader().GetValue()
		}
	}
	if denied.GetStatus().GetCode() != 429 || wait != "100" {
		t.Errorf("the second check: %v", denied)
	}
	if out := w.check(t, get(), "authorization", "Bearer "+other); out.GetOkResponse() == nil {
		t.Errorf("another caller: %v", out)
	}
	for range 3 {
		health := healthv1.NewHealthClient(w.conn)
		if _, err := health.Check(context.Background(), &healthv1.HealthCheckRequest{}); err != nil {
			t.Errorf("the health: %v", err)
		}
	}
}

func TestAnEnvoyWithoutAKeyIsKnownByItsAddress(t *testing.T) {
	cfg := listener()
	cfg.Limits.PerCaller = listen.PerCaller{Rate: 0.01}
	w := serve(t, cfg, extauthz.Deps{Point: says(allowed())})
	if out := w.check(t, get()); out.GetOkResponse() == nil {
		t.Fatalf("the first check: %v", out)
	}
	if out := w.check(t, get()); out.GetDeniedResponse().GetStatus().GetCode() != 429 {
		t.Errorf("the second check: %v", out)
	}
}
