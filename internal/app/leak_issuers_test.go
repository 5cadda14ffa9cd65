package app

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/introspect/route"
	"github.com/authz-sidecar/sidecar/internal/signals/receivers"
	"github.com/authz-sidecar/sidecar/internal/signals/ssf"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/doctor"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
	"github.com/authz-sidecar/sidecar/internal/testkit/jwks"
)

// leaky is a sidecar with one of everything that has a secret, and the secrets.
type leaky struct {
	*world
	said, findings, traces *testkit.LogBuffer
	tr                     *transmitter
	parrot                 *parrot
	certified              *rotating
	secrets                []string
	nonces                 []string
	configured             []issuer.Config
}

// hide adds secrets; of a signed token each part is one.
func (l *leaky) hide(secrets ...string) {
	for _, s := range secrets {
		for part := range strings.SplitSeq(s, ".") {
			if len(part) >= 16 { // or it is no secret
				l.secrets = append(l.secrets, part)
			}
		}
	}
}

const nonceSecret = "what-nonces-are-made-from-0123456789abcdef"

func newLeaky(t *testing.T) *leaky {
	t.Helper()
	l := &leaky{said: &testkit.LogBuffer{}, findings: &testkit.LogBuffer{}, traces: &testkit.LogBuffer{},
		parrot: newParrot(t)}
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = l.traces.Write(b)
	}))
	t.Cleanup(collector.Close)
	var keys string // is there before the first fetch
	l.tr = newTransmitter(t, func() string { return keys })
	key := testkit.SelfSigned(t)
	l.world = start(t, func(c *config.Config) {
		keys = c.Issuers[0].Endpoint.Issuer + "/jwks"
		c.Telemetry.Traces.Endpoint, c.DecisionLog.Stdout = collector.URL, true
		c.Listen.Admin.BearerKeysFile = testkit.SecretFile(t, callerKey+"\n").File
		c.Proof.DPoP.Nonce, c.Proof.DPoP.NonceSecret = "required", testkit.SecretFile(t, nonceSecret)
		receivedFrom(t, l.tr, "push", c)
		base := c.Issuers[0]
		base.Endpoint.JWKSURI = ""
		c.Issuers[0].Match.Default = true
		c.Issuers[0].Cache.TTL, c.Issuers[0].Cache.HardTTL, c.Issuers[0].Cache.StaleIfError = time.Millisecond,
			20*time.Millisecond, time.Hour

		one := base
		one.Endpoint.Name, one.Endpoint.Issuer = "parrot", l.parrot.URL
		one.Endpoint.Client = oauth.Client{Auth: "private_key_jwt", ID: "rs",
			Key: testkit.SecretFile(t, testkit.KeyPEM(t, key.PrivateKey))}
		one.Endpoint.Timeout = 5 * time.Second
		one.Match, one.Cache.TTL = route.Match{Header: "x-tenant", Values: []string{"globex"}}, time.Millisecond
		one.Canary = issuer.Canary{Every: time.Second, Scope: []string{"canary"}}

		two := base
		l.certified = newRotating(t, func(*rotating) int { return 0 })
		certificate, private := testkit.SecretFile(t, l.certified.of[0].PEM()),
			testkit.SecretFile(t, testkit.KeyPEM(t, l.certified.of[0].PrivateKey))
		l.certified.which = func(*http.Request) int { return anyOf }
		l.certified.hold = func(g ...int) {
			testkit.WriteFile(t, private.File,
				testkit.KeyPEM(t, l.certified.of[g[0]].PrivateKey))
		}
		two.Endpoint.Name, two.Endpoint.Issuer = "certified", l.certified.URL
		two.Endpoint.IntrospectionEndpoint = l.certified.URL + "/introspect"
		two.Endpoint.CAFile = testkit.SecretFile(t, l.certified.of[0].PEM()).File
		two.Endpoint.Client = oauth.Client{Auth: "tls_client_auth", ID: "rs", CertificateFile: certificate.File,
			CertificateKey: private}
		two.Match, two.Cache.TTL = route.Match{Header: "x-tenant", Values: []string{"initech"}}, 0

		c.Issuers = append(c.Issuers, one, two)
		c.Events = append(c.Events, receivers.Config{Issuer: "parrot", Sessions: "unknown", SharedSignals: ssf.Config{
			Delivery: "poll", Manage: "create", Algorithms: []string{"ES256"}, Description: "sidecar",
			Scope:    []string{"ssf"},
			PollWait: time.Second, PollEvery: 100 * time.Millisecond, VerifyEvery: time.Second,
			DownAfter: 3 * time.Second, DownTTL: 5 * time.Second,
		}})
		l.configured = c.Issuers
	})
	l.hide(clientSecret, callerKey, nonceSecret, streamHeader, strings.TrimPrefix(streamHeader, "Bearer "),
		streamToken)
	for _, i := range append([]testkit.Certificate{key}, l.certified.of...) {
		l.hide(strings.Split(testkit.KeyPEM(t, i.PrivateKey), "\n")[1:3]...)
	}
	return l
}

// say posts a body and writes down the answer.
func (l *leaky) say(t *testing.T, to, body string, header ...string) string {
	t.Helper()
	h := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + callerKey}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	code, text := l.post(t, to, body, h)
	_, _ = fmt.Fprintln(l.said, code, text)
	return text
}

// use asks about tokens of every kind at every issuer, well and badly.
func (l *leaky) use(t *testing.T) {
	t.Helper()
	p := testkit.NewProofKey(t)
	g := good()
	g.TokenFormat = devissuer.JWT
	opaque, jwt, dpop := l.token(t, good()), l.token(t, g), l.token(t, boundTo(p, good()))
	other, third := "good-token-of-the-parrot-4d", "good-token-of-the-certified-7a"
	l.hide(opaque, jwt, dpop, other, third)
	at := func(tenant, tok string) string {
		return strings.ReplaceAll(call(tok), `"acme"`, fmt.Sprintf("%q", tenant))
	}
	parts := strings.Split(jwt, ".")
	for _, body := range []string{
		call(opaque), call(jwt), at("globex", other), at("initech", third), at("globex", jwt), call(dpop),
		call(parts[0] + "." + parts[1] + "."), call(parts[0] + "." + parts[1] + "." + strings.Repeat("A", 86)),
		call(parts[1] + "." + parts[2]),
		call(strings.Repeat(jwt, 100)), proven(opaque, jwt), proven(jwt, opaque),
		strings.Replace(call(jwt), `"x-tenant":["acme"]`, `"x-tenant":["globex","`+jwt+`"]`, 1),
	} {
		l.say(t, l.api+"/v1/decisions", body)
	}
	l.say(t, l.api+"/v1/decisions/batch", `{"items":[`+call(jwt)+`,`+at("globex", other)+`]}`)
	l.say(t, l.api+"/v1/decisions?access_token="+opaque, call(jwt))
	// Proofs: without a nonce, with one, with it once more, and broken.
	var nonce map[string]any
	for range 2 {
		proof := prove(t, p, dpop, nonce)
		l.hide(proof)
		var a answer
		text := l.say(t, l.api+"/v1/decisions", proven(dpop, proof))
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatal(err)
		}
		if fresh := a.Headers["DPoP-Nonce"]; len(fresh) == 1 {
			l.nonces = append(l.nonces, fresh[0])
			nonce = map[string]any{"nonce": fresh[0]}
		}
		l.say(t, l.api+"/v1/decisions", proven(dpop, proof))
		l.say(t, l.api+"/v1/decisions", proven(dpop, proof+"x"))
		l.say(t, l.api+"/v1/decisions", proven(dpop, proof+`","`+proof))
	}
	l.evictions(t, opaque, jwt)
	l.events(t, jwt)
	for _, cfg := range l.configured {
		l.examine(t, cfg, jwt, opaque, other)
	}
}

func (l *leaky) evictions(t *testing.T, tokens ...string) {
	t.Helper()
	for _, tok := range tokens {
		for _, body := range []string{
			`{"token":"` + tok + `"}`, `{"issuer":"dev","sub":"` + tok + `"}`, `{"issuer":"` + tok + `","all":true}`,
			`{"jti":"` + tok + `"}`,
			`{"token":["` + tok + `"]}`, `{"` + tok + `":1}`, `{"token":"` + tok, `{"token":"` + tok + `","all":true}`,
			`{"token":"` + tok + `","token":"` + tok + `"}`,
		} {
			l.say(t, l.admin+"/v1/evict", body)
		}
		l.say(t, l.admin+"/v1/evict", "{}", "Authorization", "Bearer "+tok)
		l.say(t, l.admin+"/v1/evict", "{}", "Content-Type", tok)
	}
}

func (l *leaky) events(t *testing.T, tok string) {
	t.Helper()
	issuer := l.issuer.Issuer()
	id := fmt.Sprint(time.Now().UnixNano())
	set, logout := l.tr.revoked(t, "set-"+id, "s1", issuer), l.tr.loggedOut(t, "out-"+id, "s1", issuer)
	foreign := jwks.Sign(t, l.tr.key, "secevent+jwt",
		map[string]any{"iss": l.tr.URL, "aud": tok, "iat": time.Now().Unix(), "jti": tok,
			"events": map[string]any{tok: map[string]any{}}})
	l.hide(set, logout, foreign)
	to := l.admin + "/v1/events/dev/"
	const form = "application/x-www-form-urlencoded"
	for _, s := range []string{set, set + "x", "x" + set, foreign, logout, tok} {
		for _, header := range []string{streamHeader, "Bearer " + tok} {
			l.say(t, to+"shared-signals", s, "Content-Type", "application/secevent+jwt", "Authorization", header)
		}
		l.say(t, to+"shared-signals", s, "Content-Type", s)
		l.say(t, to+"backchannel-logout", "logout_token="+s, "Content-Type", form)
		l.say(t, to+"backchannel-logout", "logout_token="+s+"&logout_token="+s, "Content-Type", form)
		l.say(t, to+"keycloak/k_logout", s)
		l.say(t, l.admin+"/v1/events/parrot/shared-signals", s, "Content-Type", "application/secevent+jwt",
			"Authorization", streamHeader)
		select {
		case l.parrot.poll <- map[string]string{"a": s, s: s}:
		default: // in some moods the parrot does not poll
		}
	}
}

// examine has the doctor look at an issuer and at tokens.
func (l *leaky) examine(t *testing.T, cfg issuer.Config, tokens ...string) {
	t.Helper()
	findings, err := doctor.Examine(t.Context(), cfg)
	_, _ = fmt.Fprintf(l.findings, "%+v %v\n", findings, err)
	i, err := issuer.New(cfg, issuer.Deps{Fingerprints: secret.NewFingerprinter()})
	if err != nil {
		_, _ = fmt.Fprintln(l.findings, err)
		return
	}
	defer i.Close()
	for _, tok := range tokens {
		a, err := i.Ask(t.Context(), secret.New(tok))
		_, _ = fmt.Fprintf(l.findings, "%+v %v\n", doctor.Diagnose(cfg, secret.New(tok), a, err, time.Now()), err)
	}
	_, _ = fmt.Fprintf(l.findings, "%+v\n", doctor.Unclaimed(l.configured, secret.New(tokens[0])))
}

// TestNoProofKeyOrEventLeavesTheProcess: with one of everything that has a secret, in good times and with servers that
// say everything they are sent, nothing of it is in logs, decisions, metrics, status, traces, answers or findings.
func TestNoProofKeyOrEventLeavesTheProcess(t *testing.T) {
	t.Parallel()
	l := newLeaky(t)
	for mood := range moods {
		l.parrot.mode.Store(mood)
		if mood != behaves {
			l.issuer.SetFault(func(r *http.Request) *devissuer.Fault {
				return authserver.Answer(500, "",
					`{"error":"`+r.PostFormValue("token")+r.Header.Get("Authorization")+`"}`)
			})
		}
		l.use(t)
		l.issuer.SetFault(nil)
	}
	l.parrot.mode.Store(behaves)
	testkit.Eventually(t, "the canary was sent", func() bool { return l.parrot.granted.Load() > 1 })
	l.certified.hold(1) // a key that is not of the certificate
	testkit.Eventually(t, "the change is noticed", func() bool {
		l.say(t, l.api+"/v1/decisions", strings.ReplaceAll(call("good-token-of-the-certified-7a"), `"acme"`,
			`"initech"`))
		return strings.Contains(l.logger.String(), "changed credential cannot be used")
	})
	for _, path := range []string{"/v1/status", "/metrics"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.admin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+callerKey)
		code, text := l.do(t, r)
		_, _ = fmt.Fprintln(l.said, code, text)
	}
	if err := l.stopped(t); err != nil {
		t.Error(err)
	}
	l.hide(l.parrot.credentials()...)
	file, err := os.ReadFile(l.cfg.DecisionLog.File)
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]string{
		"answers, status and metrics": l.said.String(), "logger": l.logger.String(),
		"standard output": l.stdout.String(),
		"decision log":    string(file), "traces": l.traces.String(), "doctor": l.findings.String(),
	}
	sought(t, places, l.secrets)
	delete(places, "answers, status and metrics") // which are where nonces are handed out
	sought(t, places, l.nonces)
	if len(l.nonces) < 4 || len(l.secrets) < 100 {
		t.Errorf("%d nonces and %d secrets prove nothing", len(l.nonces), len(l.secrets))
	}
	for _, want := range []string{"event was not taken", "event evicts", "canary", "changed credential cannot be used",
		"stream of events does not work", "evicted"} {
		if !strings.Contains(places["logger"], want) {
			t.Errorf("the log has no %q: that was not tried", want)
		}
	}
}

// sought looks for secrets in places.
func sought(t *testing.T, places map[string]string, secrets []string) {
	t.Helper()
	secrets = slices.Compact(slices.Sorted(slices.Values(secrets)))
	for place, text := range places {
		if len(text) < 100 {
			t.Errorf("%s: %d bytes prove nothing", place, len(text))
		}
		for _, s := range secrets {
			if i := strings.Index(text, s); i >= 0 {
				t.Errorf("%s: a credential after %q", place, text[max(0, i-80):i])
			}
		}
	}
}
