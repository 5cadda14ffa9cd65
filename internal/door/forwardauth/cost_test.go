package forwardauth

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// decided is a Point that has decided beforehand, so that what is measured is the door alone.
type decided struct{ d authz.Decision }

func (p *decided) Decide(context.Context, authz.Query) authz.Decision { return p.d }
func (*decided) Callable(string) bool                                 { return true }

// sink is a ResponseWriter that keeps nothing.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header       { return s.header }
func (*sink) WriteHeader(int)             {}
func (*sink) Write(b []byte) (int, error) { return len(b), nil }

// repeated returns what makes one check again and again.
func repeated(tb testing.TB) func() {
	tb.Helper()
	cfg := Config{Profile: Nginx, KeyHeader: "x-sidecar-key"}
	cfg.Address, cfg.Limits = "127.0.0.1:0", listen.Limits{Timeout: time.Second, BodyBytes: 1 << 20}
	log := slog.New(slog.DiscardHandler)
	guard, err := listen.NewGuard(cfg.Config, listen.Deps{Name: "forward_auth.nginx", Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	point := &decided{authz.Decision{ID: "01JDR4M8S0000000000000000A", Kind: authz.Allow, Status: http.StatusOK,
		UpstreamHeaders: []authz.Header{{Name: "X-User", Values: []string{"alice"}}}}}
	c := &checks{cfg: newReader(cfg), deps: Deps{Point: point, Outcomes: NewOutcomes(nil)}, guard: guard,
		complaints: door.NewComplaints(log, undecided()...)}
	r := httptest.NewRequest(http.MethodGet, "http://sidecar/check", nil)
	r.Header = http.Header{"X-Original-Method": {"GET"}, "X-Original-Uri": {"/orders/42"},
		"X-Original-Host": {"api.acme.example"}, "X-Original-Scheme": {"https"}, "X-Original-For": {"192.0.2.7"},
		"Authorization": {"Bearer 4JQmB0wH5m3Ye0vN4mT0m2i0K9yTzX3yYQ1pW7dZb1c"}, "X-Tenant": {"acme"},
		"User-Agent": {"Mozilla/5.0"}, "Accept": {"*/*"}}
	w := sink{http.Header{}}
	return func() {
		clear(w.header)
		c.ServeHTTP(&w, r)
	}
}

// What the door itself allocates for a check. A change that needs more has a reason for it.
func TestACheckAllocatesLittle(t *testing.T) {
	testkit.WithinAllocations(t, 6, repeated(t))
}

func BenchmarkCheck(b *testing.B) {
	check := repeated(b)
	b.ReportAllocs()
	for b.Loop() {
		check()
	}
}
