package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/bundle/signature"
	"github.com/authz-sidecar/sidecar/internal/fetch"
)

// answer is what a question to the place of a source brought.
type answer struct {
	// raw is the archive as it came; nil when nothing has changed since the answer of the last tag.
	raw []byte
	// read is the bundle when it did not come as an archive, but as a folder.
	read *archive.Archive
	// tag is what the place knows this version by: an ETag, a digest. It is empty when the place gives none.
	tag string
	// waits is set when the server takes part in long polling.
	waits bool
}

// place is where archives come from.
type place interface {
	// ask returns the newest version, or that it still is the one of a tag, which may be empty. wait is how long the
	// place may wait for a change. The error is an *authz.Error, or bundle.Problems.
	ask(ctx context.Context, tag string, wait time.Duration) (answer, error)
	close()
}

// source is one configured source. Its last good archive is what package dir reads.
type source struct {
	cfg     Config
	deps    Deps
	place   place
	keys    *signature.Keys // nil when signatures are not looked at
	store   *store          // nil when nothing is persisted
	changed func()          // tells that held is another one
	news    fetch.Repeats   // of questions
	written fetch.Repeats   // of the store
	counts  *counts

	mu sync.Mutex // guards what follows
	// held is the newest archive that was good; nil before the first.
	held *version
	// active is the version whose policies decide, and before the one that was held before; nil before the first.
	active, before *version
	// confirmed is when the place last said that held is its newest version.
	confirmed       time.Time
	asked, answered time.Time
	failures        int // since the last good answer
	failure         error
	failedAt        time.Time
	failingSince    time.Time
	note            string // what cannot be told about the order of revisions
	stale           bool   // that was reported
	waits           bool
}

func newSource(cfg Config, deps Deps, changed func()) (*source, error) {
	s := &source{cfg: cfg, deps: deps, changed: changed, counts: newCounts(deps.Metrics, cfg.Name)}
	var err error
	if s.place, err = newPlace(cfg, deps); err != nil {
		return nil, err
	}
	if len(cfg.Signature.Keys) > 0 {
		if s.keys, err = signature.Open(cfg.Signature); err != nil {
			s.place.close()
			return nil, fmt.Errorf("set up source %q: %w", cfg.Name, err)
		}
	}
	if cfg.Persist != "" {
		s.store = newStore(cfg)
	}
	s.gauges(deps.Metrics)
	return s, nil
}

func newPlace(cfg Config, deps Deps) (place, error) {
	switch cfg.kind() {
	case kindFile:
		return &files{cfg: cfg, settle: deps.Settle}, nil
	case kindRegistry:
		return newRegistry(cfg, deps.Log)
	}
	return newServer(cfg, deps.Log)
}

// first gets the first archive: what is persisted, else what the place has, with attempts until ctx ends.
func (s *source) first(ctx context.Context) {
	if s.store != nil && s.fromStore() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.StartTimeout)
	defer cancel()
	retries := fetch.Backoff{First: 250 * time.Millisecond, Last: 5 * time.Second}
	for n := 1; ; n++ {
		if s.ask(ctx, 0) == nil || s.deps.Once || s.cfg.kind() == kindFile || !fetch.Sleep(ctx, retries.After(n)) {
			return
		}
	}
}

// fromStore takes the persisted archive, and reports whether it is good.
func (s *source) fromStore() bool {
	raw, at, err := s.store.read(s.cfg.MaxBytes)
	if err == nil && raw == nil {
		return false
	}
	var v *version
	if err == nil {
		v, err = s.version(answer{raw: raw})
	}
	if err != nil {
		s.deps.Log.Warn("the persisted archive of a policy source is not used", "source", s.cfg.Name,
			"file", s.store.file, "problem", oneLine(err))
		return false
	}
	v.isStored, v.raw = true, nil
	if now := time.Now(); at.After(now) { // written by a clock that was ahead: the archive would stay fresh too long
		at = now
	}
	s.mu.Lock()
	s.held, s.active, s.confirmed = v, v, at
	s.mu.Unlock()
	s.deps.Log.Info("policy source starts with its persisted archive", s.about(v)...)
	return true
}

// failed is why there is no archive.
func (s *source) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		return bundle.Problems{{File: s.cfg.Name, Code: codeDownload, Message: "no answer in time"}}
	}
	return s.failure
}

// codeDownload is the code of problems with getting an archive.
const codeDownload = "download_error"

// run asks the place until ctx ends.
func (s *source) run(ctx context.Context) {
	if s.cfg.kind() == kindFile {
		s.watch(ctx)
		return
	}
	for fetch.Sleep(ctx, s.pause()) {
		began := time.Now()
		wait := s.wait()
		before := s.newest()
		_ = s.ask(ctx, wait)
		if wait > 0 && time.Since(began) < time.Second && s.newest() == before && !fetch.Sleep(ctx, s.usualPause()) {
			return // a server that does not wait, though it says so, is not asked without end
		}
	}
}

func (s *source) newest() *version {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

// wait is for how long the next question waits for a change.
func (s *source) wait() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil || !s.waits {
		return 0
	}
	return s.cfg.Poll.Wait
}

// pause is the time until the next question.
func (s *source) pause() time.Duration {
	s.mu.Lock()
	failures, waits, asked := s.failures, s.waits && s.cfg.Poll.Wait > 0, s.asked
	s.mu.Unlock()
	switch {
	case failures > 0:
		b := fetch.Backoff{First: min(time.Second, s.cfg.Poll.Min), Last: s.cfg.Poll.Max}
		d := b.After(failures)
		return d/2 + fetch.Jitter(d/2)
	case asked.IsZero() || waits:
		return 0
	}
	return s.usualPause()
}

func (s *source) usualPause() time.Duration {
	return s.cfg.Poll.Min + fetch.Jitter(s.cfg.Poll.Max-s.cfg.Poll.Min)
}

// ask asks the place once, and takes what it answers when that is good. Whatever is wrong is recorded.
func (s *source) ask(parent context.Context, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(parent, s.cfg.Timeout+wait)
	defer cancel()
	s.mu.Lock()
	tag := ""
	if s.held != nil {
		tag = s.held.tag
	}
	s.asked = time.Now()
	s.mu.Unlock()
	a, err := s.place.ask(ctx, tag, wait)
	if err == nil && a.raw == nil && a.read == nil {
		if err = s.stillSigned(); err == nil {
			s.confirm(a)
			return nil
		}
	}
	var v *version
	if err == nil {
		if v, err = s.version(a); err == nil {
			err = s.downgrade(v)
		}
	}
	if err != nil {
		if !s.saysNothing(parent) {
			s.fail(err)
		}
		return err
	}
	s.take(v, a)
	return nil
}

// saysNothing reports whether a question failed because its asker ended it: by a stop, or by the end of the time for a
// start, in which an earlier answer tells more.
func (s *source) saysNothing(asker context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Is(asker.Err(), context.Canceled) || asker.Err() != nil && s.failure != nil
}

// confirm records that the place still has the version that is held.
func (s *source) confirm(a answer) {
	s.counts.answers.Inc(answerUnchanged)
	s.succeed(a, nil)
	s.mu.Lock()
	isStored, isActive := s.held.isStored, s.held == s.active
	s.mu.Unlock()
	switch {
	case isStored:
		s.store.confirm(time.Now())
	case isActive:
		s.persist(s.newest()) // again, where that failed
	}
}

// take holds a version from now on.
func (s *source) take(v *version, a answer) {
	same := s.succeed(a, v)
	if same {
		s.counts.answers.Inc(answerUnchanged)
		return
	}
	s.counts.answers.Inc(answerNew)
	s.deps.Log.Info("policy source has a new archive", s.about(v)...)
	if s.isActive(v) {
		s.persist(v)
		return
	}
	s.changed()
}

// succeed records a good answer, with the version that came, if one did. It reports whether that is the one that is
// held already.
func (s *source) succeed(a answer, v *version) (same bool) {
	s.mu.Lock()
	recovered := s.failure != nil
	s.failures, s.failure, s.failedAt, s.failingSince = 0, nil, time.Time{}, time.Time{}
	now := time.Now()
	s.answered, s.confirmed, s.waits = now, now, a.waits
	if v != nil {
		same = s.held != nil && s.held.Digest == v.Digest && bytes.Equal(s.held.Signatures, v.Signatures)
		if same {
			s.held.tag = v.tag
		} else {
			if s.active != nil && s.active.says(v) {
				s.active = v // the set that decides is that of v too
			}
			s.before, s.held = s.held, v
		}
	}
	s.mu.Unlock()
	s.news.IsNews(nil)
	if recovered {
		s.deps.Log.Info("policy source is good again", "source", s.cfg.Name)
	}
	return same
}

// fail records a failure. What is held stays.
func (s *source) fail(err error) {
	s.counts.answers.Inc(answerOf(err))
	now := time.Now()
	s.mu.Lock()
	s.failures++
	if s.failures == 1 {
		s.failingSince = now
	}
	s.failure, s.failedAt = problemsOf(s.cfg.Name, err), now
	if !unavailable(err) {
		s.answered = now
	}
	problem, held := s.failure, s.held
	s.mu.Unlock()
	if !s.news.IsNews(problem) {
		return
	}
	args := []any{"source", s.cfg.Name, "problem", oneLine(problem)}
	if held == nil {
		s.deps.Log.Warn("policy source has no archive yet", args...)
		return
	}
	s.deps.Log.Error("policy source is refused or does not answer; its last good archive stays",
		append(args, "held_digest", held.Digest, "held_revision", held.order.revision)...)
}

// problemsOf is an error as problems of a source.
func problemsOf(name string, err error) bundle.Problems {
	if ps, ok := errors.AsType[bundle.Problems](err); ok {
		return ps
	}
	return bundle.Problems{{File: name, Code: codeDownload, Message: err.Error()}}
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
