package app

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/gate/stage"
	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// The codes of problems with a compilation that does not end in time.
const (
	codeCompileTimeout = "compile_timeout"
	codeCompileBusy    = "compile_busy"
)

// maxCompilations is how many may run at once. One that does not end cannot be stopped, and takes a processor and
// memory for as long as the process lives.
const maxCompilations = 4

// Load reads and compiles the policies that cfg names. It is the one way policies get into the sidecar, at its start
// and in commands; a reload takes the same steps, see loader. Gates are asked afterwards, by a start and a reload. It
// ends with ctx, and when compiling takes longer than is configured.
func Load(ctx context.Context, cfg *config.Config) (*bundle.Set, *engine.Policy, error) {
	own := *cfg
	if err := Resolve(ctx, &own); err != nil {
		return nil, nil, err
	}
	loaded, err := load(ctx, &own)
	return loaded.Set, loaded.Policy, err
}

func load(ctx context.Context, cfg *config.Config) (stage.Policies, error) {
	set, err := read(ctx, cfg)
	if err != nil {
		return stage.Policies{}, err
	}
	compiled := make(chan *compilation, 1)
	compileAside(cfg, set, compiled, startGoroutine)
	timeout := time.NewTimer(cfg.Engine.CompileTimeout)
	defer timeout.Stop()
	var c *compilation
	select {
	case c = <-compiled:
	case <-timeout.C:
		return stage.Policies{}, tooSlow(set, cfg.Engine.CompileTimeout)
	case <-ctx.Done():
		return stage.Policies{}, context.Cause(ctx)
	}
	if c.err != nil {
		return stage.Policies{}, c.err
	}
	return stage.Policies{Set: set, Policy: c.policy}, nil
}

// read reads the files that cfg names.
func read(ctx context.Context, cfg *config.Config) (*bundle.Set, error) {
	type outcome struct {
		set *bundle.Set
		err error
	}
	outcomes := make(chan outcome, 1)
	go func() {
		set, err := dir.Load(cfg.Policies.Config)
		outcomes <- outcome{set, err}
	}()
	select {
	case o := <-outcomes:
		if o.err != nil {
			return nil, diagnosed(ctx, cfg, o.err, func() {})
		}
		return o.set, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// compilation is one run of the compiler.
type compilation struct {
	set    *bundle.Set
	begun  time.Time
	policy *engine.Policy
	err    error
}

// compileAside compiles set in a goroutine of its own, which ends when the compiler does: the compiler can neither be
// stopped nor bounded, and takes exponential time for some policies (OPA issue 9088). start starts it. ended must have
// room.
func compileAside(
	cfg *config.Config, set *bundle.Set, ended chan<- *compilation, start func(func()),
) *compilation {
	c := &compilation{set: set, begun: time.Now()}
	start(func() {
		c.policy, c.err = engine.Compile(context.Background(), set, cfg.EngineConfig(), cfg.Decision.Entrypoint)
		ended <- c
	})
	return c
}

func startGoroutine(work func()) { go work() }

func tooSlow(set *bundle.Set, timeout time.Duration) bundle.Problems {
	return bundle.Problems{{File: set.Bundles[0].Name, Code: codeCompileTimeout, Message: fmt.Sprintf(
		"the policies are not compiled after %s (engine.compile_timeout): comprehensions nested in comprehensions "+
			"take the compiler exponential time", timeout)}}
}

// loader takes the sets that a watcher read through the further steps of a reload: compile, gate, swap. Only the
// newest set counts: the compilation of an older one runs on, and its result is dropped. A set that is compiled too
// late is used all the same, when it still is the newest. One that is likely is compiled early, and is used when it
// comes to be wanted.
type loader struct {
	app     *App
	compile func(set *bundle.Set, ended chan<- *compilation) *compilation
	updates chan update
	guesses chan *bundle.Set
	ended   chan *compilation
	timer   *time.Timer // until the wanted set is late
	gating  *gating

	wanted *bundle.Set // to be activated once it is compiled; nil when there is none
	late   bool        // that was reported

	likely *bundle.Set  // compiled before it is wanted; nil when there is none
	early  *compilation // that of likely, once it has ended

	diagnosing atomic.Bool

	mu      sync.Mutex
	running map[string]*compilation // by digest; read by the metrics
}

// update is an outcome of reading.
type update struct {
	set *bundle.Set
	err error
}

func newLoader(a *App) *loader {
	start := a.deps.Aside
	if start == nil {
		start = startGoroutine
	}
	l := &loader{
		app: a, updates: make(chan update), guesses: make(chan *bundle.Set),
		ended: make(chan *compilation, maxCompilations),
		timer: time.NewTimer(time.Hour), gating: newGating(a), running: map[string]*compilation{},
		compile: func(set *bundle.Set, ended chan<- *compilation) *compilation {
			return compileAside(a.cfg, set, ended, start)
		},
	}
	l.timer.Stop()
	metrics.NewGaugeFunc(a.metrics.Registerer(), "sidecar_app_late_compilations",
		"Policy compilations that are running for longer than engine.compile_timeout.", l.countLate)
	return l
}

// reports hands over what a watcher reports, until ctx ends.
func (l *loader) reports(ctx context.Context) dir.Reports {
	return dir.Reports{
		Changed: func(set *bundle.Set, err error) {
			// Where a compiler that does not end diagnoses an earlier set, the problems of the files are all there is.
			if err != nil && l.diagnosing.CompareAndSwap(false, true) {
				err = diagnosed(ctx, l.app.cfg, err, func() { l.diagnosing.Store(false) })
			}
			select {
			case l.updates <- update{set, err}:
			case <-ctx.Done():
			}
		},
		Waiting: l.app.waiting,
		Likely: func(set *bundle.Set) {
			select {
			case l.guesses <- set:
			case <-ctx.Done():
			}
		},
	}
}

// run handles updates until ctx ends. It waits neither for the compiler nor for gates.
func (l *loader) run(ctx context.Context) {
	defer l.timer.Stop()
	defer l.gating.end()
	for {
		select {
		case <-ctx.Done():
			return
		case u := <-l.updates:
			l.update(ctx, u)
		case set := <-l.guesses:
			l.anticipate(set)
		case c := <-l.ended:
			l.end(ctx, c)
		case <-l.timer.C:
			l.reportLate()
		case a := <-l.gating.answers:
			l.gating.answered(a)
		case <-l.gating.retry.C:
			l.gating.again(ctx)
		}
	}
}

// anticipate compiles a set that may be wanted next, where nothing else is compiled. nil ends that.
func (l *loader) anticipate(set *bundle.Set) {
	if serving := l.app.policy.set(); l.likely != nil && serving != nil {
		serving.Settle() // the set that did not come shares its data
	}
	l.likely, l.early = nil, nil
	if set == nil || l.wanted != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.running) == 0 {
		l.likely = set
		l.running[set.Digest] = l.compile(set, l.ended)
	}
}

func (l *loader) update(ctx context.Context, u update) {
	early := l.early
	l.likely, l.early = nil, nil
	l.wanted, l.late = u.set, false
	l.timer.Stop()
	l.gating.forget()
	if u.err != nil {
		l.app.loadFailed(u.err)
		return
	}
	if early != nil && early.set.Same(u.set) {
		l.end(ctx, early)
		return
	}
	l.timer.Reset(l.begin())
}

// begin compiles the wanted set, unless that is under way or too many compilations run. It returns the time until the
// set is late.
func (l *loader) begin() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	timeout := l.app.cfg.Engine.CompileTimeout
	c := l.running[l.wanted.Digest]
	switch {
	case c != nil:
		return max(time.Until(c.begun.Add(timeout)), 0)
	case len(l.running) < maxCompilations:
		l.running[l.wanted.Digest] = l.compile(l.wanted, l.ended)
	}
	return timeout
}

// end lets the gates see a set that was compiled, if it is still wanted.
func (l *loader) end(ctx context.Context, c *compilation) {
	l.mu.Lock()
	delete(l.running, c.set.Digest)
	l.mu.Unlock()
	switch {
	case l.wanted == nil:
		if l.likely == c.set {
			l.early = c
		}
	case !l.wanted.Same(c.set): // a policy names the signers of the set that it was compiled from
		if left := l.begin(); !l.late {
			l.timer.Reset(left)
		}
	case c.err != nil:
		l.wanted = nil
		l.timer.Stop()
		l.app.loadFailed(c.err)
	default:
		l.timer.Stop()
		next := stage.Policies{Set: l.wanted, Policy: c.policy}
		l.wanted = nil
		l.gating.begin(ctx, next)
	}
}

// reportLate reports that the wanted set is not compiled in time.
func (l *loader) reportLate() {
	if l.wanted == nil {
		return
	}
	l.late = true
	l.mu.Lock()
	_, begun := l.running[l.wanted.Digest]
	l.mu.Unlock()
	if begun {
		l.app.loadFailed(tooSlow(l.wanted, l.app.cfg.Engine.CompileTimeout))
		return
	}
	l.app.loadFailed(bundle.Problems{{File: l.wanted.Bundles[0].Name, Code: codeCompileBusy, Message: fmt.Sprintf(
		"the policies are not compiled: %d earlier versions still are, and cannot be stopped; restart the sidecar",
		maxCompilations)}})
}

// countLate is how many compilations run for longer than is configured.
func (l *loader) countLate() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, c := range l.running {
		if time.Since(c.begun) > l.app.cfg.Engine.CompileTimeout {
			n++
		}
	}
	return float64(n)
}
