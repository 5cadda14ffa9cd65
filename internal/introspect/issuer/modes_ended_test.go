package issuer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// alwaysActive is an issuer of a dialect whose answer about every token is active.
func alwaysActive(t *testing.T, dialect string, mode authz.Mode) (*keyed, *Issuer) {
	t.Helper()
	k := newKeyed(t)
	i, _ := open(t, "", k.in(mode, func(c *Config) {
		c.Dialect.Dialect, c.Dialect.Tenant, c.Cache.RevocationMemory = dialect, []string{"/org"}, time.Hour
		c.JWT.Types = []string{"at+jwt"}
	}))
	return k, i
}

// saysIssued answers that a token of the session s1 of alice is active, and was issued some seconds ago.
func (k *keyed) saysIssued(ago int64) {
	now := time.Now().Unix()
	k.says(
		testkit.ReplyJSON(
			fmt.Sprintf(
				`{"active":true,"iss":%q,"aud":%q,"sub":"alice","sid":"s1","client_id":"web","jti":"id-1","iat":%d,"exp":%d}`,
				k.URL, api, now-ago, now+600)))
}

func ofSession(ago int64) change {
	return change{"sid": "s1", "iat": time.Now().Unix() - ago, "exp": time.Now().Unix() + 600}
}

func TestBCL4_LogoutEndsTheJWTsThatTheServersAnswerCannotEnd(t *testing.T) {
	t.Parallel() // it mostly waits
	const over, asked = false, true
	for _, c := range []struct {
		dialect     string
		mode        authz.Mode
		event, call bool // what becomes of a JWT that an event, or a call to /v1/evict, named
	}{
		{"duende", authz.ModeJWT, over, over}, // its answer knows nothing of logouts and revocations
		{"duende", authz.ModeIntrospectOpaque, over, over},
		{"duende", authz.ModeJWTThenIntrospect, over, over},
		{"duende", authz.ModeIntrospect, over, over},
		{"openiddict", authz.ModeJWT, over, asked}, // revocations
		{"openiddict", authz.ModeIntrospect, over, asked},
		{"spring", authz.ModeJWTThenIntrospect, over, asked},
		{"keycloak", authz.ModeJWT, asked, asked}, // both
		{"keycloak", authz.ModeIntrospectOpaque, asked, asked},
		{"keycloak", authz.ModeJWTThenIntrospect, asked, asked},
		{"keycloak", authz.ModeIntrospect, asked, asked},
		{"rfc7662", authz.ModeJWT, over, asked}, // unknown
		{"rfc7662", authz.ModeIntrospectOpaque, over, asked},
		{"rfc7662", authz.ModeJWTThenIntrospect, over, asked},
		{"rfc7662", authz.ModeIntrospect, asked, asked},
		{"curity", authz.ModeJWT, over, asked},
		{"curity", authz.ModeIntrospect, asked, asked},
	} {
		for event, want := range map[bool]bool{true: c.event, false: c.call} {
			for by, v := range map[string]authz.Revocation{"sid": {SessionID: "s1"}, "sub": {Subject: "alice"}} {
				name := fmt.Sprintf("%s, %s, event %t, by %s", c.dialect, c.mode, event, by)
				k, i := alwaysActive(t, c.dialect, c.mode)
				tok := k.token(t, ofSession(5))
				k.saysIssued(5)
				if got := look(t, i, tok); !got.Active {
					t.Fatalf("%s: before: %s", name, got.Inactive.Text)
				}
				v.Event, v.At = event, time.Now().Add(-time.Second)
				evict(t, i, v)
				if got := look(t, i, tok); got.Active != want {
					t.Errorf("%s: active %t: %s", name, got.Active, got.Inactive.Text)
				}
				later := k.token(t, ofSession(0)) // of a new login, issued after the event
				k.saysIssued(0)
				if got := look(t, i, later); !got.Active {
					t.Errorf("%s: a token that was issued later: %s", name, got.Inactive.Text)
				}
			}
		}
	}
}

func TestBCL4_LogoutReachesATokenThatWasNeverSeen(t *testing.T) {
	for _, mode := range authz.Modes() {
		k, i := alwaysActive(t, "duende", mode)
		evict(t, i, authz.Revocation{SessionID: "s1", At: time.Now(), Event: true})
		k.saysIssued(5)
		if c := look(t, i, k.token(t, ofSession(5))); c.Active {
			t.Errorf("%s: active", mode)
		}
	}
}

// A JWT need not say which session it is of; the answer about it may.
func TestBCL4_SessionThatOnlyTheAnswerNamesIsEndedToo(t *testing.T) {
	k, i := alwaysActive(t, "duende", authz.ModeJWTThenIntrospect)
	tok := k.token(t, change{"iat": time.Now().Unix() - 5})
	k.saysIssued(5)
	evict(t, i, authz.Revocation{SessionID: "s1", At: time.Now(), Event: true})
	if c := look(t, i, tok); c.Active {
		t.Error("active")
	}
}

// About an opaque token a server looks up what has become of it.
func TestBCL4_OpaqueTokenIsOverWhenItsServerSaysSo(t *testing.T) {
	for _, name := range []string{"duende", "rfc7662", "openiddict"} {
		for _, mode := range []authz.Mode{authz.ModeIntrospect, authz.ModeIntrospectOpaque} {
			k, i := alwaysActive(t, name, mode)
			k.saysIssued(5)
			tok := secret.New(testToken)
			evict(t, i, authz.Revocation{SessionID: "s1", At: time.Now(), Event: true})
			if c := look(t, i, tok); !c.Active {
				t.Errorf("%s, %s: %s", name, mode, c.Inactive.Text)
			}
			k.says(testkit.ReplyJSON(no))
			evict(t, i, authz.Revocation{SessionID: "s1", At: time.Now(), Event: true})
			if c := look(t, i, tok); c.Active {
				t.Errorf("%s, %s: active", name, mode)
			}
		}
	}
}

// An encrypted JWT cannot be validated locally, and its server's answer about it knows no more than about one that is
// not.
func TestBCL4_LogoutEndsEncryptedJWTs(t *testing.T) {
	const jwe = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a2V5.aXY.Y2lwaGVy.dGFn"
	for _, mode := range []authz.Mode{authz.ModeIntrospect, authz.ModeIntrospectOpaque} {
		k, i := alwaysActive(t, "openiddict", mode)
		k.saysIssued(5)
		if c := look(t, i, secret.New(jwe)); !c.Active {
			t.Fatal(c.Inactive.Text)
		}
		evict(t, i, authz.Revocation{Subject: "alice", At: time.Now(), Event: true})
		if c := look(t, i, secret.New(jwe)); c.Active {
			t.Errorf("%s: active", mode)
		}
	}
}

// A call to /v1/evict that follows an event names the same tokens, and asks only.
func TestBCL4_CallThatFollowsAnEventTakesNothingFromIt(t *testing.T) {
	k, i := alwaysActive(t, "rfc7662", authz.ModeJWT)
	between := k.token(t, ofSession(5))
	k.saysIssued(5)
	evict(t, i, authz.Revocation{SessionID: "s1", At: time.Now().Add(-10 * time.Second), Event: true})
	evict(t, i, authz.Revocation{SessionID: "s1", At: time.Now()})
	if c := look(t, i, between); !c.Active || c.Source != authz.BothSources {
		t.Errorf("issued between the two: source %s, %s", c.Source, c.Inactive.Text)
	}
	before := k.token(t, ofSession(20))
	if c := look(t, i, before); c.Active {
		t.Error("issued before the event: active")
	}
}

// Where it is not known whether tokens name their session, the end of a session is told as that of its user, too.
func TestBCL4_LogoutOfOneSessionLeavesTokensThatNameAnotherToTheirServer(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"duende", "rfc7662"} {
		for _, mode := range []authz.Mode{authz.ModeJWT, authz.ModeIntrospectOpaque, authz.ModeJWTThenIntrospect} {
			k, i := alwaysActive(t, name, mode)
			now := time.Now()
			evict(t, i, authz.Revocation{SessionID: "s1", At: now, Event: true})
			evict(t, i, authz.Revocation{Subject: "alice", OfSession: "s1", At: now, Event: true})
			k.says(testkit.ReplyJSON(fmt.Sprintf(`{"active":true,"iss":%q,"aud":%q,"sub":"alice"}`, k.URL, api)))
			for sid, want := range map[string]bool{"s1": false, "s2": true, "": false} {
				c := ofSession(5)
				if c["sid"] = sid; sid == "" {
					delete(c, "sid")
				}
				if got := look(t, i, k.token(t, c)); got.Active != want {
					t.Errorf("%s, %s, sid %q: active %t: %s", name, mode, sid, got.Active, got.Inactive.Text)
				}
			}
			k.says(testkit.ReplyJSON(no))
			c := ofSession(5)
			c["sid"], c["jti"] = "s2", "9"
			if look(t, i, k.token(t, c)).Active {
				t.Errorf("%s, %s: another session is not asked about", name, mode)
			}
			evict(t, i, authz.Revocation{Subject: "alice", At: now, Event: true}) // and this one is about the user
			k.saysIssued(5)
			c["jti"] = "10"
			if look(t, i, k.token(t, c)).Active {
				t.Errorf("%s, %s: another session of a user who is over", name, mode)
			}
		}
	}
}

func TestAMemoryOfNothingIsWarnedOfWhereItEndsJWTs(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   int
	}{
		"jwt":                   {func(c *Config) { c.Mode = authz.ModeJWT }, 1},
		"introspect_opaque":     {func(c *Config) { c.Mode = authz.ModeIntrospectOpaque }, 1},
		"introspect, by duende": {func(c *Config) { c.Dialect.Dialect = "duende" }, 1},
		"introspect":            {func(*Config) {}, 0},
		"jwt, and a memory":     {func(c *Config) { c.Mode, c.Cache.RevocationMemory = authz.ModeJWT, time.Hour }, 0},
	} {
		cfg, warned := testConfig(t, "https://as.example/introspect"), 0
		c.change(&cfg)
		cfg.Warn(func(key, _, _ string) {
			if key == "cache.revocation_memory" {
				warned++
			}
		})
		if warned != c.want {
			t.Errorf("%s: %d warnings", name, warned)
		}
	}
}

// A server with a generous decoder of base64 takes other spellings of a JWT for the JWT.
func TestBCL4_LogoutEndsAJWTHoweverItIsSpelled(t *testing.T) {
	for name, mode := range map[string]authz.Mode{"duende": authz.ModeIntrospect,
		"rfc7662": authz.ModeIntrospectOpaque, "curity": authz.ModeIntrospectOpaque} {
		k, i := alwaysActive(t, name, mode)
		k.saysIssued(5)
		tok := k.token(t, ofSession(5)).Reveal()
		evict(t, i, authz.Revocation{SessionID: "s1", At: time.Now(), Event: true})
		for _, spelling := range []string{tok, tok + "=", tok + "==", tok[:len(tok)-1],
			strings.NewReplacer("-", "+", "_", "/").Replace(tok)} {
			if c := look(t, i, secret.New(spelling)); c.Active {
				t.Errorf("%s, %s: active as %q", name, mode, spelling[strings.LastIndexByte(spelling, '.'):])
			}
		}
	}
}
