package jose

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/fetch"
	"github.com/authz-sidecar/sidecar/internal/status"
)

const (
	defaultRefresh = time.Hour
	defaultUnknown = 5 * time.Second
	firstUnknown   = 250 * time.Millisecond
	defaultWait    = time.Second
	fetchTimeout   = 30 * time.Second // should Fetch have none of its own
)

// KeySetConfig is what a KeySet needs.
type KeySetConfig struct {
	// Name is the set's name in logs and errors.
	Name string
	// Fetch reads one JWK Set. It bounds what it reads; its errors are *authz.Error.
	Fetch func(ctx context.Context) ([]byte, error)
	// RefreshEvery is the age at which the set is fetched again; 0 is an hour. A key that was withdrawn is used that
	// long.
	RefreshEvery time.Duration
	// UnknownKeyEvery is the least time between two fetches for tokens that no known key verifies; 0 is 5 s. The first
	// of those fetches are 1/4, 1/2, 1, 2 and 4 s apart. Such tokens need no credentials to make.
	UnknownKeyEvery time.Duration
	// MaxWaiting bounds the tokens that wait at once for such a fetch; a further one is authz.Unavailable. 0 sets no
	// limit.
	MaxWaiting int
	// MaxWait bounds the time that a token waits for the next such fetch; 0 is 1 s. One that would wait for longer is
	// authz.Unavailable.
	MaxWait time.Duration
	// Log may be nil.
	Log *slog.Logger
}

// KeySet is a KeySource that fetches its keys when they are first needed and keeps them fresh from then on. Callers
// that wait for a fetch share it. When a fetch fails, the keys of the last one stay in use.
//
// Verify refuses a token only when the keys that do not verify it were fetched after the token arrived: until then its
// key may be newer than they are, and the error is authz.Unavailable. A token whose key is known, and does not verify
// it, is refused sooner: when its iat is well before the last fetch, and that was a moment ago.
type KeySet struct {
	cfg   KeySetConfig
	value *fetch.Value[*keySet]
	// last is what was fetched last, although it may hold no key that can be used.
	last atomic.Pointer[keySet]
	// fetches in a row that brought no usable key; only attempts change it and logged, one at a time
	empty   int
	logged  []Ignored // which the log has
	repeats fetch.Repeats
	waiting atomic.Int64 // for a key that is not known

	mu           sync.Mutex // guards what follows
	askedAt      time.Time  // when a token that no known key verifies last made it fetch
	unsuccessful int        // fetches of that kind in a row that verified nothing
	presented    presented
}

// NewKeySet returns a KeySet that has not fetched anything yet. Close it.
func NewKeySet(cfg KeySetConfig) *KeySet {
	if cfg.RefreshEvery <= 0 {
		cfg.RefreshEvery = defaultRefresh
	}
	if cfg.UnknownKeyEvery <= 0 {
		cfg.UnknownKeyEvery = defaultUnknown
	}
	if cfg.MaxWait <= 0 {
		cfg.MaxWait = defaultWait
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &KeySet{cfg: cfg, presented: newPresented(cfg.UnknownKeyEvery)}
	s.value = fetch.New(fetch.Config[*keySet]{
		Name: fmt.Sprintf("fetch keys of %q", cfg.Name), Fetch: s.fetch, Timeout: fetchTimeout,
		Lifetime: func(_ *keySet, at time.Time) (renew, end time.Time) {
			return at.Add(cfg.RefreshEvery),
				time.Time{}
		},
		Refresh:   fetch.InBackground,
		Withdraws: func(error) bool { return s.empty >= emptyBeforeWithdrawal },
		Done:      s.logFetch,
	})
	return s
}

// emptyBeforeWithdrawal is how often in a row a set must hold no usable key before the known ones are dropped. Servers
// publish an empty set for a moment when they restart.
const emptyBeforeWithdrawal = 2

func (s *KeySet) fetch(ctx context.Context) (*keySet, error) {
	body, err := s.cfg.Fetch(ctx)
	var r *keySet
	if err == nil {
		if r, err = readKeySet(body); r != nil {
			s.last.Store(r)
		}
	}
	if s.empty++; !errors.Is(err, errNoUsableKey) {
		s.empty = 0
	}
	if err == nil {
		return r, nil
	}
	e := &authz.Error{Kind: authz.Unavailable, RetryAfter: fetch.Pause,
		Err: fmt.Errorf("fetch keys of %q: %w", s.cfg.Name, err)}
	if cause, ok := errors.AsType[*authz.Error](err); ok {
		e.Kind, e.Code, e.RetryAfter = cause.Kind, cause.Code, max(cause.RetryAfter, fetch.Pause)
	}
	if e.Kind != authz.Unavailable {
		e.RetryAfter = 0
	}
	return nil, e
}

// logFetch logs how a fetch ended, and the keys that may not be used when they are others than before.
func (s *KeySet) logFetch(r *keySet, err error) {
	told := s.repeats.IsNews(err)
	if err != nil {
		if told {
			s.cfg.Log.Warn("keys were not fetched", "issuer", s.cfg.Name, "cause", err)
		}
		return
	}
	s.cfg.Log.Info("fetched keys", "issuer", s.cfg.Name, "keys", len(r.all), "ignored", len(r.ignored))
	if slices.Equal(r.ignored, s.logged) {
		return
	}
	s.logged = r.ignored
	for n, k := range slices.DeleteFunc(slices.Clone(r.ignored), func(k Ignored) bool { return k.Expected }) {
		if n == maxLogged {
			s.cfg.Log.Warn("more keys are ignored", "issuer", s.cfg.Name)
			return
		}
		s.cfg.Log.Warn("key is ignored", "issuer", s.cfg.Name, "index", k.Index, "kid", k.ID, "kty", k.Type, "cause",
			k.Cause)
	}
}

const maxLogged = 20

// Ignored lists the keys of the last set that may not be used, and why.
func (s *KeySet) Ignored() []Ignored {
	if r := s.last.Load(); r != nil {
		return r.ignored
	}
	return nil
}

// Status is how the keys are kept; nil before the first fetch has ended.
func (s *KeySet) Status() *status.Fetched { return s.value.Status() }

// Find returns the known keys that fit. It waits when there are none yet.
func (s *KeySet) Find(ctx context.Context, h Header) ([]Key, error) {
	r, err := s.value.Get(ctx)
	if err != nil {
		return nil, err
	}
	return r.find(h), nil
}

// Warm fetches the keys before a token needs them, and tries again until they are there or ctx ends.
func (s *KeySet) Warm(ctx context.Context) { s.value.Warm(ctx) }

// Close gives up fetches under way and waits for all that the set started.
func (s *KeySet) Close() { s.value.Close() }

// verify tries the known keys, and those of newer sets until one verifies the token or the key of the token cannot be
// newer.
func (s *KeySet) verify(ctx context.Context, c *compact, token string) error {
	arrived := time.Now()
	r, err := s.value.Get(ctx)
	if err != nil {
		return err
	}
	bad := c.signedByOneOf(token, r.find(c.header))
	if !errors.Is(bad, ErrNoKey) && !errors.Is(bad, ErrSignature) {
		return bad
	}
	e := c.evidence()
	s.mu.Lock()
	arrived = s.presented.since(token, arrived)
	s.mu.Unlock()
	waiting := s.waiting.Add(1)
	defer s.waiting.Add(-1)
	for {
		if k := s.value.Kept(); k != nil {
			if k.Value != r {
				r = k.Value
				if bad = c.signedByOneOf(token, r.find(c.header)); bad == nil {
					s.newerSetVerified()
					return nil
				}
			}
			old := errors.Is(bad, ErrSignature) && e.before(k.Began) && time.Since(k.Began) < s.cfg.UnknownKeyEvery
			if !k.Began.Before(arrived) || e.neverValid || old {
				return r.explain(c.header, bad)
			}
		}
		if s.cfg.MaxWaiting > 0 && waiting > int64(s.cfg.MaxWaiting) {
			return &authz.Error{Kind: authz.Unavailable, RetryAfter: time.Second,
				Err: fmt.Errorf("fetch keys of %q: %w", s.cfg.Name, errTooManyWaiting)}
		}
		if err := s.awaitNewer(ctx); err != nil {
			return err
		}
	}
}

var errTooManyWaiting = errors.New("too many wait for a key that is not known")

// awaitNewer waits for the fetch that is under way, for a new one, or for the time of one.
func (s *KeySet) awaitNewer(ctx context.Context) error {
	a, wait, err := s.begin(time.Now())
	switch {
	case err != nil:
		return err
	case a != nil:
		_, err := a.Wait(ctx)
		return err
	}
	deadline, limited := ctx.Deadline()
	if wait > s.cfg.MaxWait || limited && time.Until(deadline) <= wait || !fetch.Sleep(ctx, wait) {
		return &authz.Error{
			Kind: authz.Unavailable, RetryAfter: wait,
			Err: fmt.Errorf("fetch keys of %q: no known key verifies the token, and the next look for newer keys is "+
				"in %s", s.cfg.Name, wait.Round(time.Millisecond)),
		}
	}
	return nil
}

// begin joins the attempt under way, or starts one, or says how long none may start. After a failure the pace is that
// of fetch.Value; else each fetch that verified no token doubles the time to the next one.
func (s *KeySet) begin(now time.Time) (*fetch.Attempt[*keySet], time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, failed := s.value.Pending()
	if a != nil {
		return a, 0, nil // also when it ends before it is waited for: Begin would start another, before its time
	}
	if !failed {
		if now.Sub(s.askedAt) > 2*s.cfg.UnknownKeyEvery {
			s.unsuccessful = 0
		}
		pause := fetch.Backoff{First: min(firstUnknown, s.cfg.UnknownKeyEvery),
			Last: s.cfg.UnknownKeyEvery}.After(s.unsuccessful)
		if wait := s.askedAt.Add(pause).Sub(now); wait > 0 {
			return nil, wait, nil
		}
		s.askedAt = now
		s.unsuccessful++
	}
	a, err := s.value.Begin()
	return a, 0, err
}

// newerSetVerified resets the pause between fetches.
func (s *KeySet) newerSetVerified() {
	s.mu.Lock()
	s.unsuccessful = 0
	s.mu.Unlock()
}
