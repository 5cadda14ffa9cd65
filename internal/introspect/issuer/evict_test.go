package issuer

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/cache"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// told is an answer with everything that a revocation can name.
const told = `{"active":true,"iss":"https://as","jti":"j1","sid":"s1","sub":"u1","username":"alice","email":"Alice@Example.org","client_id":"c1","org":"t1"}`

// byAll is a revocation by each thing that can be named, and by some together.
func byAll() map[string]authz.Revocation {
	return map[string]authz.Revocation{
		"token":          {Token: secret.New(testToken)},
		"jti":            {TokenID: "j1"},
		"sid":            {SessionID: "s1"},
		"sub":            {Subject: "u1"},
		"username":       {Username: "alice"},
		"email":          {Email: "aLICE@example.ORG"},
		"client":         {ClientID: "c1"},
		"tenant":         {Tenant: "t1"},
		"sub and client": {Subject: "u1", ClientID: "c1"},
		"everything": {Token: secret.New(testToken), TokenID: "j1", SessionID: "s1", Subject: "u1",
			Username: "alice", Email: "alice@example.org", ClientID: "c1", Tenant: "t1"},
		"all":              {All: true},
		"issuer by name":   {Issuer: "test", All: true},
		"long ago":         {Subject: "u1", At: time.Unix(1, 0)},
		"its own issuer's": {Issuer: "test", Subject: "u1"},
	}
}

// byOther is a revocation of other tokens than the one that told tells of.
func byOther() map[string]authz.Revocation {
	return map[string]authz.Revocation{
		"token":                 {Token: secret.New("another")},
		"jti":                   {TokenID: "j2"},
		"sid":                   {SessionID: "s2"},
		"sub":                   {Subject: "u2"},
		"username":              {Username: "Alice"},
		"email":                 {Email: "bob@example.org"},
		"client":                {ClientID: "c2"},
		"tenant":                {Tenant: "t2"},
		"sub, of other client":  {Subject: "u1", ClientID: "c2"},
		"a jti that is a sid":   {TokenID: "s1"},
		"a client of that name": {ClientID: "u1"},
	}
}

func withTenant(c *Config) {
	c.Dialect.Tenant = []string{"/org"}
	c.Cache.RevocationMemory = time.Hour
}

func evict(t *testing.T, i *Issuer, v authz.Revocation) int {
	t.Helper()
	n, err := (&Issuers{all: []*Issuer{i}}).Evict(v)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEV3_WhateverARevocationNamesIsEvictedAndAskedAboutAgain(t *testing.T) {
	t.Parallel()
	for name, v := range byAll() {
		u := serve(t, testkit.ReplyJSON(told))
		i, l := open(t, u.URL, withTenant)
		ask(t, i)
		if n := evict(t, i, v); n != 1 || i.Stats().Active.Entries != 0 {
			t.Errorf("%s: evicted %d, %d are left", name, n, i.Stats().Active.Entries)
		}
		if c := ask(t, i); !c.Usable(time.Now()).OK() || u.calls.Load() != 2 {
			t.Errorf("%s: it %s after %d questions", name, c.Usable(time.Now()), u.calls.Load())
		}
		if l.of(t, metricEvicted, "active revocation") != 1 || l.of(t, metricEvicted, "active capacity") != 0 {
			t.Errorf("%s: told %v", name, l.all(t, metricEvicted))
		}
	}
}

// TestEV3_AnIdentifierThatIsANumberIsEvictedByItsDigits: some servers count their users, and write numbers.
func TestEV3_AnIdentifierThatIsANumberIsEvictedByItsDigits(t *testing.T) {
	for name, c := range map[string]struct {
		answer, dialect string
		v               authz.Revocation
	}{
		"sub": {`"sub":42`, "", authz.Revocation{Subject: "42"}}, "jti": {`"jti":43`, "",
			authz.Revocation{TokenID: "43"}}, "sid": {`"sid":44`, "", authz.Revocation{SessionID: "44"}},
		"username": {`"username":45`, "", authz.Revocation{Username: "45"}}, "client": {`"client_id":46`, "",
			authz.Revocation{ClientID: "46"}}, "tenant": {`"org":47`, "", authz.Revocation{Tenant: "47"}},
		"the sub beside another subject": {`"sub":48,"uid":"00u1","token_type":"Bearer","aud":"a","iat":1,"jti":"j"`,
			"okta", authz.Revocation{Subject: "48"}},
	} {
		u := serve(t, testkit.ReplyJSON(`{"active":true,`+c.answer+`}`))
		i, _ := open(t, u.URL, func(cfg *Config) { withTenant(cfg); cfg.Dialect.Dialect = c.dialect })
		if got := ask(t, i); !got.Active {
			t.Fatalf("%s: %s", name, got.Inactive.Text)
		}
		if n := evict(t, i, c.v); n != 1 {
			t.Errorf("%s: evicted %d", name, n)
		}
	}
}

func TestEV3_WhatARevocationDoesNotNameStays(t *testing.T) {
	u := serve(t, testkit.ReplyJSON(told))
	i, _ := open(t, u.URL, withTenant)
	ask(t, i)
	for name, v := range byOther() {
		if n := evict(t, i, v); n != 0 {
			t.Errorf("%s: evicted %d", name, n)
		}
	}
	if ask(t, i); u.calls.Load() != 1 {
		t.Errorf("%d questions", u.calls.Load())
	}
}

func TestEV3_EvictedTokensOfOneUserAreAllOfThem(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		testkit.ReplyJSON(fmt.Sprintf(`{"active":true,"sub":"u%c","jti":%q}`, r.FormValue("token")[0],
			r.FormValue("token")))(w, r)
	})
	i, _ := open(t, u.URL, func(c *Config) { c.Cache.MaxEntries, c.Cache.MaxBytes = 1<<20, 1<<30 }) // in many shards
	for n := range 200 {
		if _, err := i.Introspect(t.Context(),
			introspect.Question{Token: secret.New(fmt.Sprintf("%d-%d", n%2, n))}); err != nil {
			t.Fatal(err)
		}
	}
	if n := evict(t, i, authz.Revocation{Subject: "u1"}); n != 100 || i.Stats().Active.Entries != 100 {
		t.Errorf("evicted %d, %d are left", n, i.Stats().Active.Entries)
	}
	if n := evict(t, i, authz.Revocation{All: true}); n != 100 || i.Stats() != (cache.Stats{}) {
		t.Errorf("evicted %d, left %+v", n, i.Stats())
	}
}

func TestEvictingAnInactiveTokenAsksAgain(t *testing.T) {
	for name, v := range map[string]authz.Revocation{"token": {Token: secret.New(testToken)}, "all": {All: true}} {
		var body atomic.Value
		body.Store(no)
		u := serve(t, func(w http.ResponseWriter, r *http.Request) { testkit.ReplyJSON(body.Load().(string))(w, r) })
		i, _ := open(t, u.URL, nil)
		ask(t, i)
		body.Store(yes)
		if ask(t, i).Active {
			t.Error("it was not kept")
		}
		if n := evict(t, i, v); n != 1 || !ask(t, i).Active {
			t.Errorf("%s: evicted %d, and it is inactive", name, n)
		}
	}
}

func TestARevocationNamesSomethingOrAll(t *testing.T) {
	one, _ := open(t, "https://as.example/i", nil)
	two, _ := open(t, "https://as.example/i",
		func(c *Config) { c.Endpoint.Name, c.Match.Issuers = "two", []string{"https://two"} })
	is := &Issuers{all: []*Issuer{one, two}}
	for name, c := range map[string]struct {
		v    authz.Revocation
		code string
	}{
		"nothing":                  {authz.Revocation{}, introspect.NothingNamed},
		"an issuer only":           {authz.Revocation{Issuer: "two"}, introspect.NothingNamed},
		"a time only":              {authz.Revocation{At: time.Now()}, introspect.NothingNamed},
		"all and some":             {authz.Revocation{All: true, TokenID: "j"}, introspect.NothingNamed},
		"an unknown issuer":        {authz.Revocation{Issuer: "three", All: true}, introspect.UnknownIssuer},
		"a subject of any issuer":  {authz.Revocation{Subject: "u"}, introspect.IssuerNeeded},
		"a username of any issuer": {authz.Revocation{Username: "u"}, introspect.IssuerNeeded},
		"an email of any issuer":   {authz.Revocation{Email: "u"}, introspect.IssuerNeeded},
		"a subject":                {authz.Revocation{Issuer: "two", Subject: "u"}, ""},
		"a subject by identifier":  {authz.Revocation{Issuer: "https://two", Subject: "u"}, ""},
		"a jti of any issuer":      {authz.Revocation{TokenID: "j"}, ""},
	} {
		_, err := is.Evict(c.v)
		e, _ := errors.AsType[*authz.Error](err)
		if c.code == "" && err != nil || c.code != "" && (e == nil || e.Code != c.code || e.Kind != authz.Malformed) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestOnlyTheIssuerThatIsNamedEvicts(t *testing.T) {
	u := serve(t, testkit.ReplyJSON(told))
	one, _ := open(t, u.URL, nil)
	two, _ := open(t, u.URL, func(c *Config) { c.Endpoint.Name, c.Endpoint.Issuer = "two", "https://as" })
	is := &Issuers{all: []*Issuer{one, two}}
	for _, c := range []struct {
		issuer         string
		first, another int
	}{{"two", 1, 0}, {"https://as", 1, 0}, {"test", 0, 1}, {"", 0, 0}} {
		ask(t, one)
		ask(t, two)
		if _, err := is.Evict(authz.Revocation{Issuer: c.issuer, SessionID: "s1"}); err != nil {
			t.Fatal(err)
		}
		if a, b := one.Stats().Active.Entries, two.Stats().Active.Entries; a != c.first || b != c.another {
			t.Errorf("%q: %d and %d are left", c.issuer, a, b)
		}
	}
}

// gate is a server whose every answer is made when its question arrives, and sent when the test releases it.
type gate struct {
	*upstream
	arrived chan struct{}
	release chan struct{}
	body    atomic.Value
}

// await waits for a question to arrive.
func (g *gate) await(t *testing.T) {
	t.Helper()
	select {
	case <-g.arrived:
	case <-time.After(10 * time.Second):
		t.Fatal("no question arrived")
	}
}

func newGate(t *testing.T) *gate {
	g := &gate{arrived: make(chan struct{}, 100), release: make(chan struct{}, 100)}
	g.upstream = serve(t, func(w http.ResponseWriter, r *http.Request) {
		body := g.body.Load().(string)
		_, _ = io.Copy(io.Discard, r.Body)
		g.arrived <- struct{}{}
		<-g.release
		testkit.ReplyJSON(body)(w, r)
	})
	return g
}

func TestTrap10_ARevocationDuringAQuestionWins(t *testing.T) {
	t.Parallel()
	for name, v := range byAll() {
		t.Run(name, func(t *testing.T) {
			g := newGate(t)
			i, _ := open(t, g.URL, withTenant)
			g.body.Store(told)
			answers := make(chan *authz.Claims, 10)
			for range cap(answers) {
				go func() {
					c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(testToken)})
					if err != nil {
						t.Error(err)
					}
					answers <- c
				}()
			}
			g.await(t)
			g.body.Store(no) // revoked at the server, then the event comes, and then the old answer
			evict(t, i, v)
			if n := i.Stats().Tombstones; n != 1 {
				t.Errorf("%d tombstones", n)
			}
			g.release <- struct{}{}
			g.await(t)
			if s := i.Stats(); s.Active.Entries != 0 {
				t.Error("the old answer is kept")
			}
			g.release <- struct{}{}
			for range cap(answers) {
				if c := <-answers; c == nil || c.Active {
					t.Error("the old answer is used")
				}
			}
			testkit.Eventually(t, "the flight has landed", func() bool { return i.Stats().Tombstones == 0 })
			if s := i.Stats(); s.Active.Entries != 0 || s.Inactive.Entries != 1 || g.calls.Load() != 2 {
				t.Errorf("%d questions, %+v", g.calls.Load(), s)
			}
		})
	}
}

func TestTrap10_ARefreshInTheBackgroundIsOvertakenToo(t *testing.T) {
	g := newGate(t)
	i, _ := open(t, g.URL, func(c *Config) { c.Cache.TTL, c.Cache.HardTTL = 1, time.Hour })
	g.body.Store(told)
	g.release <- struct{}{}
	ask(t, i)
	g.await(t)
	ask(t, i)
	g.await(t)
	g.body.Store(no)
	evict(t, i, authz.Revocation{SessionID: "s1"})
	g.release <- struct{}{}
	g.await(t)
	g.release <- struct{}{}
	if ask(t, i).Active {
		t.Error("the old answer is used")
	}
}

func TestEV1_RevocationsOfOtherTokensDisturbNoQuestion(t *testing.T) {
	g := newGate(t)
	i, _ := open(t, g.URL, withTenant)
	g.body.Store(told)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(testToken)}); err != nil ||
			!c.Active {
			t.Errorf("%v", err)
		}
	}()
	g.await(t)
	for _, v := range byOther() {
		evict(t, i, v)
	}
	g.release <- struct{}{}
	<-done
	if g.calls.Load() != 1 {
		t.Errorf("%d questions", g.calls.Load())
	}
}

func TestEV1_AQuestionOvertakenEveryTimeIsUnavailable(t *testing.T) {
	g := newGate(t)
	i, _ := open(t, g.URL, func(c *Config) { c.Cache.StaleIfError = time.Hour })
	g.body.Store(told)
	go func() {
		for range 3 {
			<-g.arrived
			if _, err := i.Evict(authz.Revocation{Subject: "u1"}); err != nil {
				t.Error(err)
			}
			g.release <- struct{}{}
		}
	}()
	refusal(t, i, authz.Unavailable)
	if n := g.calls.Load(); n != 3 {
		t.Errorf("%d questions", n)
	}
}

// Every answer counts the revocations that its server knew of: none may be older than the last event
// before the question.
func TestEV1_NoAnswerIsOlderThanTheLastRevocation(t *testing.T) {
	t.Parallel()
	var known atomic.Int64
	i, _ := openWired(t, func(c *Config) { c.Cache.TTL, c.Cache.HardTTL = time.Microsecond, time.Hour },
		func(*http.Request) (*http.Response, error) {
			return wireJSON(fmt.Sprintf(`{"active":true,"sid":"s","iat":%d}`, known.Load())), nil
		})
	var felt atomic.Int64
	stop := make(chan struct{})
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			q := introspect.Question{Token: secret.New(testToken),
				Freshness: authz.Freshness{Limited: n == 0, MaxAge: time.Hour}}
			for {
				select {
				case <-stop:
					return
				default:
				}
				least := felt.Load()
				c, err := i.Introspect(t.Context(), q)
				if err == nil && int64(c.IssuedAt) < least {
					t.Errorf("an answer of time %d after revocation %d", c.IssuedAt, least)
					return
				}
			}
		})
	}
	for n := range int64(100_000) {
		known.Store(n)
		if _, err := i.Evict(authz.Revocation{SessionID: "s"}); err != nil {
			t.Error(err)
		}
		felt.Store(n)
	}
	close(stop)
	all.Wait()
}
