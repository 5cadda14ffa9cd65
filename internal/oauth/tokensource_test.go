package oauth_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// granting is a server that gives out tokens "rs1", "rs2" and so on, and takes those at the introspection endpoint
// that takes says.
func granting(t *testing.T, takes func(token string) bool) (*idp, *atomic.Int64) {
	t.Helper()
	var given atomic.Int64
	return serve(t, func(w http.ResponseWriter, q seen) {
		switch {
		case q.URL.Path == "/token":
			says(w, 200, fmt.Sprintf(`{"access_token":"rs%d","token_type":"bearer","expires_in":300}`, given.Add(1)))
		case takes(strings.TrimPrefix(q.Header.Get("Authorization"), "Bearer ")):
			active(w, q)
		default:
			says(w, 401, `{"error":"invalid_token"}`)
		}
	}), &given
}

func takesAll(string) bool { return true }

func granted(t *testing.T, u *idp) oauth.Config {
	cfg := u.config(t)
	cfg.TokenEndpoint = u.URL + "/token"
	cfg.Client.Auth, cfg.Client.Scope = "client_credentials", []string{"introspect", "more"}
	return cfg
}

func TestAGrantIsAskedForOnceAndUsedAsBearer(t *testing.T) {
	u, given := granting(t, takesAll)
	s := open(t, granted(t, u))
	for range 3 {
		answered(t, s)
	}
	q := u.requests()
	if given.Load() != 1 || len(q) != 4 {
		t.Fatalf("%d tokens, %d requests", given.Load(), len(q))
	}
	if id, password, _ := q[0].BasicAuth(); id == "" || password == "" ||
		q[0].form.Get("grant_type") != "client_credentials" || q[0].form.Get("scope") != "introspect more" ||
		len(q[0].form) != 2 {
		t.Errorf("token request %v", q[0].form)
	}
	if q[1].Header.Get("Authorization") != "Bearer rs1" || q[1].form.Has("client_id") ||
		q[1].form.Has("client_secret") {
		t.Errorf("CA-1: two methods: %v", q[1].form)
	}
}

func TestAGrantIsAuthenticatedByTokenAuth(t *testing.T) {
	u, _ := granting(t, takesAll)
	for auth, member := range map[string]string{"client_secret_post": "client_secret",
		"client_secret_jwt": "client_assertion"} {
		cfg := granted(t, u)
		cfg.Client.TokenAuth = auth
		if q := u.observed(t, cfg); !q.form.Has(member) || q.Header.Get("Authorization") != "" {
			t.Errorf("%s: %v", auth, q.form)
		}
	}
}

func TestManyShareOneGrant(t *testing.T) {
	u, given := granting(t, takesAll)
	s := open(t, granted(t, u))
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if r, err := ask(t.Context(), s); err != nil || r.Status != 200 {
				t.Errorf("status %d, %v", r.Status, err)
			}
		})
	}
	all.Wait()
	if given.Load() != 1 {
		t.Errorf("%d tokens", given.Load())
	}
}

func TestARefusedTokenIsReplacedOnce(t *testing.T) {
	var good atomic.Pointer[string]
	first, second := "rs1", "rs2"
	good.Store(&first)
	u, given := granting(t, func(token string) bool { return token == *good.Load() })
	s := open(t, granted(t, u))
	answered(t, s)
	good.Store(&second)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if r, err := ask(t.Context(), s); err != nil || r.Status != 200 {
				t.Errorf("status %d, %v", r.Status, err)
			}
		})
	}
	all.Wait()
	if given.Load() != 2 {
		t.Errorf("%d tokens", given.Load())
	}
}

func TestTokensThatAreAllRefusedAreNotGotForEachRequest(t *testing.T) {
	u, given := granting(t, func(string) bool { return false })
	s := open(t, granted(t, u))
	for range 5 {
		if r, err := ask(t.Context(), s); err != nil || r.Status != 401 {
			t.Errorf("status %d, %v", r.Status, err)
		}
	}
	if given.Load() != 2 {
		t.Errorf("%d tokens", given.Load())
	}
}

func TestAnswersThatAreNoToken(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   authz.Kind
	}{
		"the credentials refused": {401, `{"error":"invalid_client"}`, authz.Misconfigured},
		"the scope refused":       {400, `{"error":"invalid_scope"}`, authz.Misconfigured},
		"a server that is ill":    {503, ``, authz.Unavailable},
		"too many":                {429, ``, authz.Unavailable},
		"no JSON":                 {200, `token`, authz.Unavailable},
		"no token":                {200, `{"token_type":"Bearer"}`, authz.Unavailable},
		"a token with a newline":  {200, `{"access_token":"a\nb","token_type":"Bearer"}`, authz.Unavailable},
		"a bound token":           {200, `{"access_token":"a","token_type":"DPoP"}`, authz.Misconfigured},
		"a token of no type":      {200, `{"access_token":"a"}`, authz.Misconfigured},
		"two tokens": {200, `{"access_token":"a","access_token":"b","token_type":"Bearer"}`,
			authz.Unavailable},
	} {
		u := serve(t, func(w http.ResponseWriter, q seen) { says(w, c.status, c.body) })
		_, err := ask(t.Context(), open(t, granted(t, u)))
		if authz.KindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		for _, q := range u.requests() {
			if q.URL.Path == "/introspect" {
				t.Errorf("%s: asked all the same", name)
			}
		}
	}
}

// wire is a transport that is a function: where the clock is the subject, sockets would hold it still.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

func wireJSON(body string) *http.Response {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body))}
}

// openWired is a server with auth client_credentials behind a wire that answers at /token by token.
func openWired(t *testing.T, token wire) *oauth.Server {
	t.Helper()
	s, err := oauth.New(oauth.Config{
		Name: "test", IntrospectionEndpoint: "https://as.example/i", TokenEndpoint: "https://as.example/token",
		Client:  oauth.Client{ID: "rs", Auth: "client_credentials", Secret: testkit.SecretFile(t, "s")},
		Timeout: 5 * time.Second, MaxResponseBytes: 1 << 20,
	}, oauth.Deps{Transport: wire(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/token" {
			return token(r)
		}
		return wireJSON(`{"active":true,"as":"` + r.Header.Get("Authorization") + `"}`), nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func wiredAsk(ctx context.Context, s *oauth.Server) (string, error) {
	r, err := s.Post(ctx, "https://as.example/i", url.Values{}, "application/json")
	_, as, _ := strings.Cut(string(r.Body), `"as":"Bearer `)
	return strings.TrimSuffix(as, `"}`), err
}

func TestATokenIsRenewedBeforeItEndsWithoutAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := openWired(t, func(*http.Request) (*http.Response, error) {
			n++
			time.Sleep(time.Second)
			return wireJSON(fmt.Sprintf(`{"access_token":"t%d","token_type":"Bearer","expires_in":100}`, n)), nil
		})
		for _, step := range []struct {
			after time.Duration
			want  string
			waits time.Duration
		}{
			{0, "t1", time.Second}, {80 * time.Second, "t1", 0}, {10 * time.Second, "t1", 0},
			{2 * time.Second, "t2", 0},
			{120 * time.Second, "t3", time.Second},
		} {
			time.Sleep(step.after)
			start := time.Now()
			got, err := wiredAsk(t.Context(), s)
			if err != nil || got != step.want || time.Since(start) != step.waits {
				t.Errorf("%v later: %q after %v, %v", step.after, got, time.Since(start), err)
			}
		}
	})
}

func TestATokenThatCannotBeRenewedIsUsedToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := openWired(t, func(*http.Request) (*http.Response, error) {
			if n++; n > 1 {
				return nil, errors.New("down")
			}
			return wireJSON(`{"access_token":"t1","token_type":"Bearer","expires_in":"100"}`), nil
		})
		for range 995 {
			if got, err := wiredAsk(t.Context(), s); err != nil || got != "t1" {
				t.Fatalf("%q, %v", got, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n < 5 || n > 12 {
			t.Errorf("asked %d times", n)
		}
		time.Sleep(time.Second)
		if _, err := wiredAsk(t.Context(), s); authz.KindOf(err) != authz.Unavailable {
			t.Errorf("after its end: %v", err)
		}
	})
}

func TestAGrantOutlivesItsFirstCallerAndEndsWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openWired(t, func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(2 * time.Second):
				return wireJSON(`{"access_token":"t1","token_type":"Bearer"}`), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := wiredAsk(ctx, s); authz.KindOf(err) != authz.Unavailable {
			t.Errorf("first: %v", err)
		}
		start := time.Now()
		if got, err := wiredAsk(t.Context(), s); got != "t1" || err != nil || time.Since(start) != time.Second {
			t.Errorf("second: %q after %v, %v", got, time.Since(start), err)
		}
		time.Sleep(time.Hour)
		go func() { _, _ = wiredAsk(t.Context(), s) }()
		synctest.Wait()
		s.Close()
		if _, err := wiredAsk(t.Context(), s); authz.KindOf(err) != authz.Unavailable {
			t.Errorf("closed: %v", err)
		}
	})
}

func TestATokenOfACertificateThatTheServerTakesNoMoreIsReplaced(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		certificates := pairs(t)
		var good atomic.Int64
		c := &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: version,
			VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
				if !slices.Equal(raw[0], certificates[good.Load()].Leaf.Raw) {
					return errors.New("not this one")
				}
				return nil
			}}
		u := serveTLS(t, c, func(w http.ResponseWriter, _ seen) {
			says(w, 200, `{"active":true,"access_token":"rs","token_type":"Bearer","expires_in":3600}`)
		})
		u.Config.SetKeepAlivesEnabled(false) // or there would be no more handshakes
		r := &rotating{cfg: u.config(t)}
		r.cfg.TokenEndpoint = u.URL + "/token"
		r.certified(t, certificates)
		r.cfg.Client.Auth, r.cfg.Client.TokenAuth = "client_credentials", r.cfg.Client.Auth
		s := open(t, r.cfg)
		answered(t, s)
		r.write(1)
		good.Store(1)
		answered(t, s)
	}
}
