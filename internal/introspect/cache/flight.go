package cache

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// flight lets callers that ask the same at the same time share one question: INT-19. The question runs detached from
// the first caller, which may leave while the others wait.
//
// It differs from golang.org/x/sync/singleflight in two ways: a caller that wants an answer younger than the question
// in flight waits for the next question, and a background refresh waits for no answer.
type flight struct {
	issuer   string
	observer Observer
	permits  chan struct{} // one for each question in flight

	ctx     context.Context // ends at the close
	stop    context.CancelFunc
	mu      sync.Mutex // guards what follows
	closed  bool
	calls   map[secret.Fingerprint]*call
	running sync.WaitGroup
}

// call is one question in flight. Its outcome is set before done is closed.
type call struct {
	began  time.Time
	done   chan struct{}
	claims *authz.Claims
	err    error
}

// question finds something out. It ends by itself in bounded time.
type question func(context.Context) (*authz.Claims, error)

func newFlight(issuer string, most int, o Observer) *flight {
	ctx, stop := context.WithCancel(context.Background())
	return &flight{issuer: issuer, observer: o, permits: make(chan struct{}, most), ctx: ctx, stop: stop,
		calls: map[secret.Fingerprint]*call{}}
}

// share runs q, or joins the run of an equal key that began at since or later; of a key only one runs at a time. Where
// nothing runs, peek is asked first. It returns when there is an answer or when ctx ends, whichever is first; the
// question goes on in the latter case.
func (f *flight) share(ctx context.Context, key secret.Fingerprint, since time.Time, peek func() *authz.Claims,
	q question) (*authz.Claims, error) {
	for {
		c, known, err := f.joinOrStart(ctx, key, peek, q)
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

// joinOrStart returns the call of a key, which is begun when there is none; or what peek knows; or why there can be
// none.
func (f *flight) joinOrStart(ctx context.Context, key secret.Fingerprint, peek func() *authz.Claims,
	q question) (*call, *authz.Claims, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.calls[key]; c != nil {
		return c, nil, nil
	}
	if known := peek(); known != nil {
		return nil, known, nil
	}
	c, err := f.begin(ctx, key, q)
	return c, nil, err
}

// startDetached runs q in the background, unless the key runs already. It leaves half of the permits to callers that
// wait.
func (f *flight) startDetached(ctx context.Context, key secret.Fingerprint, q question) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.calls[key] != nil:
		return nil
	case 2*len(f.permits) >= cap(f.permits) && cap(f.permits) > 1:
		return f.overloaded()
	}
	_, err := f.begin(ctx, key, q)
	return err
}

// begin starts a call. f.mu is held.
func (f *flight) begin(ctx context.Context, key secret.Fingerprint, q question) (*call, error) {
	if f.closed {
		return nil, authz.Errorf(authz.Unavailable, "introspect at issuer %q: shutting down", f.issuer)
	}
	select {
	case f.permits <- struct{}{}:
	default:
		f.observer.Refused(f.issuer, "concurrency")
		return nil, f.overloaded()
	}
	c := &call{began: time.Now(), done: make(chan struct{})}
	c.err = authz.Errorf(authz.Internal, "introspect at issuer %q: the question ended without an answer", f.issuer)
	f.calls[key] = c
	f.running.Add(1)
	ctx = context.WithoutCancel(ctx)
	go func() {
		defer f.end(key, c)
		c.claims, c.err = f.run(ctx, q)
	}()
	return c, nil
}

func (f *flight) overloaded() error {
	return &authz.Error{
		Kind: authz.Unavailable, RetryAfter: time.Second,
		Err: fmt.Errorf("introspect at issuer %q: %d questions are in flight already", f.issuer, len(f.permits)),
	}
}

func (f *flight) run(ctx context.Context, q question) (_ *authz.Claims, err error) {
	defer func() {
		// It would end the process. What the panic says may hold the token.
		if r := recover(); r != nil {
			err = authz.Errorf(authz.Internal, "introspect at issuer %q: panic of type %T", f.issuer, r)
		}
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.ctx, cancel)()
	return q(ctx)
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
