package issuer

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/guard"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const (
	testSecret = "s3cr:t+ %/ü"
	testToken  = "7Fjfp0ZBr1KtDRbnfVdmIw-the-raw-token"
)

// upstream is an authorization server of one handler that counts its calls.
type upstream struct {
	*httptest.Server
	calls atomic.Int64
}

func serve(t testing.TB, h http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.calls.Add(1)
		h(w, r)
	}))
	t.Cleanup(u.Close)
	return u
}

func testConfig(t testing.TB, endpoint string) Config {
	c := conf.Default[Config]()
	c.Endpoint.Name, c.Endpoint.IntrospectionEndpoint, c.Endpoint.AllowInsecureHTTP, c.Endpoint.Timeout = "test",
		endpoint, true, 5*time.Second
	c.Endpoint.Client.ID, c.Endpoint.Client.Secret = "rs:1", testkit.SecretFile(t, testSecret)
	c.MaxInFlight = 64
	c.Protection = guard.Config{BreakerFailures: 1 << 20,
		BreakerDelay: 250 * time.Millisecond} // out of the way of most tests
	c.Cache.TTL, c.Cache.NegativeTTL, c.Cache.RevocationMemory = time.Minute, time.Minute, 0
	c.Cache.MaxEntries, c.Cache.MaxBytes, c.Cache.NegativeMaxEntries = 1000, 8<<20, 100
	return c
}

// open builds an Issuer after change has had its way with the configuration.
func open(t *testing.T, endpoint string, change func(*Config)) (*Issuer, *ledger) {
	t.Helper()
	return openOver(t, endpoint, change, nil)
}

func openOver(t *testing.T, endpoint string, change func(*Config), rt http.RoundTripper) (*Issuer, *ledger) {
	t.Helper()
	cfg, l := testConfig(t, endpoint), &ledger{Registry: testkit.NewRegistry()}
	if change != nil {
		change(&cfg)
	}
	i, err := New(cfg, Deps{Fingerprints: secret.NewFingerprinter(), Metrics: l.Registry,
		Log: slog.New(slog.NewTextHandler(l, nil)), Transport: rt})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return i, l
}

// The metrics that a ledger reads.
const (
	metricAsked   = "sidecar_introspect_call_duration_seconds"
	metricCached  = "sidecar_introspect_cache_lookups_total"
	metricEvicted = "sidecar_introspect_cache_evictions_total"
	metricRefused = "sidecar_introspect_refusals_total"
	metricRetried = "sidecar_introspect_retries_total"
	metricStale   = "sidecar_introspect_stale_served_total"
	metricFresh   = "sidecar_introspect_refreshes_total"
)

// ledger is a log that remembers, and reads what is counted.
type ledger struct {
	testkit.LogBuffer
	testkit.Registry
}

// of is the value of a metric, by its labels but the issuer: "active capacity".
func (l *ledger) of(t *testing.T, metric, labels string) int {
	t.Helper()
	return l.all(t, metric)[labels]
}

// all has what of a metric is not 0, by its labels but the issuer.
func (l *ledger) all(t *testing.T, metric string) map[string]int {
	t.Helper()
	out := map[string]int{}
	for series, v := range l.Series(t) {
		labels, ok := strings.CutPrefix(series, metric+"{")
		if !ok || v == 0 {
			continue
		}
		var values []string
		for _, pair := range strings.Split(strings.TrimSuffix(labels, "}"), ",") {
			if name, value, _ := strings.Cut(pair, "="); name != "issuer" {
				values = append(values, strings.Trim(value, `"`))
			}
		}
		out[strings.Join(values, " ")] += int(v)
	}
	return out
}

// ask asks about the test token and wants an answer.
func ask(t *testing.T, i *Issuer) *authz.Claims {
	t.Helper()
	c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(testToken)})
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return c
}

// refusal asks about the test token and wants an error of a kind.
func refusal(t *testing.T, i *Issuer, want authz.Kind) *authz.Error {
	t.Helper()
	c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(testToken)})
	if c != nil {
		t.Errorf("claims beside an error: %+v", c.Inactive.Text)
	}
	if authz.KindOf(err) != want {
		t.Fatalf("kind %v, want %v: %v", authz.KindOf(err), want, err)
	}
	e, ok := errors.AsType[*authz.Error](err)
	if !ok {
		t.Fatalf("%T is no *authz.Error", err)
	}
	return e
}

// wire is a transport that is a function: where the clock is the subject, sockets would hold it still.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

func wireJSON(body string) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewBufferString(body)),
	}
}

// openWired is open with a wire in place of the network.
func openWired(t *testing.T, change func(*Config), w wire) (*Issuer, *ledger) {
	t.Helper()
	return openOver(t, "https://as.example/introspect", change, w)
}
