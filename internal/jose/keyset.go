package jose

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

const (
	defaultRefresh = time.Hour
	defaultUnknown = 5 * time.Second
	firstBackoff   = time.Second
	longestBackoff = 30 * time.Second
	fetchTimeout   = 30 * time.Second // should Fetch have none of its own
)

// KeySetConfig is what a KeySet needs.
type KeySetConfig struct {
	// Name is the set's name in logs and errors.
	Name string
	// Fetch reads one JWK Set. It bounds what it reads; its errors are *authz.Error.
	Fetch func(ctx context.Context) ([]byte, error)
	// RefreshEvery is the age at which the set is fetched again; 0 is an hour. So long a key that was taken back is good.
	RefreshEvery time.Duration
	// UnknownKeyEvery is how often, at most, tokens that no known key verifies make it fetch; 0 is 5 s. Strangers make such
	// tokens.
	UnknownKeyEvery time.Duration
	// MostWaiting bounds how many may wait at once for such a fetch, so that strangers do not take all the room of whoever
	// asks; more are told to come back. 0 sets no limit.
	MostWaiting int
	// Log may be nil.
	Log *slog.Logger
}

// KeySet is a KeySource that fetches its keys when they are first needed and keeps them fresh from then on. Those who wait
// for a fetch share it. When one does not succeed, the keys of the last one stay in use.
type KeySet struct {
	cfg   KeySetConfig
	known atomic.Pointer[fetched]
	// waiting is how many wait for a key that is not known.
	waiting atomic.Int64

	mu         sync.Mutex
	pending    *attempt // nil when none is under way
	failures   int      // since the last success
	lastErr    error
	retryAt    time.Time
	askedAt    time.Time // when an unknown key last made it fetch
	refreshing loopState
	closed     bool

	running sync.WaitGroup
	ctx     context.Context // of the fetches, which outlive the requests that start them
	cancel  context.CancelFunc
}

type loopState uint8

const (
	loopNotStarted loopState = iota
	loopStarted
)

// fetched is a set of keys and when the fetch that gave it began.
type fetched struct {
	*ring
	at time.Time
}

// attempt is one fetch, shared by all who wait for it.
type attempt struct {
	done chan struct{}
	keys *fetched
	err  error
}

// cause is why a fetch is wanted.
type cause uint8

const (
	causeNoKeys cause = iota
	causeAge
	causeUnknownKey
)

// NewKeySet returns a KeySet that has not fetched anything yet. Close it.
func NewKeySet(cfg KeySetConfig) *KeySet {
	if cfg.RefreshEvery <= 0 {
		cfg.RefreshEvery = defaultRefresh
	}
	if cfg.UnknownKeyEvery <= 0 {
		cfg.UnknownKeyEvery = defaultUnknown
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &KeySet{cfg: cfg}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Find returns the keys that fit. It waits when there are none yet, and when none of them is one that the header may mean.
func (s *KeySet) Find(ctx context.Context, h Header) ([]Key, error) {
	f := s.known.Load()
	if f == nil {
		a, err := s.begin(causeNoKeys)
		if err != nil {
			return nil, err
		}
		if f, err = s.await(ctx, a); err != nil {
			return nil, err
		}
	}
	switch found := f.find(h); {
	case len(found) > 0:
		return found, nil
	case h.KeyID != "" && len(f.byID[h.KeyID]) > 0:
		return s.renew(ctx, h) // the name may have come to stand for a key of another kind
	}
	return s.again(ctx, h)
}

// Warm fetches the keys before anybody needs them, and tries again until they are there or ctx ends.
func (s *KeySet) Warm(ctx context.Context) {
	for s.known.Load() == nil && ctx.Err() == nil {
		a, err := s.begin(causeNoKeys)
		if err == nil {
			_, err = s.await(ctx, a)
		}
		wait := firstBackoff
		if e, ok := errors.AsType[*authz.Error](err); ok {
			wait = max(e.RetryAfter, time.Millisecond)
		} else if err == nil {
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
		case <-s.ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// again looks for a key in a newer set, if it is time for one. A key that is unknown because the set could not be fetched
// is not known to be unknown.
func (s *KeySet) again(ctx context.Context, h Header) ([]Key, error) {
	a, err := s.begin(causeUnknownKey)
	if a == nil {
		return nil, err
	}
	defer s.waiting.Add(-1)
	if n := s.waiting.Add(1); s.cfg.MostWaiting > 0 && n > int64(s.cfg.MostWaiting) {
		return nil, &authz.Error{Kind: authz.Unavailable, RetryAfter: time.Second, Err: fmt.Errorf("fetch keys of %q: %w", s.cfg.Name, errCrowded)}
	}
	f, err := s.await(ctx, a)
	if err != nil {
		return nil, err
	}
	return f.find(h), nil
}

// renew is again for a token that the known keys did not verify, or that the key of that name cannot have signed. Keys that are young are taken to be the right ones.
func (s *KeySet) renew(ctx context.Context, h Header) ([]Key, error) {
	if f := s.known.Load(); f != nil && time.Since(f.at) < s.cfg.UnknownKeyEvery {
		return nil, nil
	}
	found, err := s.again(ctx, h)
	if err != nil && !errors.Is(err, errCrowded) {
		return nil, nil // the signature was bad, as far as anybody knows
	}
	return found, err
}

var errCrowded = errors.New("too many wait for a key that is not known")

func (s *KeySet) await(ctx context.Context, a *attempt) (*fetched, error) {
	select {
	case <-a.done:
		return a.keys, a.err
	case <-ctx.Done():
		return nil, authz.E(authz.Unavailable, "fetch keys of %q: no answer in time", s.cfg.Name)
	}
}

// begin starts a fetch or joins the one under way. Shortly after a failure it does neither and says when to come back;
// for an unknown key it may also do nothing at all.
func (s *KeySet) begin(why cause) (*attempt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	wait := s.retryAt.Sub(now)
	switch {
	case s.closed:
		return nil, authz.E(authz.Unavailable, "fetch keys of %q: shutting down", s.cfg.Name)
	case s.pending != nil:
		return s.pending, nil
	case wait > 0:
		return nil, &authz.Error{
			Kind: authz.Unavailable, RetryAfter: wait,
			Err: fmt.Errorf("fetch keys of %q: next attempt in %s, the last one: %s", s.cfg.Name, wait.Round(time.Millisecond), s.lastErr.Error()),
		}
	case why == causeUnknownKey && s.failures == 0 && !s.askedAt.IsZero() && now.Sub(s.askedAt) < s.cfg.UnknownKeyEvery:
		return nil, nil
	}
	if why == causeUnknownKey {
		s.askedAt = now
	}
	a := &attempt{done: make(chan struct{})}
	s.pending = a
	s.running.Go(func() { s.run(a) })
	return a, nil
}

// run fetches once and publishes what came of it.
func (s *KeySet) run(a *attempt) {
	began := time.Now()
	r, err := s.fetch()
	s.mu.Lock()
	s.pending = nil
	switch {
	case err == nil:
		a.keys = &fetched{r, began}
		s.known.Store(a.keys)
		s.failures, s.lastErr, s.retryAt = 0, nil, time.Time{}
		if s.refreshing == loopNotStarted {
			s.refreshing = loopStarted
			s.running.Go(s.refresh)
		}
	case errors.Is(err, errNoUsableKey):
		s.known.Store(nil) // the issuer took its keys back
		fallthrough
	default:
		wait := min(firstBackoff<<min(s.failures, 10), longestBackoff)
		s.failures++
		s.lastErr = err
		s.retryAt = time.Now().Add(wait)
		a.err = &authz.Error{Kind: authz.Unavailable, RetryAfter: wait, Err: fmt.Errorf("fetch keys of %q: %w", s.cfg.Name, err)}
	}
	s.mu.Unlock()
	switch {
	case err == nil:
		s.cfg.Log.Info("fetched keys", "issuer", s.cfg.Name, "keys", len(r.all), "ignored", r.ignored)
	case s.ctx.Err() == nil:
		s.cfg.Log.Warn("keys were not fetched", "issuer", s.cfg.Name, "cause", err)
	}
	close(a.done)
}

func (s *KeySet) fetch() (r *ring, err error) {
	defer func() {
		// Nobody above this goroutine would catch it. What the panic says is not known to be fit for a log.
		if p := recover(); p != nil {
			err = fmt.Errorf("read key set: panic of type %T", p)
		}
	}()
	ctx, cancel := context.WithTimeout(s.ctx, fetchTimeout)
	defer cancel()
	body, err := s.cfg.Fetch(ctx)
	if err != nil {
		return nil, err
	}
	return readRing(body)
}

// refresh keeps the set fresh until the close.
func (s *KeySet) refresh() {
	for {
		timer := time.NewTimer(s.untilNext())
		select {
		case <-timer.C:
		case <-s.ctx.Done():
			timer.Stop()
			return
		}
		a, err := s.begin(causeAge)
		if err != nil {
			continue // it is too early, or the close has begun
		}
		<-a.done // the close ends it
	}
}

func (s *KeySet) untilNext() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures > 0 {
		return max(time.Until(s.retryAt), time.Millisecond)
	}
	return max(time.Until(s.known.Load().at.Add(s.cfg.RefreshEvery)), time.Millisecond)
}

// Close gives up fetches under way and waits for all that the set started.
func (s *KeySet) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
}
