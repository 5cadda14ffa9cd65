package fetch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Refresh says when a value that is due is fetched again.
type Refresh uint8

// The ways to refresh.
const (
	// OnDemand fetches behind the back of a caller that gets the value that is due.
	OnDemand Refresh = iota
	// InBackground fetches at its time, also when nothing asks for the value.
	InBackground
)

// Config is what a Value needs.
type Config[T any] struct {
	// Name begins the errors: `discover issuer "acme"`.
	Name string
	// Fetch makes one attempt, under a context that outlives the callers that wait for it. An error that is no
	// *authz.Error counts as authz.Unavailable.
	Fetch func(ctx context.Context) (T, error)
	// Timeout bounds one attempt; 0 leaves that to Fetch.
	Timeout time.Duration
	// Lifetime says when a value, whose attempt began at a time, is to be renewed, and when it must not be used any
	// more; the zero time means never. It may be nil.
	Lifetime func(v T, began time.Time) (renew, end time.Time)
	Refresh  Refresh
	// Withdraws reports whether a failure takes the last good value away. It may be nil.
	Withdraws func(err error) bool
	// Done gets the outcome of each attempt, before the callers that wait for it. It may be nil.
	Done func(v T, err error)
}

// Value is a value that is fetched when it is first needed. It is safe for concurrent use.
type Value[T any] struct {
	cfg  Config[T]
	kept atomic.Pointer[Kept[T]]

	mu       sync.Mutex // guards what follows
	pending  *Attempt[T]
	failures int // since the last success
	failed   *authz.Error
	failedAt time.Time
	// failingSince is when the first of those failures ended.
	failingSince time.Time
	refreshing   bool
	closed       bool

	running sync.WaitGroup
	failing chan struct{} // wakes refresh, which may be asleep until the value is due
	ctx     context.Context
	cancel  context.CancelFunc
}

// Kept is the last good value, and when the attempt that brought it began.
type Kept[T any] struct {
	Value      T
	Began      time.Time
	renew, end time.Time
}

// Attempt is one fetch, shared by all callers that wait for it.
type Attempt[T any] struct {
	name  string
	done  chan struct{}
	value T
	err   error
}

// Wait returns the outcome of the attempt. See Value.Get for the error.
func (a *Attempt[T]) Wait(ctx context.Context) (T, error) {
	select {
	case <-a.done:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, &authz.Error{
			Kind: authz.Unavailable, RetryAfter: Pause,
			Err: fmt.Errorf("%s: no answer in time: %w", a.name, ctx.Err()),
		}
	}
}

// New returns a Value that has not fetched anything yet. Close it.
func New[T any](cfg Config[T]) *Value[T] {
	v := &Value[T]{cfg: cfg, failing: make(chan struct{}, 1)}
	v.ctx, v.cancel = context.WithCancel(context.Background())
	return v
}

// Kept is the last good value, which may have ended; nil when there is none.
func (v *Value[T]) Kept() *Kept[T] { return v.kept.Load() }

// Get returns the value. It waits only when there is none that is good. An error is an *authz.Error of the kind of the
// last failure; Unavailable says by RetryAfter when the next attempt is made.
func (v *Value[T]) Get(ctx context.Context) (T, error) {
	k, now := v.kept.Load(), time.Now()
	if k == nil || !k.end.IsZero() && !now.Before(k.end) {
		return v.Fetch(ctx)
	}
	if v.cfg.Refresh == OnDemand && !k.renew.IsZero() && !now.Before(k.renew) {
		_, _, _ = v.begin(renewed) // behind the caller, who has what it needs
	}
	return k.Value, nil
}

// Fetch returns the outcome of an attempt: of the one under way, else of a new one. See Get for the error. While the
// server fails, one caller waits for an attempt, and those who join it wait no longer than Pause.
func (v *Value[T]) Fetch(ctx context.Context) (T, error) {
	a, w, err := v.begin(needed)
	if err != nil {
		var none T
		return none, err
	}
	if w == full {
		return a.Wait(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, Pause)
	defer cancel()
	value, err := a.Wait(limited)
	if limited.Err() != nil && ctx.Err() == nil && err != nil {
		err = v.joined(err)
	}
	return value, err
}

// joined is the error of a caller that did not wait for an attempt to its end: that of the attempt before.
func (v *Value[T]) joined(err error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.failed == nil {
		return err
	}
	e := &authz.Error{Kind: v.failed.Kind, Code: v.failed.Code,
		Err: fmt.Errorf("%s: an attempt is under way, the last one: %w", v.cfg.Name, v.failed)}
	if e.Kind == authz.Unavailable {
		e.RetryAfter = Pause
	}
	return e
}

// Begin joins the attempt under way, or starts one. See Get for the error.
func (v *Value[T]) Begin() (*Attempt[T], error) {
	a, _, err := v.begin(needed)
	return a, err
}

// Pending returns the attempt under way, nil when there is none, and whether the last attempt failed.
func (v *Value[T]) Pending() (a *Attempt[T], failed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.pending, v.failed != nil
}

// need is why an attempt is wanted.
type need uint8

const (
	needed  need = iota // there is no good value
	renewed             // there is one, which is due
)

// wait is how long a caller waits for an attempt.
type wait uint8

const (
	full  wait = iota // as long as its own context lasts
	brief             // the attempt of another caller, after a failure
)

// begin starts an attempt or joins the one under way. Shortly after a failure it does neither and says when to come
// back.
func (v *Value[T]) begin(n need) (*Attempt[T], wait, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil, full, authz.Errorf(authz.Unavailable, "%s: shutting down", v.cfg.Name)
	}
	if v.pending != nil {
		if v.failed != nil {
			return v.pending, brief, nil
		}
		return v.pending, full, nil
	}
	if left := time.Until(v.next(n)); v.failed != nil && left > 0 {
		e := &authz.Error{Kind: v.failed.Kind, Code: v.failed.Code}
		e.Err = fmt.Errorf("%s: next attempt in %s, the last one: %w", v.cfg.Name, left.Round(time.Millisecond),
			v.failed)
		if e.Kind == authz.Unavailable {
			e.RetryAfter = left
		}
		return nil, full, e
	}
	a := &Attempt[T]{name: v.cfg.Name, done: make(chan struct{})}
	v.pending = a
	v.running.Go(func() { v.run(a) })
	return a, full, nil
}

// next is when the next attempt may begin after a failure. It is called with mu held.
func (v *Value[T]) next(n need) time.Time {
	if v.failed == nil {
		return time.Time{}
	}
	wait := max(Pause, min(v.failed.RetryAfter, longestHold))
	if n == renewed {
		wait = max(wait, retries().After(v.failures))
	}
	return v.failedAt.Add(wait)
}

// run makes one attempt and publishes what came of it.
func (v *Value[T]) run(a *Attempt[T]) {
	began := time.Now()
	value, err := v.attempt()
	v.mu.Lock()
	v.pending = nil
	if err == nil {
		k := &Kept[T]{Value: value, Began: began}
		if v.cfg.Lifetime != nil {
			k.renew, k.end = v.cfg.Lifetime(value, began)
		}
		a.value = value
		v.kept.Store(k)
		v.failures, v.failed = 0, nil
		if v.cfg.Refresh == InBackground && !v.refreshing && !v.closed {
			v.refreshing = true
			v.running.Go(v.refresh)
		}
	} else {
		if v.cfg.Withdraws != nil && v.cfg.Withdraws(err) {
			v.kept.Store(nil)
		}
		v.failures++
		v.failed, v.failedAt = asError(v.cfg.Name, err), time.Now()
		if v.failures == 1 {
			v.failingSince = v.failedAt
		}
		a.err = v.failed
		select {
		case v.failing <- struct{}{}:
		default:
		}
	}
	v.mu.Unlock()
	if v.cfg.Done != nil && (err == nil || v.ctx.Err() == nil) {
		v.cfg.Done(value, err)
	}
	close(a.done)
}

func asError(name string, err error) *authz.Error {
	if e, ok := errors.AsType[*authz.Error](err); ok {
		return e
	}
	return &authz.Error{Kind: authz.Unavailable, Err: fmt.Errorf("%s: %w", name, err)}
}

func (v *Value[T]) attempt() (value T, err error) {
	defer func() {
		// Nothing above this goroutine would catch it. What the panic says is not known to be fit for a log.
		if p := recover(); p != nil {
			err = fmt.Errorf("panic of type %T", p)
		}
	}()
	ctx := v.ctx
	if v.cfg.Timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, v.cfg.Timeout)
		defer cancel()
		ctx = limited
	}
	return v.cfg.Fetch(ctx)
}

// Warm makes attempts until there is a value, ctx ends, or the Value is closed.
func (v *Value[T]) Warm(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(v.ctx, cancel)()
	for v.kept.Load() == nil && ctx.Err() == nil {
		if a, _, err := v.begin(renewed); err == nil {
			select {
			case <-a.done:
			case <-ctx.Done():
			}
			continue
		}
		Sleep(ctx, v.untilNext())
	}
}

// refresh keeps the value fresh until the close.
func (v *Value[T]) refresh() {
	for {
		timer := time.NewTimer(v.untilNext())
		select {
		case <-timer.C:
			if a, _, err := v.begin(renewed); err == nil {
				<-a.done // the close ends it
			}
		case <-v.failing:
		case <-v.ctx.Done():
		}
		timer.Stop()
		if v.ctx.Err() != nil {
			return
		}
	}
}

// untilNext is the time until the value is due, or until the next attempt after a failure.
func (v *Value[T]) untilNext() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	at := v.next(renewed)
	if k := v.kept.Load(); v.failed == nil && k != nil {
		at = k.renew
	}
	return max(time.Until(at), time.Millisecond)
}

// Forget drops the last good value if which is true of it.
func (v *Value[T]) Forget(which func(T) bool) {
	if k := v.kept.Load(); k != nil && which(k.Value) {
		v.kept.CompareAndSwap(k, nil)
	}
}

// Close gives up the attempt under way and waits for all that the Value started. What is kept can still be had.
func (v *Value[T]) Close() {
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	v.cancel()
	v.running.Wait()
}
