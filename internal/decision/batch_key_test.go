package decision

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestABatchSharesAnAnswerOnlyWhereAllThatShapesItIsEqual(t *testing.T) {
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"active":true}`)
	}))
	t.Cleanup(server.Close)
	cfg := conf.Default[issuer.Config]()
	cfg.Endpoint.Name, cfg.Endpoint.IntrospectionEndpoint, cfg.Endpoint.AllowInsecureHTTP = "one", server.URL, true
	cfg.Endpoint.Client.ID, cfg.Endpoint.Client.Secret, cfg.Endpoint.Timeout =
		"api", testkit.SecretFile(t, "s"), 5*time.Second
	cfg.Cache.TTL, cfg.Cache.NegativeTTL = 0, 0
	issuers, err := issuer.Open([]issuer.Config{cfg}, issuer.Deps{Fingerprints: secret.NewFingerprinter()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(issuers.Close)
	batch := oncePerToken(issuers)
	for i, c := range []struct {
		q     introspect.Question
		calls int64
	}{
		{introspect.Question{Token: secret.New("one-token")}, 1},
		{introspect.Question{Token: secret.New("one-token"), Host: "elsewhere", Source: "10.0.0.1"}, 1},
		{introspect.Question{Token: secret.New("another-token")}, 2},
		{introspect.Question{Token: secret.New("one-token"), Freshness: authz.Freshness{Limited: true}}, 3},
		{introspect.Question{Token: secret.New("one-token"), Freshness: authz.Freshness{Limited: true}}, 3},
		{introspect.Question{Token: secret.New("one-token"),
			Freshness: authz.Freshness{Limited: true, MaxAge: time.Second}}, 4},
		{introspect.Question{Token: secret.New("one-token"), Freshness: authz.Freshness{Mode: authz.ModeIntrospect}},
			5},
	} {
		claims, err := batch.Introspect(t.Context(), c.q)
		if err != nil || !claims.Active {
			t.Fatalf("question %d: %+v, %v", i, claims, err)
		}
		if n := calls.Load(); n != c.calls {
			t.Errorf("after question %d the server was asked %d times, want %d", i, n, c.calls)
		}
	}
}

func TestAnIntrospectorThatMakesNoChoiceSharesNoAnswer(t *testing.T) {
	canned, err := issuer.Static(issuer.Config{}, []byte(`{"active":true}`))
	if err != nil {
		t.Fatal(err)
	}
	if oncePerToken(canned) != canned || oncePerToken(nil) != nil {
		t.Error("an introspector that cannot tell its questions apart shares answers")
	}
}
