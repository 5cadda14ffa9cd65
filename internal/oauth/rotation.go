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
	lookEvery     = time.Second           // between looks at the files while requests succeed
	filePollEvery = 20 * time.Millisecond // between looks while a request waits for a file
	// how long a request waits for a new file after a value that worked is refused
	fileWait         = time.Second
	fileWaitCooldown = time.Minute // how long after such a wait no request waits again
	maxGenerations   = 4
)

// retryBackoff is the pause between trials of a value that was refused.
func retryBackoff() fetch.Backoff { return fetch.Backoff{First: time.Second, Last: time.Minute} }

// outcome is what one use of a value says about it.
type outcome uint8

const (
	unknown outcome = iota // nothing: the server failed, or did not check the value
	worked
	refused
	broken // the connection broke off, which some servers do instead of refusing
)

// rotation is a value that is read from files and can change there at any time: a secret, a key, a certificate, a set
// of authorities. The newest value is tried; the one that worked before stays in use until the newest works. A change
// may reach the file first or the server first: a request that is refused tries the other value, and reads the files
// again.
type rotation[T any] struct {
	what   string // for the log
	issuer string
	log    *slog.Logger
	parts  []keyfile.Part
	parse  func([]secret.Text) (T, error)
	// grace is how long the former value is still tried after the newest worked: the nodes of a server learn of a
	// change one after the other.
	grace time.Duration
	// wait is how long a request waits for a new file after a value that worked is refused.
	wait time.Duration
	drop func(T) // is called, perhaps twice, with a value that is no longer the first choice; may be nil

	reading  sync.Mutex // guards what follows, and is held while files are read
	lookedAt time.Time
	files    *keyfile.Files[T]

	mu       sync.Mutex // guards what follows, and each generation
	nextLook time.Time
	// unusable is why the content of the files, since a time, is no value; empty when it is one.
	unusable      string
	unusableSince time.Time
	generations   []*generation[T] // newest first, never empty
}

// generation is the value of one content of the files.
type generation[T any] struct {
	value        T
	worked       bool
	trying       bool      // a request tries whether it works
	refusals     int       // since it last worked
	refusedSince time.Time // of the first of them
	retryAt      time.Time // of the next trial
	waitBegan    time.Time // when requests began to wait for the next generation
	retired      time.Time // when a newer one worked; zero when none has
}

// open reads the files for the first time.
func (r *rotation[T]) open() error {
	r.lookedAt = time.Now()
	files, v, err := keyfile.Open(r.parse, r.parts...)
	r.files, r.generations = files, []*generation[T]{{value: v}}
	r.nextLook = r.lookedAt.Add(lookEvery)
	return err
}

// use calls once with the best value, and when that is refused, with each other one that may be right, until one is
// not refused. It calls once at least one time.
func (r *rotation[T]) use(ctx context.Context, once func(T) outcome) {
	began, g := time.Now(), r.choose()
	var until time.Time // when this request stops waiting
	var tried []*generation[T]
	for again := 2; g != nil; {
		o := once(g.value)
		r.record(g, o)
		if o != refused && o != broken {
			return
		}
		if tried = append(tried, g); until.IsZero() {
			until = time.Now().Add(r.wait)
		}
		g = r.untried(tried)
		// When a value that worked is refused now, the server may have changed after it refused the new one. That one
		// is tried a second time at once, and a third time a moment later: replies are not always read in the order in
		// which they were sent.
		if g == nil && again > 0 && r.mayWait(tried, began, until) && (again == 2 || fetch.Sleep(ctx, filePollEvery)) {
			again--
			tried = tried[len(tried)-1:]
			g = r.untried(tried)
		}
		if g == nil {
			g = r.waitForNew(ctx, tried, began, until)
		}
	}
}

// choose returns the generation to try first. Only one request at a time tries a generation that has not worked yet.
func (r *rotation[T]) choose() *generation[T] {
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
	r.prune(now)
	first := r.generations[0]
	if first.worked || len(r.generations) == 1 {
		return first
	}
	if !first.trying && !now.Before(first.retryAt) {
		first.trying = true
		return first
	}
	for _, g := range r.generations[1:] {
		if g.worked {
			return g
		}
	}
	return first
}

// record keeps how a use of g ended.
func (r *rotation[T]) record(g *generation[T], o outcome) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	g.trying = false
	at := slices.Index(r.generations, g)
	switch {
	case at < 0: // it was removed meanwhile
	case o == worked:
		if !g.worked && at < len(r.generations)-1 {
			r.log.Info("credential rotated", "issuer", r.issuer, "what", r.what)
		}
		g.worked, g.refusals = true, 0
		for _, older := range r.generations[at+1:] {
			if older.retired.IsZero() {
				older.retired = now
				r.dropped(older)
			}
		}
		r.prune(now)
	case o == refused && !g.worked:
		if g.refusals++; g.refusals == 1 {
			g.refusedSince = now
		}
		g.retryAt = now.Add(retryBackoff().After(g.refusals))
		if g.refusals == 1 && len(r.generations) > 1 {
			r.log.Warn("new credential refused, the former one is used", "issuer", r.issuer, "what", r.what)
		}
	case (o == refused || o == broken) && g.worked && now.Sub(g.waitBegan) > fileWaitCooldown:
		g.waitBegan = now
	}
}

// waitForNew returns a generation that is not among tried, or nil. It reads the files again. After the refusal of a
// value that worked, the server was changed before the file, and the file is waited for.
func (r *rotation[T]) waitForNew(ctx context.Context, tried []*generation[T], began, until time.Time) *generation[T] {
	since := time.Now()
	for r.files.Any() {
		r.lookSince(since)
		if g := r.untried(tried); g != nil {
			return g
		}
		if !r.mayWait(tried, began, until) || !fetch.Sleep(ctx, filePollEvery) {
			return nil
		}
		since = time.Now().Add(-filePollEvery / 2)
	}
	return nil
}

// mayWait reports whether a request that began at a time waits for a file: until its own time is up, and only when it
// began before or soon after a value that worked was refused. A slow connection can bring the news of that late.
func (r *rotation[T]) mayWait(tried []*generation[T], began, until time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	soon := func(g *generation[T]) bool { return g.worked && began.Sub(g.waitBegan) < r.wait }
	return time.Now().Before(until) && slices.ContainsFunc(tried, soon)
}

// lookSince reads the files unless they were read since a time.
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
	return r.generations[0].value
}

func (r *rotation[T]) untried(tried []*generation[T]) *generation[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.generations {
		if !slices.Contains(tried, g) {
			return g
		}
	}
	return nil
}

// look makes a change of the files the newest generation. It is called with reading held. Content that cannot be used
// may be half written: the log names it once, and it is read again at the next look.
func (r *rotation[T]) look() {
	r.lookedAt = time.Now()
	v, changed, err := r.files.Look()
	r.noteFault(r.files.Fault())
	if err != nil {
		r.log.Warn("changed credential cannot be used, the former one is kept", "issuer", r.issuer, "what", r.what,
			"cause", err)
	}
	if !changed {
		return
	}
	r.log.Info("credential changed, it will be tried", "issuer", r.issuer, "what", r.what)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.generations = slices.Insert(r.generations, 0, &generation[T]{value: v})
	r.prune(time.Now())
}

// noteFault keeps why the files hold no value, for the status.
func (r *rotation[T]) noteFault(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if why != "" && r.unusable == "" {
		r.unusableSince = time.Now()
	}
	r.unusable = why
}

// prune removes the generations that were replaced, when their grace is over, and those beyond maxGenerations. It is
// called with mu held.
func (r *rotation[T]) prune(now time.Time) {
	for i := len(r.generations) - 1; i > 0; i-- {
		if g := r.generations[i]; !g.retired.IsZero() && now.Sub(g.retired) >= r.grace {
			r.remove(i)
		}
	}
	for len(r.generations) > maxGenerations {
		at := len(r.generations) - 1
		for i := at; i > 0; i-- {
			if g := r.generations[i]; !g.worked && !g.trying {
				at = i
				break
			}
		}
		r.remove(at)
	}
}

func (r *rotation[T]) remove(i int) {
	g := r.generations[i]
	r.generations = slices.Delete(r.generations, i, i+1)
	r.dropped(g)
}

func (r *rotation[T]) dropped(g *generation[T]) {
	if r.drop != nil {
		r.drop(g.value)
	}
}
