package replay_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/replay"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// begun is the time of the first decision of a workload.
var begun = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// shop is an entrypoint that answers as the example API does, with values in the context that differ each time, and is
// closed at night.
const shop = `package shop

import data.authz

# METADATA
# entrypoint: true
decision := {"allow": false, "reasons": [{"code": "closed", "message": "come back in the morning"}]} if {
	time.clock(time.now_ns())[0] < 6
} else := object.union(authz.decision, {"context": {
	"at": time.now_ns(), "n": rand.intn("n", 1000000000), "id": uuid.rfc4122("u"),
	"agent": input.request.headers["x-agent"][0],
}})
`

// side loads the policies of the example API and shop from a directory, after change has changed their files, by name.
func side(t testing.TB, change func(name, text string) string) replay.Side {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{"authz/decision.rego", "authz/denial.rego", "routes/data.yaml"} {
		text, err := os.ReadFile(filepath.Join("../../policies", name))
		if err != nil {
			t.Fatal(err)
		}
		testkit.WriteFile(t, filepath.Join(root, name), change(name, string(text)))
	}
	testkit.WriteFile(t, filepath.Join(root, "shop/shop.rego"), change("shop/shop.rego", shop))
	return load(t, root)
}

func load(t testing.TB, root string, allow ...string) replay.Side {
	t.Helper()
	set, err := dir.Load(dir.Config{Paths: []string{root}})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := engine.Compile(t.Context(), set, engine.Config{Deadline: time.Minute, AllowBuiltins: allow},
		"authz/decision")
	if err != nil {
		t.Fatal(err)
	}
	return replay.Side{Name: filepath.Base(root), Set: set, Policy: policy}
}

func same(_, text string) string { return text }

// call is one request of a workload, in the parameters by which an oracle knows its decision.
type call struct {
	method, path string
	needs        []string // scopes
	strong       bool     // an administrator with a second factor is needed

	token    bool
	expired  bool
	scopes   []string
	tenant   string // of the token; the header says acme
	audience string
	admin    bool
	client   string
	at       time.Time
	// number is that of the token; 0 stands for a token of this call alone.
	number int
}

// workload makes n calls.
func workload(n int) []call {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same calls in each run
	one := func(from ...string) string { return from[random.IntN(len(from))] }
	var out []call
	for i := range n {
		c := call{
			token: random.IntN(20) > 0, expired: random.IntN(25) == 0, tenant: one("acme", "acme", "acme", "globex"),
			audience: one("orders-api", "orders-api", "orders-api", "orders-api", "billing"),
			admin:    random.IntN(2) == 0, client: one("web", "mobile", "batch"),
			at: begun.Add(time.Duration(i) * 7 * time.Second),
		}
		for _, s := range []string{"orders:read", "orders:write", "profile"} {
			if random.IntN(3) > 0 {
				c.scopes = append(c.scopes, s)
			}
		}
		switch random.IntN(5) {
		case 0:
			c.method, c.path, c.needs = "GET", "/orders", []string{"orders:read"}
		case 1:
			c.method, c.path, c.needs = "POST", "/orders", []string{"orders:write"}
		case 2, 3:
			c.method, c.path, c.needs = "GET", fmt.Sprint("/orders/", i), []string{"orders:read"}
		case 4:
			c.method, c.path, c.needs, c.strong = "DELETE", fmt.Sprint("/orders/", i), []string{"orders:write"}, true
		}
		out = append(out, c)
	}
	return out
}

// pooled makes n calls with so many tokens, about so many orders. Most tokens have what they need, and tokens and
// orders are not equally frequent.
func pooled(n, tokens, orders int) []call {
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // the same calls in each run
	frequent := func(n int) int { return int(float64(n) * random.Float64() * random.Float64()) }
	calls := workload(n)
	for i := range calls {
		c := &calls[i]
		*c = call{method: c.method, path: c.path, token: true, at: begun.Add(time.Duration(i) * time.Second / 10),
			number: 1 + frequent(tokens), tenant: "acme", audience: "orders-api",
			scopes: []string{"orders:read", "orders:write"}}
		switch c.number % 10 { // of ten tokens, three lack something
		case 0:
			c.tenant = "globex"
		case 1:
			c.scopes = []string{"profile"}
		case 2:
			c.scopes = []string{"orders:read"}
		}
		c.admin, c.client = c.number%2 == 0, "client-"+strconv.Itoa(c.number%20)
		if strings.HasPrefix(c.path, "/orders/") {
			c.path = fmt.Sprint("/orders/", frequent(orders))
		}
	}
	return calls
}

// answers is an authorization server that knows the tokens of a workload: their numbers.
type answers []call

func (a answers) Introspect(_ context.Context, q introspect.Question) (*authz.Claims, error) {
	var i int
	if _, err := fmt.Sscan(strings.TrimPrefix(q.Token.Reveal(), "token-"), &i); err != nil {
		return nil, errors.New("unknown token")
	}
	c := &a[i]
	i = cmp.Or(c.number, i)
	login := c.at.Add(-time.Minute)
	if c.number > 0 {
		login = begun
	}
	claims := &authz.Claims{
		Active: !c.expired, Kind: authz.AccessToken, Issuer: "https://id.example", ID: fmt.Sprint("jti-", i),
		ClientID: c.client, Subject: authz.Subject{ID: fmt.Sprint("u", i%100), Type: authz.User},
		Scopes: slices.Sorted(slices.Values(c.scopes)), Audiences: []string{c.audience}, Tenant: c.tenant,
		Auth:    authz.Authentication{ACR: "mfa", Time: authz.At(login)},
		Fetched: c.at, Raw: fmt.Appendf(nil, `{"active":true,"sub":"u%d","n":%d.50}`, i%100, i),
	}
	if c.admin {
		claims.Roles = []string{"orders-admin"}
	}
	return claims, nil
}

// record decides the calls and returns the decision log.
func record(t testing.TB, by replay.Side, entrypoint string, calls []call) []byte {
	t.Helper()
	var out bytes.Buffer
	log, err := decisionlog.Open(decisionlog.Config{Stdout: true, Queue: len(calls) + 1, QueueBytes: 1 << 40},
		decisionlog.Deps{Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	now := begun
	point := decision.New(decision.Config{Entrypoint: entrypoint, Token: "required"},
		&decision.Snapshot{Policy: by.Policy, Introspector: answers(calls)},
		decision.Deps{Input: input.NewRules(input.Config{Headers: []string{"x-tenant", "x-agent"}}), DecisionLog: log,
			Log: (&testkit.LogBuffer{}).Logger(), Now: func() time.Time { return now }})
	for i, c := range calls {
		now = c.at
		point.Decide(t.Context(), c.query(i))
	}
	if err := log.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// query asks about a call, with the token of its number.
func (c *call) query(number int) authz.Query {
	q := authz.Query{Request: authz.Request{Method: c.method, URL: "https://shop.example" + c.path + "?page=2",
		Headers: map[string][]string{"x-tenant": {"acme"}, "x-agent": {fmt.Sprint("agent/", number%7)}}}}
	if c.token {
		q.Request.Headers["authorization"] = []string{fmt.Sprint("Bearer token-", number)}
	}
	return q
}

// replayed replays a log.
func replayed(t testing.TB, log []byte, o replay.Options) *replay.Report {
	t.Helper()
	events, err := replay.Open([]string{"-"}, bytes.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	r, err := replay.Run(t.Context(), events, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
