package decision_test

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/token"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/engine/memo"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/resource"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
	"github.com/authz-sidecar/sidecar/internal/upstreamtoken"
)

const clientSecret = "the-secret-of-the-resource-server"

// byData answers what data.answers says about the first segment of the path, so that a test writes down the answer
// of the policy instead of a policy.
const byData = `package authz

# METADATA
# entrypoint: true
decision := answer if answer := data.answers[input.request.segments[0]]

else := false if input.request.path in {"/", "/orders/42"} # what is tried at load
`

// world is a decision point over a real authorization server, with a decision log on disk.
type world struct {
	issuer  *devissuer.Server
	point   *decision.Point
	asker   *issuer.Issuers
	logger  *testkit.LogBuffer
	metrics testkit.Registry

	log     *decisionlog.Log
	logFile string
	schemes int // that are offered: there may be as many challenges
}

// plan is what a test wants of its world. The zero plan is token: required and the policy byData.
type plan struct {
	token string
	realm string
	rego  string
	memo  memo.Config
	// unlogged leaves the decision log out.
	unlogged bool
	answers  map[string]any
	ttl      time.Duration
	now      func() time.Time
	issuer   func(*issuer.Config)
	proof    proof.Config
	wrap     func(introspect.Introspector) introspect.Introspector
	// wrapProofs stands before the verifier of proofs.
	wrapProofs func(decision.PossessionVerifier) decision.PossessionVerifier
	observe    func(decision.Observed)
	// identity are the names of decision.upstream_headers.
	identity []string
	// carrier is decision.credential, and places those of issuers.
	carrier token.Carrier
	places  []authz.Place
	// resources are protected resources; those of tests accept tokens of any audience.
	resources []resource.Config
	// tokens sign the identity for the upstream; nil signs none.
	tokens *upstreamtoken.Issuer
}

// observerFunc is an observer.
type observerFunc func(decision.Observed)

func (f observerFunc) Observe(o decision.Observed) { f(o) }

func build(t testing.TB, p plan) *world {
	t.Helper()
	w := &world{logger: &testkit.LogBuffer{}, metrics: testkit.NewRegistry()}
	w.issuer = authserver.Start(t, devissuer.Config{
		ResourceServers: []devissuer.ResourceServer{{ID: "api", Secret: secret.New(clientSecret)}},
	})
	w.asker = asker(t, w.issuer.Issuer(), p)
	if p.rego == "" {
		p.rego = byData
	}
	data, err := json.Marshal(map[string]any{"answers": p.answers})
	if err != nil {
		t.Fatal(err)
	}
	policy := compileConfig(t, engine.Config{Deadline: 5 * time.Second, Memo: p.memo},
		map[string]string{"policy.rego": p.rego, "data.json": string(data)})

	w.logFile = filepath.Join(t.TempDir(), "decisions.jsonl")
	logger := telemetry.NewLogger(telemetry.LogConfig{Format: "json"}, w.logger)
	if w.log, err = decisionlog.Open(decisionlog.Config{File: w.logFile, Queue: 10_000},
		decisionlog.Deps{Log: logger, Version: "test"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.log.Close(context.Background()) })

	var introspector introspect.Introspector = w.asker
	if p.wrap != nil {
		introspector = p.wrap(introspector)
	}
	cfg := decision.Config{Entrypoint: "authz/decision", Token: "required", Realm: "acme", UpstreamHeaders: p.identity,
		Credential: p.carrier}
	if p.token != "" {
		cfg.Token = authz.TokenRule(p.token)
	}
	if p.realm != "" {
		cfg.Realm = p.realm
	}
	proofs, err := proof.New(p.proof, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.schemes = len(proofs.Presentation().Schemes)
	deps := decision.Deps{
		Input: input.NewRules(input.Config{Headers: []string{"x-tenant"}, AmbiguousPaths: "refuse"}).
			With(resource.NewSet(p.resources)),
		Proofs: proofs, DecisionLog: w.log, Log: logger, Now: p.now, Metrics: w.metrics, UpstreamTokens: p.tokens,
		Places: p.places,
	}
	if p.wrapProofs != nil {
		deps.Proofs = p.wrapProofs(proofs)
	}
	if p.unlogged {
		deps.DecisionLog = nil
	}
	if p.observe != nil {
		deps.Observer = observerFunc(p.observe)
	}
	w.point = decision.New(cfg, &decision.Snapshot{Introspector: introspector, Policy: policy}, deps)
	return w
}

func asker(t testing.TB, identifier string, p plan) *issuer.Issuers {
	t.Helper()
	cfg := conf.Default[issuer.Config]()
	cfg.Endpoint.Name, cfg.Endpoint.Issuer, cfg.Endpoint.IntrospectionEndpoint = "dev", identifier, identifier+
		"/introspect"
	cfg.Endpoint.AllowInsecureHTTP, cfg.Endpoint.MaxResponseBytes = true, 64<<10
	cfg.Endpoint.Client.ID, cfg.Endpoint.Client.Secret = "api", testkit.SecretFile(t, clientSecret)
	cfg.Dialect.Tenant, cfg.Cache.TTL, cfg.Cache.NegativeTTL = []string{"/tenant"}, p.ttl, min(p.ttl, time.Minute)
	cfg.Protection.Retries, cfg.Protection.BreakerFailures = 0, 1<<20 // each failure is one of the test
	if p.issuer != nil {
		p.issuer(&cfg)
	}
	i, err := issuer.Open([]issuer.Config{cfg}, issuer.Deps{Fingerprints: secret.NewFingerprinter()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return i
}

func compile(t testing.TB, rego, data string) *engine.Policy {
	t.Helper()
	return compileFiles(t, map[string]string{"policy.rego": rego, "data.json": data})
}

// compileWith compiles byData and another module.
func compileWith(t testing.TB, rego, data string) *engine.Policy {
	t.Helper()
	return compileFiles(t, map[string]string{"policy.rego": byData, "more.rego": rego, "data.json": data})
}

func compileFiles(t testing.TB, files map[string]string) *engine.Policy {
	t.Helper()
	return compileConfig(t, engine.Config{Deadline: 5 * time.Second}, files)
}

func compileConfig(t testing.TB, cfg engine.Config, files map[string]string) *engine.Policy {
	t.Helper()
	folder := t.TempDir()
	testkit.WriteFiles(t, folder, files)
	set, err := dir.Load(dir.Config{Paths: []string{folder}})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := engine.Compile(t.Context(), set, cfg, "authz/decision")
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// grant issues a token.
func (w *world) grant(t testing.TB, g devissuer.Grant) string {
	t.Helper()
	if g.ClientID == "" {
		g.ClientID, g.Subject = "web", "alice"
	}
	return authserver.Issue(t, w.issuer, g)
}

// ask decides GET https://api.example/<path> with these Authorization fields.
func (w *world) ask(t *testing.T, path string, authorization ...string) authz.Decision {
	t.Helper()
	return w.point.Decide(t.Context(), question(path, authorization...))
}

func question(path string, authorization ...string) authz.Query {
	q := authz.Query{Caller: "127.0.0.1:9", Request: authz.Request{Method: "GET", URL: "https://api.example/" + path,
		Headers: map[string][]string{}}}
	if authorization != nil {
		q.Request.Headers["authorization"] = authorization
	}
	return q
}

// expect asserts how a decision ended, and that the decision log says the same (rule 27).
func (w *world) expect(t *testing.T, d authz.Decision, kind authz.Kind, status int, codes ...string) {
	t.Helper()
	if d.Kind != kind || d.Status != status || !slices.Equal(codesOf(d.Reasons), codes) {
		t.Errorf("got %s %d %q (cause %v), want %s %d %q", d.Kind, d.Status, codesOf(d.Reasons), d.Cause, kind, status,
			codes)
	}
	if got := len(challenges(d)); status == http.StatusUnauthorized && (got < 1 || got > w.schemes) {
		t.Errorf("%d challenges on a 401, want one for a scheme", got)
	}
	e := w.event(t, d.ID)
	if e.Custom.Kind != kind.String() || e.Custom.Status != status || e.Path != d.Policy.Path ||
		e.Custom.PolicyDigest != d.Policy.Digest {
		t.Errorf("the event says %+v of decision %s %d", e, kind, status)
	}
	var logged []string
	for _, r := range e.Custom.Reasons {
		logged = append(logged, r.Code)
	}
	if !slices.Equal(logged, codes) {
		t.Errorf("the event has reasons %q, want %q", logged, codes)
	}
	if (e.Error.Message != "") != (d.Cause != nil) {
		t.Errorf("the event has error %q of a decision with cause %v", e.Error.Message, d.Cause)
	}
	if e.RequestedBy != "127.0.0.1:9" || e.Timestamp.IsZero() {
		t.Errorf("the event was requested by %q at %s", e.RequestedBy, e.Timestamp)
	}
}

func codesOf(reasons []authz.Reason) []string {
	var out []string
	for _, r := range reasons {
		out = append(out, r.Code)
	}
	return out
}

// header returns the values of one header of a decision.
func header(d authz.Decision, name string) []string {
	for _, h := range d.Headers {
		if h.Name == name {
			return h.Values
		}
	}
	return nil
}

func challenges(d authz.Decision) []string { return header(d, "WWW-Authenticate") }

// expectChallenge asserts the one challenge of a decision, word for word.
func expectChallenge(t *testing.T, d authz.Decision, want string) {
	t.Helper()
	if got := challenges(d); len(got) != 1 || got[0] != want {
		t.Errorf("challenge %q, want %q", got, want)
	}
}

// event is what the tests read of an event.
type event struct {
	DecisionID  string    `json:"decision_id"`
	Path        string    `json:"path"`
	RequestedBy string    `json:"requested_by"`
	Timestamp   time.Time `json:"timestamp"`
	Input       any       `json:"input"`
	Result      any       `json:"result"`
	Erased      []string  `json:"erased"`
	TraceID     string    `json:"trace_id"`
	Error       struct {
		Message string `json:"message"`
	} `json:"error"`
	Custom struct {
		Kind          string `json:"kind"`
		Type          string `json:"type"`
		Status        int    `json:"status"`
		Introspection string `json:"introspection"`
		// Unauthenticated is why there is no usable token.
		Unauthenticated string `json:"unauthenticated"`
		PolicyDigest    string `json:"policy_digest"`
		Reasons         []struct {
			Code string `json:"code"`
		} `json:"reasons"`
	} `json:"custom"`
}

// event returns the event of a decision. The log is written off the request path, so it may have to be waited for.
func (w *world) event(t *testing.T, id string) event {
	t.Helper()
	var found event
	testkit.Eventually(t, "decision "+id+" is logged", func() bool {
		all := w.written(t)
		i := slices.IndexFunc(all, func(e event) bool { return e.DecisionID == id })
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	return found
}

// written returns the events that are in the file now.
func (w *world) written(t *testing.T) []event {
	t.Helper()
	var out []event
	for line := range strings.Lines(testkit.ReadFile(t, w.logFile)) {
		if !strings.HasSuffix(line, "\n") {
			break // being written
		}
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		out = append(out, e)
	}
	return out
}

// close ends the log, so that everything is in the file.
func (w *world) close(t *testing.T) string {
	t.Helper()
	if err := w.log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return testkit.ReadFile(t, w.logFile)
}
