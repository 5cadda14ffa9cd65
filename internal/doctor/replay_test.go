package doctor_test

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
)

const (
	duende     = "duende-identityserver-7.4.8"
	openiddict = "openiddict-7.8.0"
)

// replay is a server that says what a real one was recorded to say: its metadata, and one answer at each endpoint.
type replay struct {
	server      string // of the recordings
	mode        authz.Mode
	introspects string                   // name of the recorded answer
	token       http.HandlerFunc         // nil for none
	asked       func(path, scope string) // may be nil
	keys        string                   // the key set; "" is one with a good key
}

// config is that of an issuer that has the recorded server's dialect, and what it says by the name of the replay.
func (r replay) config(t *testing.T) issuer.Config {
	t.Helper()
	metadata, err := os.ReadFile(filepath.Join("testdata", "metadata", r.server+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var self struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(metadata, &self); err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSuffix(self.Issuer, "/")
	mux := http.NewServeMux()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.asked != nil {
			r.asked(req.URL.Path, req.FormValue("scope"))
		}
		mux.ServeHTTP(w, req)
	}))
	t.Cleanup(s.Close)
	as := func(text string) string { return strings.ReplaceAll(text, name, s.URL) }
	mux.HandleFunc("/.well-known/", answers(200, "application/json", as(string(metadata))))
	set := cmp.Or(r.keys, keys)
	mux.HandleFunc("/.well-known/jwks", answers(200, "application/json", set))
	mux.HandleFunc("/.well-known/openid-configuration/jwks", answers(200, "application/json", set))
	if r.introspects != "" {
		mux.HandleFunc("POST /connect/introspect", recorded(t, r.server, r.introspects, as))
	}
	if r.token != nil {
		mux.HandleFunc("POST /connect/token", r.token)
	}
	cfg := config(t, as(self.Issuer))
	cfg.Dialect.Dialect, _, _ = strings.Cut(r.server, "-")
	if cfg.Mode = r.mode; r.mode == "" {
		cfg.Mode = authz.ModeIntrospect
	}
	cfg.Dialect.Audience, cfg.JWT.Algorithms, cfg.JWT.Types =
		[]string{"orders-api"}, []string{"RS256"}, []string{"at+jwt"}
	return cfg
}

// keys is a key set that can check signatures, though none of the tokens here has a good one: RFC 7515 appendix A.2.
const keys = `{"keys":[{"kty":"RSA","kid":"a","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}]}`

// recorded is one answer as it was recorded, but for its end: all those tokens have expired.
func recorded(t *testing.T, server, name string, as func(string) string) http.HandlerFunc {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "introspect", "issuer", "testdata", "recorded", server, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    jsontext.Value    `json:"body"`
	}
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatal(err)
	}
	body := regexp.MustCompile(`"exp": [0-9]+`).ReplaceAll(a.Body, []byte(`"exp": 9999999999`))
	return answers(a.Status, a.Headers["Content-Type"], as(string(body)))
}

// issues is a token endpoint that gives one token to all.
func issues(tok string) http.HandlerFunc {
	return answers(200, "application/json", `{"token_type":"Bearer","expires_in":300,"access_token":"`+tok+`"}`)
}

// refuses is a token endpoint that gives none.
func refuses(status int, code string) http.HandlerFunc {
	return answers(status, "application/json", `{"error":"`+code+`"}`)
}
