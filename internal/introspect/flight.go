package introspect

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// flight lets all who want to know the same thing at the same time share one question: INT-19. The question runs detached
// from whoever came first, because the first may leave while the others wait.
type flight struct {
	issuer   string
	observer GuardObserver
	group    singleflight.Group
	seats    chan struct{} // one for each question under way

	ctx    context.Context // ends at the close
	land   context.CancelFunc
	mu     sync.Mutex
	closed bool
	aloft  sync.WaitGroup
}

func newFlight(issuer string, most int, o GuardObserver) *flight {
	ctx, land := context.WithCancel(context.Background())
	return &flight{issuer: issuer, observer: o, seats: make(chan struct{}, most), ctx: ctx, land: land}
}

// share runs question, or joins the run of an equal key. It returns when there is an answer or when ctx ends, whichever
// is first; question goes on in the latter case. question must end by itself in bounded time.
func (f *flight) share(ctx context.Context, key secret.Fingerprint, question func(context.Context) (*authz.Claims, error)) (*authz.Claims, error) {
	detached := context.WithoutCancel(ctx)
	result := f.group.DoChan(string(key[:]), func() (any, error) { return f.run(detached, question) })
	select {
	case r := <-result:
		c, _ := r.Val.(*authz.Claims)
		return c, r.Err
	case <-ctx.Done():
		return nil, authz.E(authz.Unavailable, "introspect at issuer %q: the caller's time ended before the answer came", f.issuer)
	}
}

func (f *flight) run(ctx context.Context, question func(context.Context) (*authz.Claims, error)) (_ *authz.Claims, err error) {
	if !f.begin() {
		return nil, authz.E(authz.Unavailable, "introspect at issuer %q: shutting down", f.issuer)
	}
	defer f.aloft.Done()
	defer func() {
		// singleflight would end the process. What the panic says may hold the token.
		if r := recover(); r != nil {
			err = authz.E(authz.Internal, "introspect at issuer %q: panic of type %T", f.issuer, r)
		}
	}()
	select {
	case f.seats <- struct{}{}:
		defer func() { <-f.seats }()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(f.ctx, cancel)()
		return question(ctx)
	default:
		f.observer.Refused(f.issuer, refusedSeats)
		return nil, &authz.Error{
			Kind: authz.Unavailable, RetryAfter: time.Second,
			Err: fmt.Errorf("introspect at issuer %q: %d questions are under way already", f.issuer, cap(f.seats)),
		}
	}
}

func (f *flight) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.aloft.Add(1)
	return true
}

// close refuses new questions, gives up those under way and waits for them to notice.
func (f *flight) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.land()
	f.aloft.Wait()
}
