package cache

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// flight lets callers that ask the same at the same time share one question: INT-19. The question runs detached from
// the first caller, which may leave while the others wait.
//
// It differs from golang.org/x/sync/singleflight in two ways: a caller that wants an answer younger than the question
// in flight waits for the next question, and a background refresh waits for no answer.
type flight struct {
	issuer  string
	counts  *counts
	permits chan struct{} // one for each question in flight

	// peek looks for an answer that is as new as since. fetch asks and keeps the answer, in bounded time.
	peek  func(q introspect.Question, since time.Time) *authz.Claims
	fetch func(context.Context, introspect.Question) (*authz.Claims, error)

	ctx     context.Context // ends at the close
	stop    context.CancelFunc
	mu      sync.Mutex // guards what follows
	closed  bool
	calls   map[secret.Fingerprint]*call
	running sync.WaitGroup
}

// call is one question in flight. Its outcome is set before done is closed.
type call struct {
	refresh bool // no caller waits for it
	began   time.Time
	done    chan struct{}
	claims  *authz.Claims
	err     error
}

func newFlight(c *Cache) *flight {
	ctx, stop := context.WithCancel(context.Background())
	return &flight{
		issuer: c.deps.Issuer, counts: c.counts, permits: make(chan struct{}, c.deps.MaxInFlight),
		peek: c.peek, fetch: c.fetch, ctx: ctx, stop: stop, calls: map[secret.Fingerprint]*call{},
	}
}

// share fetches, or joins a call of an equal key that began at since or later; of a key only one runs at a time. It
// returns when there is an answer or when ctx ends, whichever is first; the question goes on in the latter case.
func (f *flight) share(ctx context.Context, key secret.Fingerprint, q introspect.Question, since time.Time,
) (*authz.Claims, error) {
	for {
		c, known, err := f.joinOrStart(ctx, key, q, since)
		if c == nil {
			return known, err
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			return nil, authz.Errorf(authz.Unavailable,
				"introspect at issuer %q: the caller's time ended before the answer came", f.issuer)
		}
		if !c.began.Before(since) { // else the next one to run began after that
			return c.claims, c.err
		}
	}
}

// joinOrStart returns the call of a key, which is begun when there is none; or an answer that an earlier call left; or
// why there can be none.
func (f *flight) joinOrStart(ctx context.Context, key secret.Fingerprint, q introspect.Question, since time.Time,
) (*call, *authz.Claims, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.calls[key]; c != nil {
		return c, nil, nil
	}
	if known := f.peek(q, since); known != nil {
		return nil, known, nil
	}
	c := &call{}
	if err := f.begin(ctx, key, q, c); err != nil {
		return nil, nil, err
	}
	return c, nil, nil
}

// startDetached fetches in the background, unless a call of the key runs already. It leaves half of the permits to
// callers that wait.
func (f *flight) startDetached(ctx context.Context, key secret.Fingerprint, q introspect.Question) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls[key] != nil {
		return
	}
	if 2*len(f.permits) >= cap(f.permits) && cap(f.permits) > 1 || f.begin(ctx, key, q, &call{refresh: true}) != nil {
		f.counts.refreshes.Inc(refreshOverloaded)
	}
}

// use is how many questions are in flight, and how many may be.
func (f *flight) use() status.Use { return status.Use{Used: len(f.permits), Limit: cap(f.permits)} }

// begin starts a call. f.mu is held.
func (f *flight) begin(ctx context.Context, key secret.Fingerprint, q introspect.Question, c *call) error {
	if f.closed {
		return authz.Errorf(authz.Unavailable, "introspect at issuer %q: shutting down", f.issuer)
	}
	select {
	case f.permits <- struct{}{}:
	default:
		f.counts.refused[causeConcurrency].Inc()
		return &authz.Error{
			Kind: authz.Unavailable, RetryAfter: time.Second,
			Err: fmt.Errorf("introspect at issuer %q: %d questions are in flight already", f.issuer, len(f.permits)),
		}
	}
	c.began, c.done = time.Now(), make(chan struct{})
	c.err = authz.Errorf(authz.Internal, "introspect at issuer %q: the question ended without an answer", f.issuer)
	f.calls[key] = c
	f.running.Add(1)
	go f.run(context.WithoutCancel(ctx), key, q, c)
	return nil
}

func (f *flight) run(ctx context.Context, key secret.Fingerprint, q introspect.Question, c *call) {
	defer f.end(key, c)
	defer func() {
		// It would end the process. What the panic says may hold the token.
		if r := recover(); r != nil {
			c.err = authz.Errorf(authz.Internal, "introspect at issuer %q: panic of type %T", f.issuer, r)
		}
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.ctx, cancel)()
	c.claims, c.err = f.fetch(ctx, q)
	if c.refresh {
		outcome := refreshOK
		if c.err != nil {
			outcome = refreshFailed
		}
		f.counts.refreshes.Inc(outcome)
	}
}

// forget lets no more callers join the run of a key. It is called while the answer is kept: later callers find the
// answer in the store, or find it evicted, and must not get it from a run that is about to end.
func (f *flight) forget(key secret.Fingerprint) {
	f.mu.Lock()
	delete(f.calls, key)
	f.mu.Unlock()
}

func (f *flight) end(key secret.Fingerprint, c *call) {
	f.mu.Lock()
	if f.calls[key] == c {
		delete(f.calls, key)
	}
	<-f.permits
	f.mu.Unlock()
	close(c.done)
	f.running.Done()
}

// close refuses new questions, cancels those in flight and waits for their end.
func (f *flight) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.stop()
	f.running.Wait()
}
