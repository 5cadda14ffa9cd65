package app

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// mixedLoad is callers that use several tokens while these are revoked and expire, and policies are loaded.
type mixedLoad struct {
	*world
	mu     sync.Mutex
	tokens []*loadToken
	// versions are the digests of the policies that decided, in their order, and what each says of a good token.
	versions []version
	calls    []loadCall
	asked    atomic.Int64
}

type loadToken struct {
	text, sid string
	// expires is when the token is expired for certain, and revoked when its revocation was answered: nanoseconds, 0
	// is never. ending is set before it is revoked.
	expires         time.Time
	revoked, ending atomic.Int64
}

type version struct {
	digest string
	allows bool
}

// loadCall is one answered question. since is how many versions were known to decide before it was asked.
type loadCall struct {
	token        *loadToken
	since        int
	begun, ended time.Time
	answer       answer
}

// memoLoad is how long the load goes on: MEMO_LOAD, or two seconds.
func memoLoad(t *testing.T) time.Duration {
	d, err := time.ParseDuration(os.Getenv("MEMO_LOAD"))
	if err != nil {
		return 2 * time.Second
	}
	t.Logf("a load of %s", d)
	return d
}

// TestNoVerdictOutlivesARevocationAnExpiryOrASnapshot: answers and verdicts are remembered while tokens are revoked by
// events, expire, and policies are loaded whose answers differ. No question that begins after a revocation was
// answered, or after the expiry, is allowed, and none that begins after another policy decided is decided by an older
// one. MEMO_LOAD=5m is the long run.
func TestNoVerdictOutlivesARevocationAnExpiryOrASnapshot(t *testing.T) {
	w, tr := receivingEvents(t, "introspect", "back-channel logout")
	l := &mixedLoad{world: w}
	for range 6 {
		l.issue(t, 0)
	}
	l.decidesNow(t, true)
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for n := range 6 {
		callers.Go(func() { l.use(t, rand.New(rand.NewPCG(1, uint64(n))), stop) })
	}
	random := rand.New(rand.NewPCG(2, 2))
	scopes := [...]string{"orders:read", "orders:inspect"}
	for end, n := time.Now().Add(memoLoad(t)), 0; time.Now().Before(end) || n < 18; n++ {
		before := l.asked.Load()
		switch n % 6 {
		case 0:
			l.issue(t, time.Duration(1+random.IntN(2))*time.Second)
		case 1, 3:
			l.revoke(t, tr)
			l.issue(t, 0)
		case 5:
			from, to := scopes[len(l.versions)%2], scopes[(len(l.versions)+1)%2]
			l.reload(t, from, to)
		}
		testkit.Eventually(t, "the load goes on", func() bool { return l.asked.Load() > before+20 })
	}
	close(stop)
	callers.Wait()
	l.check(t)
	page := w.get(t, "/metrics")
	if strings.Contains(page, "\nsidecar_engine_memo_hits_total 0\n") ||
		!strings.Contains(page, "\nsidecar_engine_memo_mismatch_total 0\n") {
		t.Error("no verdict was remembered, or a wrong one")
	}
}

// issue adds a token. With a lifetime it expires while the load goes on.
func (l *mixedLoad) issue(t *testing.T, ttl time.Duration) {
	t.Helper()
	tok := &loadToken{sid: fmt.Sprint("s", time.Now().UnixNano())}
	g := good()
	g.TTL, g.Claims = ttl, map[string]any{"sid": tok.sid}
	g.TokenFormat = devissuer.Opaque
	tok.text = l.token(t, g)
	if ttl > 0 { // rounded up to a second by the server
		tok.expires = time.Now().Add(ttl + time.Second - 1).Truncate(time.Second)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens = append(l.tokens, tok)
	if len(l.tokens) > 12 {
		l.tokens = l.tokens[1:]
	}
}

// revoke revokes one of the tokens, by an event.
func (l *mixedLoad) revoke(t *testing.T, tr *transmitter) {
	t.Helper()
	l.mu.Lock()
	at := slices.IndexFunc(l.tokens, func(tok *loadToken) bool {
		return tok.ending.Load() == 0 && tok.expires.IsZero()
	})
	l.mu.Unlock()
	if at < 0 {
		return
	}
	tok := l.tokens[at]
	tok.ending.Store(time.Now().UnixNano())
	l.issuer.Revoke(tok.text)
	deliver["back-channel logout"](t, l.world, tr, tok.sid)
	tok.revoked.Store(time.Now().UnixNano())
}

// reload replaces the scope that the routes ask for, and waits until the new policy decides.
func (l *mixedLoad) reload(t *testing.T, from, to string) {
	t.Helper()
	name := l.policyFile(filepath.Join("routes", "data.yaml"))
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	old := l.status(t).Policy.Digest
	// The comment makes each version another one.
	testkit.WriteFile(t, name, strings.ReplaceAll(string(text), from, to)+"# "+strconv.Itoa(len(l.versions))+"\n")
	testkit.Eventually(t, "the new policy decides", func() bool { return l.status(t).Policy.Digest != old })
	l.decidesNow(t, to == "orders:read")
}

func (l *mixedLoad) decidesNow(t *testing.T, allows bool) {
	t.Helper()
	v := version{l.status(t).Policy.Digest, allows}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.versions = append(l.versions, v)
}

// use asks with one token after the other until stop is closed.
func (l *mixedLoad) use(t *testing.T, random *rand.Rand, stop chan struct{}) {
	var own []loadCall
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.calls = append(l.calls, own...)
	}()
	for {
		select {
		case <-stop:
			return
		default:
		}
		l.mu.Lock()
		c := loadCall{token: l.tokens[random.IntN(len(l.tokens))], since: len(l.versions) - 1}
		l.mu.Unlock()
		c.begun = time.Now()
		var err error
		if c.answer, err = l.try(t.Context(), c.token.text); err != nil {
			t.Error(err)
			return
		}
		c.ended = time.Now()
		own = append(own, c)
		l.asked.Add(1)
	}
}

// check compares each answer with what was true when it was asked.
func (l *mixedLoad) check(t *testing.T) {
	t.Helper()
	counts := map[string]int{}
	for _, c := range l.calls {
		at := slices.IndexFunc(l.versions, func(v version) bool { return v.digest == c.answer.Policy.Digest })
		revoked, ending := c.token.revoked.Load(), c.token.ending.Load()
		expires := c.token.expires
		over := revoked != 0 && c.begun.UnixNano() > revoked || !expires.IsZero() && !c.begun.Before(expires)
		mayBeOver := ending != 0 && c.ended.UnixNano() >= ending ||
			!expires.IsZero() && !c.ended.Before(expires.Add(-time.Second))
		refused := c.answer.is("unauthenticated", 401, "invalid_token")
		switch {
		case over && !refused:
			t.Errorf("after its end a token gets %v", c.answer)
		case over:
			counts["refused"]++
		case refused && mayBeOver:
			counts["refused while it ended"]++
		case at < c.since:
			t.Errorf("policy %d decides after policy %d did: %v", at, c.since, c.answer)
		case l.versions[at].allows && c.answer.is("allow", 200, ""):
			counts["allowed"]++
		case !l.versions[at].allows && c.answer.is("deny", 403, "insufficient_scope"):
			counts["denied"]++
		default:
			t.Errorf("policy %d says %v", at, c.answer)
		}
	}
	t.Logf("%d answers by %d policies: %v", len(l.calls), len(l.versions), counts)
	for _, kind := range []string{"allowed", "denied", "refused"} {
		if counts[kind] < 10 {
			t.Errorf("%d %s: the test says little", counts[kind], kind)
		}
	}
}
