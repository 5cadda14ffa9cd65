package native_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// evictor is an Evictor made of a func.
type evictor func(authz.Revocation) (int, error)

func (e evictor) Evict(v authz.Revocation) (int, error) { return e(v) }

func evicting(t *testing.T, e evictor) (*server, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	return admin(t, native.Deps{
		Metrics: http.NotFoundHandler(), Status: func() status.Report { return status.Report{} },
		Evictor: e, Log: slog.New(slog.NewTextHandler(&log, nil)),
	}), &log
}

func TestAnEvictionPassesOnEachMember(t *testing.T) {
	for body, want := range map[string]authz.Revocation{
		`{"token":"` + rawToken + `"}`:            {Token: secret.New(rawToken)},
		`{"token":" ` + rawToken + `\n"}`:         {Token: secret.New(rawToken)},
		`{"jti":"j"}`:                             {TokenID: "j"},
		`{"sid":"s","sub":null}`:                  {SessionID: "s"},
		`{"issuer":"main","sub":"u"}`:             {Issuer: "main", Subject: "u"},
		`{"username":"n","client_id":"c"}`:        {Username: "n", ClientID: "c"},
		`{"tenant":"t","all":false}`:              {Tenant: "t"},
		`{"all":true}`:                            {All: true},
		`{"issuer":"https://as.acme","all":true}`: {Issuer: "https://as.acme", All: true},
	} {
		var got authz.Revocation
		s, log := evicting(t, func(v authz.Revocation) (int, error) { got = v; return 3, nil })
		resp, text := s.post(t, "/v1/evict", body)
		if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-store" ||
			decode[map[string]int](t, text)["evicted"] != 3 {
			t.Errorf("%s: answered %s %s", body, resp.Status, text)
		}
		if got.Token.Reveal() != want.Token.Reveal() {
			t.Errorf("%s: another token", body)
		}
		got.Token, want.Token = secret.Text{}, secret.Text{}
		if got != want {
			t.Errorf("%s: evicted %+v", body, got)
		}
		if strings.Count(log.String(), "\n") != 1 || strings.Contains(log.String()+text, rawToken) {
			t.Errorf("%s: logged %s", body, log)
		}
	}
}

func TestEvictionLogsWhatKindsWereNamedAndNoValues(t *testing.T) {
	s, log := evicting(t, func(authz.Revocation) (int, error) { return 3, nil })
	s.post(t, "/v1/evict", `{"jti":"`+rawToken+`","sub":"alice"}`)
	if got := log.String(); !strings.Contains(got, `msg=evicted named="[jti sub]" evicted=3 caller=127.0.0.1:`) ||
		strings.Contains(got, rawToken) || strings.Contains(got, "alice") {
		t.Errorf("logged %s", got)
	}
}

func TestMalformedEvictions(t *testing.T) {
	is, err := issuer.Open(nil, issuer.Deps{Fingerprints: secret.NewFingerprinter()})
	if err != nil {
		t.Fatal(err)
	}
	s, log := evicting(t, is.Evict)
	for name, c := range map[string]struct{ body, code, pointer string }{
		"nothing":              {``, "bad_json", ""},
		"no JSON":              {`token=` + rawToken, "bad_json", ""},
		"a token with scheme":  {`{"token":"Bearer ` + rawToken + `"}`, "bad_token", "/token"},
		"two tokens":           {`{"token":"` + rawToken + `,` + rawToken + `"}`, "bad_token", "/token"},
		"a token of blanks":    {`{"token":" \n"}`, "missing_member", "/token"},
		"an unknown member":    {`{"tokens":"` + rawToken + `"}`, "unknown_member", "/tokens"},
		"a member in capitals": {`{"JTI":"a"}`, "unknown_member", "/JTI"},
		"a member twice":       {`{"token":"` + rawToken + `","token":"b"}`, "duplicate_member", "/token"},
		"a token of a number":  {`{"token":1}`, "wrong_type", "/token"},
		"all in words":         {`{"all":"yes"}`, "wrong_type", "/all"},
		"an empty token":       {`{"token":"","sid":"s"}`, "missing_member", "/token"},
		"an empty sid":         {`{"sid":""}`, "missing_member", "/sid"},
		"an empty issuer":      {`{"issuer":"","jti":"j"}`, "missing_member", "/issuer"},
		"an unknown issuer":    {`{"issuer":"` + rawToken + `","jti":"j"}`, "unknown_issuer", "/issuer"},
	} {
		resp, body := s.post(t, "/v1/evict", c.body)
		expectError(t, resp, body, http.StatusBadRequest, c.code, c.pointer)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", log)
	}
	resp, body := s.post(t, "/v1/evict", `{"token":"`+strings.Repeat("x", 5000)+`"}`)
	expectError(t, resp, body, http.StatusRequestEntityTooLarge, "body_too_large", "")
	// what a web page may send anywhere
	resp, body = s.do(t, "POST", "/v1/evict", `{"all":true}`, http.Header{"Content-Type": {"text/plain"}})
	expectError(t, resp, body, http.StatusUnsupportedMediaType, "unsupported_media_type", "")
	resp, body = s.do(t, "GET", "/v1/evict", "", nil)
	expectError(t, resp, body, http.StatusMethodNotAllowed, "method_not_allowed", "")
}

func TestEvictionsThatNameTooLittleAreRefused(t *testing.T) {
	for code, pointer := range map[string]string{introspect.NothingNamed: "", introspect.IssuerNeeded: "/issuer",
		introspect.UnknownIssuer: "/issuer"} {
		s, _ := evicting(t, func(authz.Revocation) (int, error) {
			return 0, &authz.Error{Kind: authz.Malformed, Code: code, Err: errors.New(code)}
		})
		resp, body := s.post(t, "/v1/evict", `{}`)
		expectError(t, resp, body, http.StatusBadRequest, code, pointer)
	}
	s, _ := evicting(t, func(authz.Revocation) (int, error) { return 0, fmt.Errorf("about %s", rawToken) })
	resp, body := s.post(t, "/v1/evict", `{"all":true}`)
	expectError(t, resp, body, http.StatusInternalServerError, "internal_error", "")
}

func TestEvictionIsForTheAdminListenerOnly(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	resp, body := s.post(t, "/v1/evict", `{"all":true}`)
	expectError(t, resp, body, http.StatusNotFound, "not_found", "")
}

func TestEvictionNeedsTheKeyOfItsListener(t *testing.T) {
	deps := native.Deps{Metrics: http.NotFoundHandler(), Status: func() status.Report { return status.Report{} }}
	s := run(t, withKeys(t), deps, native.ListenAdmin)
	resp, body := s.post(t, "/v1/evict", `{"all":true}`)
	expectError(t, resp, body, http.StatusUnauthorized, "unauthorized", "")
}
