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
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/metrics"
)

// The codes of problems with compiling that is not done in time.
const (
	codeCompileTimeout = "compile_timeout"
	codeCompileBusy    = "compile_busy"
)

// maxCompilations is how many may run at once. One that does not end cannot be stopped, and takes a processor and memory
// for as long as the process lives.
const maxCompilations = 4

// Load reads and compiles the policies that cfg names. It is the one way policies get into the sidecar: at its start,
// at each change, and in "sidecar check". It ends with ctx, and when compiling takes longer than is configured.
func Load(ctx context.Context, cfg *config.Config) (*bundle.Set, *engine.Policy, error) {
	type read struct {
		set *bundle.Set
		err error
	}
	reads := make(chan read, 1)
	go func() {
		set, err := dir.Load(cfg.Policies)
		reads <- read{set, err}
	}()
	var r read
	select {
	case r = <-reads:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	if r.err != nil {
		return nil, nil, diagnosed(ctx, cfg, r.err, func() {})
	}
	compiled := make(chan *compilation, 1)
	compileAside(cfg, r.set, compiled)
	timeout := time.NewTimer(cfg.Engine.CompileTimeout)
	defer timeout.Stop()
	select {
	case c := <-compiled:
		return r.set, c.policy, c.err
	case <-timeout.C:
		return nil, nil, tooSlow(r.set, cfg.Engine.CompileTimeout)
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
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
// stopped nor bounded, and takes exponential time for some policies (OPA issue 9088). ended must have room.
func compileAside(cfg *config.Config, set *bundle.Set, ended chan<- *compilation) *compilation {
	c := &compilation{set: set, begun: time.Now()}
	go func() {
		c.policy, c.err = compile(context.Background(), set, cfg)
		ended <- c
	}()
	return c
}

// compile makes the policy of set.
func compile(ctx context.Context, set *bundle.Set, cfg *config.Config) (*engine.Policy, error) {
	return engine.Compile(ctx, set, bounds(cfg), cfg.Decision.Entrypoint)
}

// bounds are those of the policies of cfg. What their metadata asks of tokens its issuers can do.
func bounds(cfg *config.Config) engine.Config {
	bounds := cfg.Engine
	bounds.TokenModes = introspect.ModesOf(cfg.Issuers)
	bounds.Headers = append([]string{}, cfg.Input.Headers...) // none is not nil
	bounds.AnonymousRequests = cfg.Decision.Token == "optional"
	return bounds
}

func tooSlow(set *bundle.Set, timeout time.Duration) bundle.Problems {
	return bundle.Problems{{File: set.Bundles[0].Name, Code: codeCompileTimeout,
		Message: fmt.Sprintf("the policies are not compiled after %s (engine.compile_timeout): comprehensions nested in comprehensions take the compiler exponential time", timeout)}}
}

// loader compiles what is on disk. Only the newest set counts: one that is still being compiled when another comes is left
// to itself. What is compiled too late is used all the same, when it still is what is on disk.
type loader struct {
	app     *App
	compile func(set *bundle.Set, ended chan<- *compilation) *compilation
	updates chan update
	ended   chan *compilation
	timer   *time.Timer // until the wanted set is late

	wanted *bundle.Set // to be activated once it is compiled; nil when there is none
	late   bool        // that was said

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
	compile := func(set *bundle.Set, ended chan<- *compilation) *compilation { return compileAside(a.cfg, set, ended) }
	l := &loader{app: a, compile: compile, updates: make(chan update), ended: make(chan *compilation, maxCompilations), timer: time.NewTimer(time.Hour), running: map[string]*compilation{}}
	l.timer.Stop()
	metrics.NewGaugeFunc(a.metrics.Registerer(), "sidecar_app_late_compilations",
		"Compilations of policies that run for longer than engine.compile_timeout.", l.countLate)
	return l
}

// reports hands over what a watcher tells, until ctx ends.
func (l *loader) reports(ctx context.Context) dir.Reports {
	return dir.Reports{
		Changed: func(set *bundle.Set, err error) {
			if err != nil && l.diagnosing.CompareAndSwap(false, true) { // else a compiler that does not end is busy with an earlier set
				err = diagnosed(ctx, l.app.cfg, err, func() { l.diagnosing.Store(false) })
			}
			select {
			case l.updates <- update{set, err}:
			case <-ctx.Done():
			}
		},
		Waiting: l.app.waiting,
	}
}

// run loads what it is told of until ctx ends. It does not wait for the compiler.
func (l *loader) run(ctx context.Context) {
	defer l.timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case u := <-l.updates:
			l.take(u)
		case c := <-l.ended:
			l.end(c)
		case <-l.timer.C:
			l.say()
		}
	}
}

func (l *loader) take(u update) {
	l.wanted, l.late = u.set, false
	l.timer.Stop()
	if u.err != nil {
		l.app.loadFailed(u.err)
		return
	}
	l.timer.Reset(l.begin())
}

// begin compiles the wanted set, unless that is under way or there is no room. It returns the time until the set is late.
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

// end takes what was compiled, if it still is what is wanted.
func (l *loader) end(c *compilation) {
	l.mu.Lock()
	delete(l.running, c.set.Digest)
	l.mu.Unlock()
	switch {
	case l.wanted == nil:
	case l.wanted.Digest != c.set.Digest:
		if left := l.begin(); !l.late {
			l.timer.Reset(left)
		}
	case c.err != nil:
		l.wanted = nil
		l.timer.Stop()
		l.app.loadFailed(c.err)
	default:
		l.timer.Stop()
		set := l.wanted
		l.wanted = nil
		l.app.activate(set, c.policy)
	}
}

// say says that the wanted set is late.
func (l *loader) say() {
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
	l.app.loadFailed(bundle.Problems{{File: l.wanted.Bundles[0].Name, Code: codeCompileBusy,
		Message: fmt.Sprintf("the policies are not compiled: %d earlier versions still are, and cannot be stopped; restart the sidecar", maxCompilations)}})
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
