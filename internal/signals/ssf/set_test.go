package ssf

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/signals"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
	"github.com/authz-sidecar/sidecar/internal/testkit/transmitter"
)

func issSub(iss, sub string) map[string]any {
	return map[string]any{"format": "iss_sub", "iss": iss, "sub": sub}
}

func opaque(id string) map[string]any { return map[string]any{"format": "opaque", "id": id} }

// setClaimsOf is a token that says that a session of a user is over.
func setClaimsOf(p *transmitter.Server) map[string]any {
	return map[string]any{
		"iss": p.URL, "aud": transmitter.StreamAudience, "iat": time.Now().Unix(), "jti": "set-1",
		"events": map[string]any{sessionRevoked: map[string]any{"event_timestamp": time.Now().Unix() - 5}},
		"sub_id": issSub(p.URL, "alice"),
	}
}

func signSet(t testing.TB, p *transmitter.Server, changes map[string]any) string {
	t.Helper()
	return jwks.Sign(t, p.Signer, "secevent+jwt", transmitter.With(setClaimsOf(p), changes))
}

// about is a token of one event about a subject.
func about(t testing.TB, p *transmitter.Server, event string, body map[string]any, subject any) string {
	t.Helper()
	if body == nil {
		body = map[string]any{}
	}
	return signSet(t, p, map[string]any{"events": map[string]any{event: body}, "sub_id": subject})
}

func TestSET1_WhatIsNotAValidTokenIsRefusedWithItsCode(t *testing.T) {
	p := transmitter.New(t)
	otherSigner := transmitter.OtherSigner(t, "RS256")
	now := time.Now().Unix()
	for name, c := range map[string]struct{ tok, code string }{
		"typ of a JWT":              {jwks.Sign(t, p.Signer, "JWT", setClaimsOf(p)), codeRequest},
		"no typ":                    {jwks.Sign(t, p.Signer, "", setClaimsOf(p)), codeRequest},
		"typ of a logout token":     {jwks.Sign(t, p.Signer, "logout+jwt", setClaimsOf(p)), codeRequest},
		"garbage":                   {"garbage", codeRequest},
		"empty":                     {"", codeRequest},
		"another key":               {jwks.Sign(t, otherSigner, "secevent+jwt", setClaimsOf(p)), codeKey},
		"another issuer":            {signSet(t, p, map[string]any{"iss": "https://other.example"}), codeIssuer},
		"no issuer":                 {signSet(t, p, map[string]any{"iss": nil}), codeIssuer},
		"another audience":          {signSet(t, p, map[string]any{"aud": "rs-ssf/stream-2"}), codeAudience},
		"no audience":               {signSet(t, p, map[string]any{"aud": nil}), codeAudience},
		"no iat":                    {signSet(t, p, map[string]any{"iat": nil}), codeRequest},
		"iat in the future":         {signSet(t, p, map[string]any{"iat": now + 3600}), codeRequest},
		"no jti":                    {signSet(t, p, map[string]any{"jti": nil}), codeRequest},
		"no events":                 {signSet(t, p, map[string]any{"events": nil}), codeRequest},
		"an empty object of events": {signSet(t, p, map[string]any{"events": map[string]any{}}), codeRequest},
		"an event that is no object": {signSet(t, p, map[string]any{"events": map[string]any{sessionRevoked: true}}),
			codeRequest},
	} {
		t.Run(name, func(t *testing.T) {
			rs, l := openFor(t, p, nil)
			w := postSet(t, rs, c.tok)
			var body struct{ Err, Description string }
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != http.StatusBadRequest ||
				body.Err != c.code || body.Description == "" {
				t.Errorf("status %d, body %s", w.Code, w.Body)
			}
			transmitter.Wants(t, l)
		})
	}
}

func TestSET1_OneOfSeveralAudiencesIsEnough(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	if w := postSet(t, rs,
		signSet(t, p,
			map[string]any{"aud": []string{"x", transmitter.StreamAudience}})); w.Code != http.StatusAccepted {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	transmitter.Wants(t, l, authz.Revocation{Subject: "alice"})
}

func TestSET1_EveryEventOfATokenIsTaken(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	tok := signSet(t, p, map[string]any{"events": map[string]any{sessionRevoked: map[string]any{},
		risc + "account-disabled": map[string]any{}}})
	if w := postSet(t, rs, tok); w.Code != http.StatusAccepted || len(l.All()) != 2 {
		t.Errorf("status %d, evicted %v", w.Code, l.All())
	}
}

func TestSET2_SubAndExpMustNotBeThere(t *testing.T) {
	p := transmitter.New(t)
	for _, changes := range []map[string]any{{"sub": "alice"}, {"exp": time.Now().Unix() + 60}} {
		rs, l := openFor(t, p, nil)
		claims := setClaimsOf(p)
		for k, v := range changes {
			claims[k] = v
		}
		if w := postSet(t, rs, jwks.Sign(t, p.Signer, "secevent+jwt", claims)); w.Code != http.StatusBadRequest ||
			!strings.Contains(w.Body.String(), codeRequest) {
			t.Errorf("%v: status %d, %s", changes, w.Code, w.Body)
		}
		transmitter.Wants(t, l)
	}
}

func TestSET3_EachFormatOfASubjectNamesWhatItNames(t *testing.T) {
	const iss = "https://as.example"
	r := subjectReader{issuers: []string{iss}}
	complexOf := func(members map[string]any) map[string]any {
		members["format"] = "complex"
		return members
	}
	email := map[string]any{"format": "email", "email": "alice@example.com"}
	phone := map[string]any{"format": "phone_number", "phone_number": "+12025550100"}
	for name, c := range map[string]struct {
		subject any
		want    []authz.Revocation
	}{
		"iss_sub":                   {issSub(iss, "alice"), []authz.Revocation{{Subject: "alice"}}},
		"iss_sub of another issuer": {issSub("https://other.example", "alice"), nil},
		"iss_sub without sub":       {issSub(iss, ""), nil},
		"email":                     {email, []authz.Revocation{{Email: "alice@example.com"}}},
		"opaque alone may be a user or a session": {opaque("x1"),
			[]authz.Revocation{{Subject: "x1"}, {SessionID: "x1"}}},
		"account": {map[string]any{"format": "account", "uri": "acct:alice@example.com"},
			[]authz.Revocation{{Username: "alice@example.com"}, {Email: "alice@example.com"}}},
		"account that is none": {map[string]any{"format": "account", "uri": "mailto:alice@example.com"},
			nil},
		"uri": {map[string]any{"format": "uri", "uri": "urn:u:1"},
			[]authz.Revocation{{Subject: "urn:u:1"}, {SessionID: "urn:u:1"}}},
		"did": {map[string]any{"format": "did", "url": "did:example:1"},
			[]authz.Revocation{{Subject: "did:example:1"}, {SessionID: "did:example:1"}}},
		"jwt_id": {map[string]any{"format": "jwt_id", "iss": iss, "jti": "t1"},
			[]authz.Revocation{{TokenID: "t1"}}},
		"jwt_id of another issuer": {map[string]any{"format": "jwt_id", "iss": "https://other.example",
			"jti": "t1"}, nil},
		"phone_number": {phone, nil},
		"saml_assertion_id": {map[string]any{"format": "saml_assertion_id", "issuer": iss,
			"assertion_id": "1"}, nil},
		"ip-addresses": {map[string]any{"format": "ip-addresses",
			"ip-addresses": []string{"192.0.2.1"}}, nil},
		"an unknown format":  {map[string]any{"format": "x", "id": "1"}, nil},
		"no format":          {map[string]any{"iss": iss, "sub": "alice"}, nil},
		"text":               {"alice", nil},
		"nothing":            {nil, nil},
		"control characters": {opaque("a\x00b"), nil},
		"aliases": {map[string]any{"format": "aliases",
			"identifiers": []any{issSub(iss, "alice"), phone, email}},
			[]authz.Revocation{{Subject: "alice"}, {Email: "alice@example.com"}}},
		"aliases of which none is known": {map[string]any{"format": "aliases", "identifiers": []any{phone}}, nil},
		"aliases within aliases": {map[string]any{"format": "aliases",
			"identifiers": []any{map[string]any{"format": "aliases", "identifiers": []any{email}}}}, nil},
		"complex of user": {complexOf(map[string]any{"user": issSub(iss, "alice")}),
			[]authz.Revocation{{Subject: "alice"}}},
		"complex of opaque user": {complexOf(map[string]any{"user": opaque("alice")}),
			[]authz.Revocation{{Subject: "alice"}}},
		"complex of session": {complexOf(map[string]any{"session": opaque("s1")}),
			[]authz.Revocation{{SessionID: "s1"}}},
		"complex of user and session": {complexOf(map[string]any{"user": issSub(iss, "alice"),
			"session": opaque("s1")}), []authz.Revocation{{SessionID: "s1"}, {Subject: "alice", OfSession: "s1"}}},
		"all sessions of a user": {complexOf(map[string]any{"user": issSub(iss, "alice"),
			"session": opaque("ALL")}), []authz.Revocation{{Subject: "alice"}}},
		"all sessions without a user": {complexOf(map[string]any{"session": opaque("ALL")}), nil},
		"what narrows a user widens here": {complexOf(map[string]any{"user": opaque("alice"),
			"device": opaque("d1"), "application": opaque("app"), "tenant": opaque("t")}),
			[]authz.Revocation{{Subject: "alice"}}},
		"complex of application": {complexOf(map[string]any{"application": opaque("app")}),
			[]authz.Revocation{{ClientID: "app"}}},
		"complex of tenant": {complexOf(map[string]any{"tenant": opaque("t1")}),
			[]authz.Revocation{{Tenant: "t1"}}},
		"application goes before tenant": {complexOf(map[string]any{"application": opaque("app"),
			"tenant": opaque("t1")}), []authz.Revocation{{ClientID: "app"}}},
		"an unreadable user is not a tenant": {complexOf(map[string]any{"user": phone, "tenant": opaque("t1")}), nil},
		"complex of group":                   {complexOf(map[string]any{"group": opaque("g1")}), nil},
		"complex of device":                  {complexOf(map[string]any{"device": opaque("d1")}), nil},
		"complex of nothing":                 {complexOf(map[string]any{}), nil},
		"complex of text":                    {complexOf(map[string]any{"user": "alice"}), nil},
		"complex user by aliases": {complexOf(map[string]any{
			"user": map[string]any{"format": "aliases", "identifiers": []any{email, issSub(iss, "alice")}}}),
			[]authz.Revocation{{Email: "alice@example.com"}, {Subject: "alice"}}},
	} {
		raw, err := json.Marshal(c.subject)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.read(jsontext.Value(raw))
		if (err != nil) != (c.want == nil) {
			t.Errorf("%s: error %v", name, err)
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %+v, want %+v", name, got, c.want)
			}
		}
	}
}

func TestSET3_WhereSessionsAreKnownASessionIsNoUser(t *testing.T) {
	r := subjectReader{sessions: "known"}
	for subject, want := range map[string]authz.Revocation{
		`{"format":"complex","user":{"format":"opaque","id":"alice"},"session":{"format":"opaque","id":"s1"}}`: {
			SessionID: "s1"},
		`{"format":"complex","user":{"format":"opaque","id":"alice"},"session":{"format":"opaque","id":"ALL"}}`: {
			Subject: "alice"},
		`{"format":"complex","user":{"format":"opaque","id":"alice"},"session":{"format":"phone_number","x":"s1"}}`: {
			Subject: "alice"},
		`{"format":"complex","user":{"format":"opaque","id":"alice"}}`: {
			Subject: "alice"},
	} {
		if got, err := r.read(jsontext.Value(subject)); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %+v, %v", subject, got, err)
		}
	}
}

func TestSET3_ACriticalMemberThatIsNotUnderstoodDiscardsTheEvent(t *testing.T) {
	p := transmitter.New(t)
	p.Metadata["critical_subject_members"] = []string{"user", "device"}
	rs, l := openFor(t, p, nil)
	subject := map[string]any{"format": "complex", "user": issSub(p.URL, "alice"), "device": opaque("d1")}
	if w := postSet(t, rs, about(t, p, sessionRevoked, nil, subject)); w.Code != http.StatusAccepted {
		t.Errorf("status %d: sending it again would not help", w.Code)
	}
	transmitter.Wants(t, l)
	if l.Of(signals.Unmatched) != 1 {
		t.Errorf("outcomes %v", l.Outcomes())
	}
	understood := map[string]any{"format": "complex", "user": issSub(p.URL, "alice")}
	postSet(t, rs, signSet(t, p, map[string]any{"jti": "set-2", "sub_id": understood}))
	transmitter.Wants(t, l, authz.Revocation{Subject: "alice"})
}

func TestSET4_OnlyConfiguredAlgorithmsPass(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	for _, tok := range []string{
		jwks.Sign(t, transmitter.Signer(t, "PS256"), "secevent+jwt", setClaimsOf(p)),
		"eyJhbGciOiJub25lIiwidHlwIjoic2VjZXZlbnQrand0In0.e30.AA",
	} {
		if w := postSet(t, rs, tok); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), codeKey) {
			t.Errorf("status %d, %s", w.Code, w.Body)
		}
	}
	transmitter.Wants(t, l)
}

// TestCAEP_EachEventDoesWhatTheTableSays is the table of events.
func TestCAEP_EachEventDoesWhatTheTableSays(t *testing.T) {
	p := transmitter.New(t)
	for name, c := range map[string]struct {
		event   string
		body    map[string]any
		outcome string
	}{
		"session-revoked": {caep + "session-revoked", nil, signals.Evicted},
		"token-claims-change": {caep + "token-claims-change",
			map[string]any{"claims": map[string]any{"role": "x"}}, signals.Evicted},
		"credential created": {caep + "credential-change",
			map[string]any{"credential_type": "password", "change_type": "create"}, signals.Ignored},
		"credential revoked": {caep + "credential-change",
			map[string]any{"credential_type": "password", "change_type": "revoke"}, signals.Evicted},
		"credential updated": {caep + "credential-change", map[string]any{"change_type": "update"},
			signals.Evicted},
		"credential deleted": {caep + "credential-change", map[string]any{"change_type": "delete"},
			signals.Evicted},
		"credential changed somehow": {caep + "credential-change", nil, signals.Evicted},
		"assurance-level-change": {caep + "assurance-level-change",
			map[string]any{"namespace": "x", "current_level": "nist-aal1"}, signals.Evicted},
		"device-compliance-change": {caep + "device-compliance-change",
			map[string]any{"previous_status": "compliant", "current_status": "not-compliant"}, signals.Evicted},
		"session-established": {caep + "session-established", nil, signals.Ignored},
		"session-presented":   {caep + "session-presented", nil, signals.Ignored},
		"risk-level-change": {caep + "risk-level-change",
			map[string]any{"principal": "USER", "current_level": "HIGH"}, signals.Ignored},
		"account-disabled":                  {risc + "account-disabled", nil, signals.Evicted},
		"account-purged":                    {risc + "account-purged", nil, signals.Evicted},
		"account-enabled":                   {risc + "account-enabled", nil, signals.Ignored},
		"sessions-revoked":                  {risc + "sessions-revoked", nil, signals.Evicted},
		"credential-compromise":             {risc + "credential-compromise", nil, signals.Evicted},
		"an event of some other profile":    {"https://example.com/event", nil, signals.Ignored},
		"an event whose name ends like one": {"https://example.com/session-revoked", nil, signals.Ignored},
	} {
		t.Run(name, func(t *testing.T) {
			rs, l := openFor(t, p, nil)
			if w := postSet(t, rs, about(t, p, c.event, c.body,
				issSub(p.URL, "alice"))); w.Code != http.StatusAccepted {
				t.Fatalf("status %d, %s", w.Code, w.Body)
			}
			if l.Of(c.outcome) != 1 || (len(l.All()) == 1) != (c.outcome == signals.Evicted) {
				t.Errorf("outcomes %v, evicted %v", l.Outcomes(), l.All())
			}
		})
	}
}

func TestCAEP_TokenClaimsChangeMayNameTheToken(t *testing.T) {
	p := transmitter.New(t)
	rs, l := openFor(t, p, nil)
	postSet(t, rs, about(t, p, caep+"token-claims-change", map[string]any{"claims": map[string]any{}},
		map[string]any{"format": "jwt_id", "iss": p.URL, "jti": "at-9"}))
	transmitter.Wants(t, l, authz.Revocation{TokenID: "at-9"})
}

func TestCAEP_TheEventSaysWhenItHappened(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	made := now.Add(-10 * time.Second)
	for name, c := range map[string]struct {
		body string
		want time.Time
	}{
		"in seconds":         {`{"event_timestamp":1799999900}`, time.Unix(1_799_999_900, 0)},
		"in milliseconds":    {`{"event_timestamp":1799999900500}`, time.UnixMilli(1_799_999_900_500)},
		"with a fraction":    {`{"event_timestamp":1799999900.25}`, time.UnixMilli(1_799_999_900_250)},
		"not at all":         {`{}`, made},
		"with nonsense":      {`{"event_timestamp":-5}`, made},
		"null":               {`{"event_timestamp":null}`, made},
		"as text":            {`{"event_timestamp":"now"}`, made},
		"ahead of our clock": {`{"event_timestamp":1800000008}`, now.Add(8 * time.Second)},
		"in the far future":  {`{"event_timestamp":1900000000}`, made},
	} {
		_, at, err := readEvent(sessionRevoked, jsontext.Value(c.body), made, now)
		if err != nil || !at.Equal(c.want) {
			t.Errorf("%s: %v, %v", name, at, err)
		}
	}
}

func TestCAEP_OnlyTheEndOfASessionIsOfOneSession(t *testing.T) {
	p := transmitter.New(t)
	subject := map[string]any{"format": "complex", "user": issSub(p.URL, "alice"),
		"session": map[string]any{"format": "opaque", "id": "s1"}}
	for event, session := range map[string]string{sessionRevoked: "s1", caep + "credential-change": "",
		caep + "assurance-level-change": ""} {
		rs, l := openFor(t, p, nil)
		postSet(t, rs, about(t, p, event, map[string]any{}, subject))
		transmitter.Wants(t, l, authz.Revocation{SessionID: "s1"}, authz.Revocation{Subject: "alice"})
		if got := l.All()[1].OfSession; got != session {
			t.Errorf("%s: of session %q", event, got)
		}
	}
}
