package introspect

import (
	"encoding/base64"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authserver"
	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// seen is what a server saw of one request.
type seen struct {
	request *http.Request
	body    string
	form    url.Values
}

// observed asks once and returns what arrived.
func observed(t *testing.T, change func(*Config)) seen {
	t.Helper()
	got := make(chan seen, 1)
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(b))
		got <- seen{r, string(b), form}
		saysJSON(`{"active":true}`)(w, r)
	})
	i, _ := open(t, u.URL+"/introspect", change)
	introspect(t, i)
	return <-got
}

func TestINT1_AsksByPostedForm(t *testing.T) {
	s := observed(t, nil)
	if s.request.Method != http.MethodPost || s.request.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("%s %s", s.request.Method, s.request.Header.Get("Content-Type"))
	}
	if s.form.Get("token") != testToken || s.form.Get("token_type_hint") != "access_token" || len(s.form) != 2 {
		t.Errorf("form %v", s.form)
	}
}

func TestINT2_AcceptsJSONOnly(t *testing.T) {
	if got := observed(t, nil).request.Header.Values("Accept"); len(got) != 1 || got[0] != "application/json" {
		t.Errorf("Accept %q", got)
	}
}

func TestINT3_BearerIsSentAsItIs(t *testing.T) {
	s := observed(t, func(c *Config) {
		c.Server.Client = authserver.Client{Auth: "bearer", Secret: secretFile(t, "rs-token.~+/=")}
	})
	if got := s.request.Header.Get("Authorization"); got != "Bearer rs-token.~+/=" {
		t.Errorf("Authorization %q", got)
	}
	if s.form.Has("client_id") || s.form.Has("client_secret") {
		t.Errorf("a second method: %v", s.form)
	}
}

func TestINT5_TheTokenIsNotInTheURL(t *testing.T) {
	if got := observed(t, nil).request.URL.String(); got != "/introspect" {
		t.Errorf("URL %q", got)
	}
}

func TestCA1_BasicSendsNothingInTheBody(t *testing.T) {
	s := observed(t, nil)
	if s.form.Has("client_id") || s.form.Has("client_secret") || len(s.request.Header.Values("Authorization")) != 1 {
		t.Errorf("two methods: %v", s.form)
	}
}

func TestCA2_BasicEncodesIDAndSecretSeparately(t *testing.T) {
	_, credentials, _ := strings.Cut(observed(t, nil).request.Header.Get("Authorization"), " ")
	b, err := base64.StdEncoding.DecodeString(credentials)
	if err != nil {
		t.Fatal(err)
	}
	if want := "rs%3A1:s3cr%3At%2B+%25%2F%C3%BC"; string(b) != want {
		t.Errorf("credentials %q, want %q", b, want)
	}
	id, password, _ := strings.Cut(string(b), ":")
	if v, _ := url.QueryUnescape(id); v != "rs:1" {
		t.Errorf("id decodes to %q", v)
	}
	if v, _ := url.QueryUnescape(password); v != testSecret {
		t.Errorf("secret decodes to something else")
	}
}

func TestCA2_RawEncodesNothing(t *testing.T) {
	s := observed(t, func(c *Config) { c.Server.Client.ID, c.Server.Client.BasicEncoding = "rs 1", "raw" })
	if id, password, _ := s.request.BasicAuth(); id != "rs 1" || password != testSecret {
		t.Errorf("id %q", id)
	}
}

func TestCA3_PostSendsBothInTheBodyAndNowhereElse(t *testing.T) {
	s := observed(t, func(c *Config) { c.Server.Client.Auth = "client_secret_post" })
	if s.form.Get("client_id") != "rs:1" || s.form.Get("client_secret") != testSecret {
		t.Errorf("form %v", s.form)
	}
	if s.request.Header.Get("Authorization") != "" || s.request.URL.RawQuery != "" {
		t.Errorf("a second method")
	}
}

func TestINT4_AnUnknownCertificateIsMisconfigured(t *testing.T) {
	u := serveTLS(t)
	i, _ := open(t, u.URL, nil)
	if e := refusal(t, i, authz.Misconfigured); !strings.Contains(e.Error(), "unknown authority") {
		t.Errorf("cause %q", e)
	}
}

func TestINT4_ACAFileVouchesForTheServer(t *testing.T) {
	u := serveTLS(t)
	i, _ := open(t, u.URL, func(c *Config) { c.Server.CAFile = caFile(t, u) })
	if !introspect(t, i).Active {
		t.Error("not active")
	}
}

func TestINT4_ACertificateForAnotherHostIsMisconfigured(t *testing.T) {
	u := serveTLS(t)
	i, _ := open(t, strings.Replace(u.URL, "127.0.0.1", "localhost", 1), func(c *Config) { c.Server.CAFile = caFile(t, u) })
	if e := refusal(t, i, authz.Misconfigured); !strings.Contains(e.Error(), `not valid for "localhost"`) {
		t.Errorf("cause %q", e)
	}
}

// serveTLS keeps quiet about the handshakes that the tests mean to lose.
func serveTLS(t *testing.T) *httptest.Server {
	t.Helper()
	u := httptest.NewUnstartedServer(saysJSON(`{"active":true}`))
	u.Config.ErrorLog = log.New(io.Discard, "", 0)
	u.StartTLS()
	t.Cleanup(u.Close)
	return u
}

func caFile(t *testing.T, u *httptest.Server) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ca.pem")
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: u.Certificate().Raw})
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAKeptConnectionThatTheServerClosedIsNoFailure(t *testing.T) {
	u := serve(t, saysJSON(`{"active":true}`))
	i, _ := open(t, u.URL, func(c *Config) { c.Cache.TTL = 0 })
	for range 20 {
		introspect(t, i)
		u.CloseClientConnections()
	}
}

func TestAskShowsTheAnswerAsItCame(t *testing.T) {
	u := serve(t, says(http.StatusUnauthorized, "application/json", `{"error":"invalid_client"}`))
	i, _ := open(t, u.URL+"/x", nil)
	a, err := i.Ask(t.Context(), secret.New(testToken))
	if authz.KindOf(err) != authz.Misconfigured || !strings.Contains(err.Error(), "invalid_client") {
		t.Errorf("error %v", err)
	}
	if a.Endpoint != u.URL+"/x" || a.Status != 401 || a.ContentType != "application/json" || string(a.Body) != `{"error":"invalid_client"}` || a.Claims != nil {
		t.Errorf("answer %+v", a)
	}
}

func TestAskGoesPastTheCache(t *testing.T) {
	u := serve(t, saysJSON(`{"active":true,"sub":"a"}`))
	i, _ := open(t, u.URL, nil)
	introspect(t, i)
	a, err := i.Ask(t.Context(), secret.New(testToken))
	if err != nil || a.Claims == nil || a.Claims.Subject.ID != "a" {
		t.Fatalf("answer %+v, %v", a, err)
	}
	if u.calls.Load() != 2 {
		t.Errorf("%d calls", u.calls.Load())
	}
}

func TestRefusedPrefixesAreNotAsked(t *testing.T) {
	u := serve(t, saysJSON(`{"active":true}`))
	i, _ := open(t, u.URL, func(c *Config) { c.Reading.RefusedPrefixes = []string{"ory_rt_"} })
	c, err := i.Introspect(t.Context(), Question{Token: secret.New("ory_rt_abc")})
	if err != nil || c.Active || c.Usable(time.Now()) == "" {
		t.Errorf("claims %+v, %v", c, err)
	}
	if u.calls.Load() != 0 {
		t.Error("asked")
	}
}

func TestINT12_EmptyAndHugeTokensAreNotAsked(t *testing.T) {
	u := serve(t, saysJSON(`{"active":true}`))
	i, _ := open(t, u.URL, nil)
	for _, tok := range []string{"", strings.Repeat("a", 1<<20)} {
		c, err := i.Introspect(t.Context(), Question{Token: secret.New(tok)})
		if err != nil || c.Active || c.Why == "" {
			t.Errorf("claims %+v, %v", c, err)
		}
	}
	if u.calls.Load() != 0 {
		t.Error("asked")
	}
}
