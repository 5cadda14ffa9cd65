//go:build bench

package bench

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// everyToken calls every token active, with the claims that the policies look for.
const everyToken = `{"active":true,"token_type":"Bearer","sub":"alice","client_id":"web-shop",` +
	`"scope":"orders:read profile","aud":"orders-api","tenant":"acme","exp":%d,"sid":"%s"}`

// answers is an authorization server in place of the network.
type answers struct{ n int }

// RoundTrip implements http.RoundTripper. The sessions differ, so that the claims of no two tokens are one text.
func (a *answers) RoundTrip(*http.Request) (*http.Response, error) {
	a.n++
	body := fmt.Appendf(nil, everyToken, time.Now().Add(time.Hour).Unix(), fmt.Sprintf("session-%032d", a.n))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body))}, nil
}

// scaleTokens fills the cache of one issuer in this process and looks tokens up at random.
func scaleTokens(t *testing.T, s *scale) {
	a := newAxes("cached tokens", "cached tokens")
	a.cpu.name, a.rss.name = "tokens-cpu", "tokens-rss"
	a.cpu.title, a.cpu.y = "Time to find one of the cached tokens", "microseconds a look-up"
	a.rss.title, a.rss.y = "Heap of cached tokens, with 200 bytes of claims each", "MiB"
	for _, n := range sizes(1, 1_000_000) {
		cfg := load(t, s.w.configuration(t, t.TempDir(), setup{policy: s.w.small})).Issuers[0]
		cfg.Endpoint.IntrospectionEndpoint, cfg.Endpoint.Issuer = "http://127.0.0.1:1/introspect", ""
		cfg.Cache.MaxEntries, cfg.Cache.MaxBytes, cfg.Cache.TTL = 2*n, 1<<40, time.Hour
		cfg.Protection.UnknownTokens, cfg.Protection.UnknownBySource = 0, 0
		before := heap()
		one, err := issuer.New(cfg, issuer.Deps{Fingerprints: secret.NewFingerprinter(), Transport: &answers{}})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(i int) {
			q := introspect.Question{Token: secret.New(fmt.Sprintf("an-opaque-token-of-43-characters-%010d", i))}
			if c, err := one.Introspect(t.Context(), q); err != nil || !c.Active {
				t.Fatalf("token %d: %v", i, err)
			}
		}
		for i := range n {
			ask(i)
		}
		used := float64(heap()-before) / (1 << 20)
		const lookups = 50_000
		begun := time.Now()
		for range lookups {
			ask(rand.IntN(n))
		}
		s.add(a, "tokens", "cache", float64(n), figures{cpu: micros(time.Since(begun)) / lookups, rss: used})
		one.Close()
	}
	s.draw(t, a)
}

// heap is the bytes that are in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// scaleIssuers asks about a token of one of many issuers, which are told apart by how their tokens begin.
func scaleIssuers(t *testing.T, s *scale) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, everyToken, time.Now().Add(time.Hour).Unix(), "session") // a client that left needs none
	}))
	defer server.Close()
	a := newAxes("issuers", "issuers")
	for _, n := range sizes(1, 1_000) {
		set := setup{policy: s.w.small, change: func(all map[string]any) {
			client := all["issuers"].([]any)[0].(map[string]any)["client"]
			issuers := make([]any, n)
			for i := range issuers {
				issuers[i] = map[string]any{"name": fmt.Sprintf("issuer-%d", i), "allow_insecure_http": true,
					"introspection_endpoint": fmt.Sprintf("%s/%d/introspect", server.URL, i), "client": client,
					"tenant": []string{"/tenant"}, "cache": map[string]any{"ttl": "10m"},
					"match": map[string]any{"prefixes": []string{fmt.Sprintf("t%04d_", i)}}}
			}
			all["issuers"] = issuers
		}}
		f := s.at(t, set, few, func(side sidecar) func(int) ([]caller, error) {
			return posts(side.api, "/v1/decisions", question(t, fmt.Sprintf("t%04d_an-opaque-token", n/2)))
		})
		s.add(a, "issuers", "remembered", float64(n), f)
	}
	s.draw(t, a)
}
