package devissuer

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ask introspects without a socket, for tests that need the clock of a synctest bubble.
func ask(ctx context.Context, s *Server, token string) string {
	r := httptest.NewRequestWithContext(ctx, "POST", "http://localhost/introspect",
		strings.NewReader(form("token", token)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	asGate(r)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w.Body.String()
}

const dead = `{"active":false}`

func TestINT1_OnlyPostedFormsAreRead(t *testing.T) {
	s := start(t, known())
	token := issue(t, s, Grant{})
	target := s.Issuer() + "/introspect"
	if a := call(t, "GET", target, ""); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d, Allow %q", a.status, a.header.Get("Allow"))
	}
	call(t, "POST", target+"?token="+token, "", asGate).is(t, 400, "invalid_request")
	call(t, "POST", target, `{"token":"x"}`, asGate, func(r *http.Request) {
		r.Header.Set("Content-Type", "application/json")
	}).is(t, 400, "invalid_request")
	call(t, "POST", target, "token=%zz", asGate).is(t, 400, "invalid_request")
	call(t, "POST", target, form("token_type_hint", "access_token"), asGate).is(t, 400, "invalid_request")
	call(t, "POST", target, "token=", asGate).is(t, 400, "invalid_request")
}

func TestINT1_AHintDoesNotRestrict(t *testing.T) {
	s := start(t, known())
	if a := call(t, "POST", s.Issuer()+"/introspect", form("token", issue(t, s, Grant{}), "token_type_hint",
		"refresh_token"), asGate); a.json["active"] != true {
		t.Errorf("got %s", a.text)
	}
}

func TestINT1_ARepeatedParameterIsRefused(t *testing.T) {
	s := start(t, known())
	token := issue(t, s, Grant{})
	call(t, "POST", s.Issuer()+"/introspect", form("token", token, "token", token), asGate).is(t, 400,
		"invalid_request")
}

func TestINT3_EveryClientIsAuthenticated(t *testing.T) {
	s := start(t, known())
	token := issue(t, s, Grant{})
	for name, as := range map[string]edit{
		"a resource server, Basic": asGate,
		"a client, Basic":          basic("shop", clientSecret),
	} {
		if a := introspect(t, s, token, as); a.json["active"] != true {
			t.Errorf("%s: %s", name, a.text)
		}
	}
	if a := call(t, "POST", s.Issuer()+"/introspect", form("token", token, "client_id", "gate", "client_secret",
		resourceSecret)); a.json["active"] != true {
		t.Errorf("a resource server, post: %s", a.text)
	}
}

func TestINT8_RefusedCallersGet401AndAChallenge(t *testing.T) {
	s := start(t, known())
	token := issue(t, s, Grant{})
	for name, as := range map[string]edit{
		"no credentials":   func(*http.Request) {},
		"a wrong secret":   basic("gate", "wrong"),
		"an empty secret":  basic("gate", ""),
		"an unknown name":  basic("unknown", resourceSecret),
		"another scheme":   func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
		"a broken Basic":   func(r *http.Request) { r.Header.Set("Authorization", "Basic !") },
		"a broken percent": func(r *http.Request) { r.SetBasicAuth("gate", "%zz") },
	} {
		a := introspect(t, s, token, as)
		a.is(t, 401, "invalid_client")
		if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic realm=") ||
			a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", name, a.header)
		}
	}
}

func TestINT6_AnActiveAnswerHasEveryMember(t *testing.T) {
	s := start(t, known())
	begin := time.Now().Add(-time.Minute)
	a := introspect(t, s, issue(t, s, Grant{
		ClientID: "c", Subject: "u-1", Username: "alice", Scopes: []string{"a", "b"}, Audience: []string{"x", "y"},
		Tenant: "acme",
		Roles:  []string{"r"}, TTL: time.Minute, NotBefore: begin,
	}))
	now := time.Now().Unix()
	if exp, iat := int64(a.json["exp"].(float64)), int64(a.json["iat"].(float64)); exp < now+58 || exp > now+61 ||
		iat > now || iat < now-2 {
		t.Errorf("exp %d, iat %d, now %d", exp, iat, now)
	}
	if nbf := int64(a.json["nbf"].(float64)); nbf != begin.Unix() && nbf != begin.Unix()+1 {
		t.Errorf("nbf %d, want %d", nbf, begin.Unix())
	}
	if jti, _ := a.json["jti"].(string); jti == "" {
		t.Error("jti is missing")
	}
	for _, name := range []string{"exp", "iat", "nbf", "jti"} {
		delete(a.json, name)
	}
	want := map[string]any{
		"active": true, "scope": "a b", "client_id": "c", "username": "alice", "token_type": "Bearer", "sub": "u-1",
		"aud": []any{"x", "y"},
		"iss": s.Issuer(), "tenant": "acme", "roles": []any{"r"},
	}
	if !reflect.DeepEqual(a.json, want) {
		t.Errorf("got  %v\nwant %v", a.json, want)
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", a.header)
	}
}

func TestINT6_EmptyFactsAreLeftOut(t *testing.T) {
	s := start(t, known())
	a := introspect(t, s, issue(t, s, Grant{}))
	for _, name := range []string{"scope", "client_id", "username", "sub", "aud", "nbf", "tenant", "roles"} {
		if v, there := a.json[name]; there {
			t.Errorf("%s is %v", name, v)
		}
	}
}

func TestINT7_UnknownTokensAreInactiveAndSayNoMore(t *testing.T) {
	s := start(t, known())
	if a := introspect(t, s, "never-issued"); a.status != 200 || a.text != dead {
		t.Errorf("got %d %s", a.status, a.text)
	}
}

func TestINT7_ATokenIssuedAsExpiredIsInactive(t *testing.T) {
	s := start(t, known())
	if a := introspect(t, s, issue(t, s, Grant{TTL: -time.Nanosecond})); a.text != dead {
		t.Errorf("got %s", a.text)
	}
}

func TestINT7_ATokenIsInactiveFromExpOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := known()
		cfg.TokenTTL = time.Minute
		s := build(t, cfg)
		token := issue(t, s, Grant{})
		<-time.After(time.Minute - time.Nanosecond)
		if got := ask(t.Context(), s, token); got == dead {
			t.Error("inactive before exp")
		}
		<-time.After(time.Nanosecond)
		if got := ask(t.Context(), s, token); got != dead {
			t.Errorf("at exp: %s", got)
		}
	})
}

func TestINT7_ATokenIsInactiveUntilNbf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := build(t, known())
		token := issue(t, s, Grant{NotBefore: time.Now().Add(time.Minute)})
		if got := ask(t.Context(), s, token); got != dead {
			t.Errorf("before nbf: %s", got)
		}
		<-time.After(time.Minute)
		if got := ask(t.Context(), s, token); got == dead {
			t.Error("inactive at nbf")
		}
	})
}

func TestINT7_RevokeFromGoMakesInactive(t *testing.T) {
	s := start(t, known())
	token := issue(t, s, Grant{})
	s.Revoke(token)
	s.Revoke("never-issued")
	if a := introspect(t, s, token); a.text != dead {
		t.Errorf("got %s", a.text)
	}
}

func TestINT11_ANarrowResourceServerLearnsOnlyItsOwn(t *testing.T) {
	s := start(t, known())
	as := basic("narrow", resourceSecret)
	for _, c := range []struct {
		name     string
		audience []string
		active   bool
	}{
		{"its own audience", []string{"x", "https://api.example/"}, true},
		{"another audience", []string{"https://other.example/"}, false},
		{"no audience", nil, false},
	} {
		if a := introspect(t, s, issue(t, s, Grant{Audience: c.audience}), as); a.json["active"] != c.active {
			t.Errorf("%s: %s", c.name, a.text)
		}
	}
}

func TestINT9_LatencyComesBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := known()
		cfg.Latency = 300 * time.Millisecond
		s := build(t, cfg)
		token := issue(t, s, Grant{})
		begin := time.Now()
		if got := ask(t.Context(), s, token); got == dead {
			t.Error("inactive")
		}
		if d := time.Since(begin); d != cfg.Latency {
			t.Errorf("took %v", d)
		}
	})
}

func TestINT9_LatencyEndsWhenTheClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := known()
		cfg.Latency = time.Hour
		s := build(t, cfg)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		defer func() {
			if recover() != http.ErrAbortHandler || time.Since(begin) != time.Second {
				t.Errorf("did not end with its client: %v", time.Since(begin))
			}
		}()
		ask(ctx, s, "x")
	})
}

func TestINT16_ClaimsChangeWhatIsSaidAboutAToken(t *testing.T) {
	s := start(t, known())
	a := introspect(t, s, issue(t, s, Grant{Audience: []string{"x"},
		Claims: map[string]any{"aud": "one", "exp": nil, "act": map[string]any{"sub": "b"}, "active": "true"}}))
	if _, there := a.json["exp"]; there || a.json["aud"] != "one" ||
		!reflect.DeepEqual(a.json["act"], map[string]any{"sub": "b"}) || a.json["active"] != true {
		t.Errorf("got %s", a.text)
	}
}

func TestIssueRefusesWhatItCannotWrite(t *testing.T) {
	s := build(t, known())
	for name, g := range map[string]Grant{
		"claims that are not JSON": {Claims: map[string]any{"x": make(chan int)}},
		"signed claims that are not JSON": {ClientID: "c", Subject: "s", Audience: []string{"a"}, TokenFormat: JWT,
			Claims: map[string]any{"x": make(chan int)}},
		"text that is not UTF-8":          {Tenant: "\xff"},
		"an unknown format":               {TokenFormat: "saml"},
		"a JWT without a subject":         {TokenFormat: JWT, ClientID: "c", Audience: []string{"a"}},
		"a JWT without an audience":       {TokenFormat: JWT, ClientID: "c", Subject: "s"},
		"a JWT that was issued to no-one": {TokenFormat: JWT, Subject: "s", Audience: []string{"a"}},
	} {
		if token, err := s.Issue(g); err == nil || token != "" {
			t.Errorf("%s: got a token, error %v", name, err)
		}
	}
}

func TestINT21_OversizedBodiesAreRefused(t *testing.T) {
	s := start(t, known())
	introspect(t, s, strings.Repeat("x", maxBody), asGate).is(t, 413, "invalid_request")
}
