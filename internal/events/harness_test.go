package events

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

const (
	testName   = "acme"
	testHeader = "Bearer the-stream-shows-this"
	testClient = "orders-web"
	streamAud  = "rs-ssf/stream-1"
)

// rsaKeys are slow to make, so they are made once: ours, and a stranger's under the same name.
var rsaKeys = sync.OnceValue(func() (keys [2]*rsa.PrivateKey) {
	for i := range keys {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = k
	}
	return keys
})

func signerOf(t testing.TB, key *rsa.PrivateKey, alg string) *jose.Signer {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.NewSigner(secret.New(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))), alg, "key-1")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sign(t testing.TB, s *jose.Signer, typ string, claims map[string]any) string {
	t.Helper()
	tok, err := s.Sign(typ, claims)
	if err != nil {
		t.Fatal(err)
	}
	return tok.Reveal()
}

// with changes claims; nil removes one.
func with(claims map[string]any, changes map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range claims {
		out[k] = v
	}
	for k, v := range changes {
		if out[k] = v; v == nil {
			delete(out, k)
		}
	}
	return out
}

// provider is an authorization server that transmits events too, with a stream that can be pushed and polled.
type provider struct {
	*httptest.Server
	signer *jose.Signer

	mu        sync.Mutex
	requests  []string // "METHOD path", with the body for calls of the stream API
	streams   []map[string]any
	conflict  bool              // it allows one stream
	queue     map[string]string // SETs to poll
	acks      []string
	setErrs   map[string]string
	verify    func(state string) // called without the lock
	override  map[string]http.HandlerFunc
	grants    int
	metadata  map[string]any
	longPolls int
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{signer: signerOf(t, rsaKeys()[0], "RS256"), queue: map[string]string{}, setErrs: map[string]string{}, override: map[string]http.HandlerFunc{}, metadata: map[string]any{}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	what := r.Method + " " + r.URL.Path
	p.requests = append(p.requests, what+" "+string(body))
	h := p.override[what]
	p.mu.Unlock()
	if h != nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
		h(w, r)
		return
	}
	reply := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	switch what {
	case "GET /.well-known/oauth-authorization-server":
		reply(200, map[string]any{"issuer": p.URL, "jwks_uri": p.URL + "/jwks", "token_endpoint": p.URL + "/token", "introspection_endpoint": p.URL + "/introspect"})
		return
	case "GET /.well-known/ssf-configuration":
		m := map[string]any{
			"issuer": p.URL, "jwks_uri": p.URL + "/jwks", "configuration_endpoint": p.URL + "/streams", "status_endpoint": p.URL + "/status",
			"verification_endpoint": p.URL + "/verify", "delivery_methods_supported": []string{methodPush, methodPoll},
		}
		p.mu.Lock()
		m = with(m, p.metadata)
		p.mu.Unlock()
		reply(200, m)
		return
	case "GET /jwks":
		reply(200, map[string]any{"keys": []json.RawMessage{json.RawMessage(p.signer.Public())}})
		return
	case "POST /token":
		p.mu.Lock()
		p.grants++
		p.mu.Unlock()
		form, _ := url.ParseQuery(string(body))
		if _, pw, _ := r.BasicAuth(); pw != "client-secret" || form.Get("grant_type") != "client_credentials" || form.Get("scope") != "ssf.read ssf.manage" {
			reply(400, map[string]any{"error": "invalid_request"})
			return
		}
		reply(200, map[string]any{"access_token": "at-1", "token_type": "Bearer", "expires_in": 300})
		return
	}
	if r.Header.Get("Authorization") != "Bearer at-1" {
		reply(401, map[string]any{"error": "invalid_token"})
		return
	}
	p.api(what, body, reply)
}

// api is what needs an access token.
func (p *provider) api(what string, body []byte, reply func(int, any)) {
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	p.mu.Lock()
	switch what {
	case "GET /streams":
		defer p.mu.Unlock()
		reply(200, append([]map[string]any{}, p.streams...))
	case "POST /streams":
		defer p.mu.Unlock()
		if p.conflict && len(p.streams) > 0 {
			reply(409, map[string]any{})
			return
		}
		in["stream_id"], in["iss"], in["aud"] = "stream-1", p.URL, []string{streamAud}
		if d, _ := in["delivery"].(map[string]any); d["method"] == methodPoll {
			d["endpoint_url"] = p.URL + "/poll"
		}
		p.streams = append(p.streams, in)
		reply(201, in)
	case "PATCH /streams", "PUT /streams":
		defer p.mu.Unlock()
		for _, s := range p.streams {
			if s["stream_id"] == in["stream_id"] {
				for k, v := range in {
					s[k] = v
				}
				if d, _ := s["delivery"].(map[string]any); d["method"] == methodPoll {
					d["endpoint_url"] = p.URL + "/poll"
				}
				reply(200, s)
				return
			}
		}
		reply(404, map[string]any{})
	case "GET /status":
		p.mu.Unlock()
		reply(200, map[string]any{"stream_id": "stream-1", "status": "enabled"})
	case "POST /verify":
		verify := p.verify
		p.mu.Unlock()
		reply(204, nil)
		if verify != nil {
			verify(in["state"].(string))
		}
	case "POST /poll":
		p.mu.Unlock()
		p.poll(in, reply)
	default:
		p.mu.Unlock()
		reply(404, map[string]any{})
	}
}

// poll answers at once, for tests shall not wait; a long poll without events is answered after a moment.
func (p *provider) poll(in map[string]any, reply func(int, any)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	acks, _ := in["ack"].([]any)
	for _, a := range acks {
		p.acks = append(p.acks, a.(string))
		delete(p.queue, a.(string))
	}
	bad, _ := in["setErrs"].(map[string]any)
	for id, e := range bad {
		p.setErrs[id], _ = e.(map[string]any)["err"].(string)
		delete(p.queue, id)
	}
	if in["returnImmediately"] == false {
		p.longPolls++
	}
	most := int(in["maxEvents"].(float64))
	sets := map[string]string{}
	for id, s := range p.queue {
		if len(sets) < most {
			sets[id] = s
		}
	}
	reply(200, map[string]any{"sets": sets, "moreAvailable": len(p.queue) > len(sets)})
}

func (p *provider) count(what string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, r := range p.requests {
		if strings.HasPrefix(r, what+" ") {
			n++
		}
	}
	return n
}

func (p *provider) last(what string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range slices.Backward(p.requests) {
		if strings.HasPrefix(r, what+" ") {
			return strings.TrimPrefix(r, what+" ")
		}
	}
	return ""
}

// ledger is an Evictor, a Limiter, an Observer and a log that remember.
type ledger struct {
	mu       sync.Mutex
	evicted  []authz.Revocation
	failing  bool
	outcomes map[string]int
	limits   []time.Duration
	text     bytes.Buffer
}

func (l *ledger) Evict(r authz.Revocation) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing {
		return 0, errors.New("no room")
	}
	l.evicted = append(l.evicted, r)
	return 1, nil
}

func (l *ledger) Limit(_ string, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limits = append(l.limits, d)
}

func (l *ledger) Received(_, kind, outcome string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(Kinds(), kind) || !slices.Contains(Outcomes(), outcome) {
		panic("a label from nowhere: " + kind + " " + outcome)
	}
	if l.outcomes == nil {
		l.outcomes = map[string]int{}
	}
	l.outcomes[outcome]++
}

func (l *ledger) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *ledger) log() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *ledger) of(outcome string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.outcomes[outcome]
}

func (l *ledger) all() []authz.Revocation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.evicted)
}

func (l *ledger) limit() (time.Duration, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.limits) == 0 {
		return -1, 0
	}
	return l.limits[len(l.limits)-1], len(l.limits)
}

func secretFile(t testing.TB, value string) secret.Source {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(value), 0o600); err != nil {
		t.Fatal(err)
	}
	return secret.Source{File: name}
}

func issuerConfig(t testing.TB, issuer string) oauth.Config {
	return oauth.Config{
		Name: testName, Issuer: issuer, AllowInsecureHTTP: true, Timeout: 5 * time.Second, MaxResponseBytes: 1 << 20,
		Client: oauth.Client{ID: "orders-api", Auth: "client_secret_basic", BasicEncoding: "form", TokenAuth: "client_secret_basic", Secret: secretFile(t, "client-secret")},
	}
}

// testConfig takes events in every way at once, and leaves the stream to whoever changes it.
func testConfig(t testing.TB) Config {
	return Config{
		Issuer:            testName,
		BackChannelLogout: BackChannelLogout{Audience: []string{testClient}, Algorithms: []string{"RS256"}},
		KeycloakAdmin:     KeycloakAdmin{ClientID: "orders-api", Algorithms: []string{"RS256"}},
		SharedSignals: SharedSignals{
			Delivery: deliveryPush, Manage: manageOff, Audience: []string{streamAud}, Algorithms: []string{"RS256"}, Description: "sidecar",
			Authorization: secretFile(t, testHeader), Scope: []string{"ssf.read", "ssf.manage"},
			PollWait: 2 * time.Second, PollEvery: 10 * time.Millisecond, VerifyEvery: time.Second, DownAfter: 4 * time.Second, DownTTL: 5 * time.Second,
		},
	}
}

// openAt builds Receivers of one provider after change has had its way with the configuration.
func openAt(t testing.TB, issuer oauth.Config, change func(*Config), deps Deps) (*Receivers, *ledger) {
	t.Helper()
	cfg, l := testConfig(t), &ledger{}
	if change != nil {
		change(&cfg)
	}
	deps.Evictor, deps.Limiter, deps.Observer = l, l, l
	deps.Log = slog.New(slog.NewTextHandler(l, nil))
	rs, err := New([]Config{cfg}, []oauth.Config{issuer}, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rs.Close)
	return rs, l
}

func openFor(t testing.TB, p *provider, change func(*Config)) (*Receivers, *ledger) {
	t.Helper()
	return openAt(t, issuerConfig(t, p.URL), change, Deps{})
}

// run runs rs until the test ends.
func run(t testing.TB, rs *Receivers) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); rs.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// post sends a body to a path of rs.
func post(t testing.TB, rs http.Handler, path, contentType, authorization, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/events/"+testName+"/"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	rs.ServeHTTP(w, r)
	return w
}

func postLogout(t testing.TB, rs http.Handler, tok string) *httptest.ResponseRecorder {
	t.Helper()
	return post(t, rs, "backchannel-logout", "application/x-www-form-urlencoded", "", url.Values{"logout_token": {tok}}.Encode())
}

func postSet(t testing.TB, rs http.Handler, tok string) *httptest.ResponseRecorder {
	t.Helper()
	return post(t, rs, "shared-signals", "application/secevent+jwt", testHeader, tok)
}

// wants compares what was evicted, without the time of the events and the session that ended.
func wants(t testing.TB, l *ledger, want ...authz.Revocation) {
	t.Helper()
	got := l.all()
	for i := range got {
		if !got[i].Event {
			t.Errorf("revocation %d does not say that an event told of it", i)
		}
		got[i].At, got[i].Event, got[i].OfSession = time.Time{}, false, ""
	}
	for i := range want {
		want[i].Issuer = testName
	}
	if !slices.Equal(got, want) {
		t.Errorf("evicted %+v, want %+v", got, want)
	}
}

// eventually polls until ok and gives up after ten seconds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}

// streamState is the state of the one stream.
func streamState(rs *Receivers) Status {
	for _, s := range rs.Status() {
		if s.State != "" {
			return s
		}
	}
	return Status{}
}
