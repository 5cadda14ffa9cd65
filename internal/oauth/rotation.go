package oauth

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/fetch"
	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

const (
	lookEvery   = time.Second           // between looks at files that nobody has complained about
	pollEvery   = 20 * time.Millisecond // between looks while a request waits for a file
	fileWait    = time.Second           // how long requests wait for the file when what worked is refused all at once
	impatience  = time.Minute           // how long they do not, after they did in vain
	generations = 4                     // kept at once
)

// trials are the pauses between trials of what was refused.
func trials() fetch.Backoff { return fetch.Backoff{First: time.Second, Last: time.Minute} }

// outcome is what one use of a credential says about it.
type outcome uint8

const (
	unknown outcome = iota // nothing: the server is ill, or did not look
	worked
	refused
	broken // the connection broke off, which some servers do instead of refusing
)

// rotation is something that lives in files and can be changed there at any time: a secret, a key, a certificate, a set of
// authorities. The newest content is tried; what worked before it is kept until it works. The change may come first to the
// file or first to the server: whoever is refused looks at the other one.
type rotation[T any] struct {
	what   string // for the log
	issuer string
	log    *slog.Logger
	parts  []keyfile.Part
	parse  func([]secret.Text) (T, error)
	// grace is how long the former content is still tried after the newest worked: not every node of a server learns of a
	// change at once.
	grace time.Duration
	// wait is how long requests wait for the file when what worked is refused all at once.
	wait time.Duration
	drop func(T) // hears, perhaps twice, of what is not the first choice any more; may be nil

	reading  sync.Mutex // guards what follows, and is held while files are read
	lookedAt time.Time
	files    *keyfile.Files[T]

	mu       sync.Mutex // guards what follows, and each generation
	nextLook time.Time
	known    []*generation[T] // newest first, never empty
}

// generation is one content of the files.
type generation[T any] struct {
	value     T
	worked    bool
	trying    bool      // somebody finds out whether it works
	refusals  int       // since it last worked
	retryAt   time.Time // of the next trial
	waitedFor time.Time // when requests began to wait for what comes after it
	retired   time.Time // when something newer worked; zero when nothing has
}

// open reads the files for the first time.
func (r *rotation[T]) open() error {
	r.lookedAt = time.Now()
	files, v, err := keyfile.Open(r.parse, r.parts...)
	r.files, r.known = files, []*generation[T]{{value: v}}
	r.nextLook = r.lookedAt.Add(lookEvery)
	return err
}

// use calls once with the best content, and when that is refused, with each other one that may be right, until one is not
// refused. once is called at least once.
func (r *rotation[T]) use(ctx context.Context, once func(T) outcome) {
	began, g := time.Now(), r.pick()
	var until time.Time // when this request stops waiting
	var tried []*generation[T]
	for chances := 2; g != nil; {
		o := once(g.value)
		r.note(g, o)
		if o != refused && o != broken {
			return
		}
		if tried = append(tried, g); until.IsZero() {
			until = time.Now().Add(r.wait)
		}
		g = r.untried(tried)
		// When what worked is refused now, the server may have changed after it refused the new one: that one has a second
		// chance, and a third one a moment later, for not all that the server said is read in the order in which it meant it.
		if g == nil && chances > 0 && r.worthWaiting(tried, began, until) && (chances == 2 || fetch.Sleep(ctx, pollEvery)) {
			chances--
			tried = tried[len(tried)-1:]
			g = r.untried(tried)
		}
		if g == nil {
			g = r.awaited(ctx, tried, began, until)
		}
	}
}

// pick is the content to try first. Only one request at a time tries what has not worked yet.
func (r *rotation[T]) pick() *generation[T] {
	now := time.Now()
	r.mu.Lock()
	due := r.files.Any() && !now.Before(r.nextLook)
	if due {
		r.nextLook = now.Add(lookEvery)
	}
	r.mu.Unlock()
	if due && r.reading.TryLock() {
		r.look()
		r.reading.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	first := r.known[0]
	if first.worked || len(r.known) == 1 {
		return first
	}
	if !first.trying && !now.Before(first.retryAt) {
		first.trying = true
		return first
	}
	for _, g := range r.known[1:] {
		if g.worked {
			return g
		}
	}
	return first
}

// note remembers how the use of g ended.
func (r *rotation[T]) note(g *generation[T], o outcome) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	g.trying = false
	at := slices.Index(r.known, g)
	switch {
	case at < 0: // it was dropped meanwhile
	case o == worked:
		if !g.worked && at < len(r.known)-1 {
			r.log.Info("credential rotated", "issuer", r.issuer, "what", r.what)
		}
		g.worked, g.refusals = true, 0
		for _, older := range r.known[at+1:] {
			if older.retired.IsZero() {
				older.retired = now
				r.dropped(older)
			}
		}
		r.forget(now)
	case o == refused && !g.worked:
		g.refusals++
		g.retryAt = now.Add(trials().After(g.refusals))
		if g.refusals == 1 && len(r.known) > 1 {
			r.log.Warn("new credential refused, the former one is used", "issuer", r.issuer, "what", r.what)
		}
	case (o == refused || o == broken) && g.worked && now.Sub(g.waitedFor) > impatience:
		g.waitedFor = now
	}
}

// awaited is a content that is not among tried, or nil. It looks at the files again; and when what has worked until now is
// refused, the server was changed before the file was, and it waits a moment for the file.
func (r *rotation[T]) awaited(ctx context.Context, tried []*generation[T], began, until time.Time) *generation[T] {
	since := time.Now()
	for r.files.Any() {
		r.lookSince(since)
		if g := r.untried(tried); g != nil {
			return g
		}
		if !r.worthWaiting(tried, began, until) || !fetch.Sleep(ctx, pollEvery) {
			return nil
		}
		since = time.Now().Add(-pollEvery / 2)
	}
	return nil
}

// lookSince looks at the files unless somebody has since a time.
func (r *rotation[T]) lookSince(since time.Time) {
	r.reading.Lock()
	defer r.reading.Unlock()
	if !r.lookedAt.After(since) {
		r.files.Reread()
		r.look()
	}
}

// newest is what the files hold now, whether it works or not.
func (r *rotation[T]) newest() T {
	r.lookSince(time.Now())
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[0].value
}

func (r *rotation[T]) untried(tried []*generation[T]) *generation[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.known {
		if !slices.Contains(tried, g) {
			return g
		}
	}
	return nil
}

// worthWaiting reports whether a request that began at a time had better wait: until its own time is up, when it began
// before or soon after something that worked was refused. It may be told of that late, by a connection that took long.
func (r *rotation[T]) worthWaiting(tried []*generation[T], began, until time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Before(until) && slices.ContainsFunc(tried, func(g *generation[T]) bool { return g.worked && began.Sub(g.waitedFor) < r.wait })
}

// look takes a change of the files as the newest content. It is called with reading held. Content that cannot be used may
// be half written: the log says so once, and it is read again at the next look.
func (r *rotation[T]) look() {
	r.lookedAt = time.Now()
	v, changed, err := r.files.Look()
	if err != nil {
		r.log.Warn("changed credential cannot be used, the former one is kept", "issuer", r.issuer, "what", r.what, "cause", err)
	}
	if !changed {
		return
	}
	r.log.Info("credential changed, it will be tried", "issuer", r.issuer, "what", r.what)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = slices.Insert(r.known, 0, &generation[T]{value: v})
	r.forget(time.Now())
}

// forget drops what is no longer needed: what was replaced, when its grace is over, and what is too much. Called with mu held.
func (r *rotation[T]) forget(now time.Time) {
	for i := len(r.known) - 1; i > 0; i-- {
		if g := r.known[i]; !g.retired.IsZero() && now.Sub(g.retired) >= r.grace {
			r.remove(i)
		}
	}
	for len(r.known) > generations {
		at := len(r.known) - 1
		for i := at; i > 0; i-- {
			if g := r.known[i]; !g.worked && !g.trying {
				at = i
				break
			}
		}
		r.remove(at)
	}
}

func (r *rotation[T]) remove(i int) {
	g := r.known[i]
	r.known = slices.Delete(r.known, i, i+1)
	r.dropped(g)
}

func (r *rotation[T]) dropped(g *generation[T]) {
	if r.drop != nil {
		r.drop(g.value)
	}
}
