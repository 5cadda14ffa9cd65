package source

import (
	"errors"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// counts are the metrics of one source.
type counts struct {
	answers *metrics.Counters
}

// The outcomes of a question to the place of a source.
const (
	answerNew       = "new"
	answerUnchanged = "unchanged"
	answerRefused   = "refused"
	answerNone      = "unavailable"
)

func newCounts(r metrics.Registerer, name string) *counts {
	if r != nil {
		r = metrics.With(r, "source", name)
	}
	return &counts{answers: metrics.NewCounters(r, "sidecar_source_answers_total",
		"Questions for a newer archive of a policy source, by outcome: refused is an archive that came and is not "+
			"good.",
		"outcome", answerNew, answerUnchanged, answerRefused, answerNone)}
}

// answerOf is the outcome of a question that failed.
func answerOf(err error) string {
	if _, ok := errors.AsType[bundle.Problems](err); ok {
		return answerRefused
	}
	return answerNone
}

// gauges shows the state of a source.
func (s *source) gauges(r metrics.Registerer) {
	if r != nil {
		r = metrics.With(r, "source", s.cfg.Name)
	}
	locked := func(value func() float64) func() float64 {
		return func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return value()
		}
	}
	metrics.NewGaugeFunc(r, "sidecar_source_failing",
		"1 while the newest question of a policy source brought no good archive.",
		locked(func() float64 { return number01(s.failure != nil) }))
	metrics.NewGaugeFunc(r, "sidecar_source_stale",
		"1 while the archive of a policy source was not confirmed for longer than its max_age.",
		locked(func() float64 { return number01(s.isStale(time.Now())) }))
	metrics.NewGaugeFunc(r, "sidecar_source_confirmed_timestamp_seconds",
		"Time when the server last confirmed the archive of a policy source, in seconds since the epoch.",
		locked(func() float64 {
			if s.confirmed.IsZero() {
				return 0
			}
			return metrics.Seconds(s.confirmed)
		}))
}

func number01(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// isStale reports whether the archive was not confirmed for longer than is configured. It is called with mu held.
func (s *source) isStale(now time.Time) bool {
	return s.cfg.MaxAge > 0 && s.held != nil && now.Sub(s.confirmed) > s.cfg.MaxAge
}

// Stale says what stale archives do now.
type Stale struct {
	// Unready and Deny name the first source whose stale archive does that; empty when none does.
	Unready, Deny string
}

// Stale reports what stale archives do, and logs when an archive becomes stale and when it is confirmed again.
func (s *Sources) Stale(now time.Time) Stale {
	var all Stale
	for _, one := range s.all {
		if !one.lookStale(now) {
			continue
		}
		switch {
		case one.cfg.WhenStale == "unready" && all.Unready == "":
			all.Unready = one.cfg.Name
		case one.cfg.WhenStale == "deny" && all.Deny == "":
			all.Deny = one.cfg.Name
		}
	}
	return all
}

func (s *source) lookStale(now time.Time) bool {
	s.mu.Lock()
	is, was, confirmed := s.isStale(now), s.stale, s.confirmed
	s.stale = is
	s.mu.Unlock()
	switch {
	case is && !was:
		s.deps.Log.Error("policy source is stale", "source", s.cfg.Name, "confirmed", confirmed.UTC(),
			"max_age", s.cfg.MaxAge, "when_stale", s.cfg.WhenStale)
	case was && !is:
		s.deps.Log.Info("policy source is no longer stale", "source", s.cfg.Name)
	}
	return is
}

// Status is the state of each source, in the order of the configuration.
func (s *Sources) Status() []status.Source {
	var out []status.Source
	for _, one := range s.all {
		out = append(out, one.status(time.Now()))
	}
	return out
}

func (s *source) status(now time.Time) status.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := status.Source{
		Name: s.cfg.Name, Kind: string(s.cfg.kind()), Healthy: s.failure == nil && !s.isStale(now),
		LastAsked: s.asked, LastAnswered: s.answered, Confirmed: s.confirmed, Stale: s.isStale(now),
		FailingSince: s.failingSince, Note: s.note, LongPolling: s.waits,
	}
	if v := s.held; v != nil {
		out.Revision, out.Digest, out.Persisted = v.order.revision, v.Digest, v.isStored
		if s.cfg.kind() != kindFile {
			out.ETag = v.tag
		}
		if s.cfg.kind() == kindHTTP && v.tag == "" && out.Note == "" {
			out.Note = "the server sends no ETag: each poll transfers the whole archive"
		}
		out.Signers, out.Reviewed = v.Signed.Signers, v.Signed.Reviewed
		out.Active = s.active == v
	}
	if ps, ok := errors.AsType[bundle.Problems](s.failure); ok {
		for _, p := range ps {
			out.Errors = append(out.Errors, status.Problem{File: p.File, Row: p.Row, Col: p.Col, Code: p.Code,
				Message: p.Message, Text: p.String()})
		}
	}
	return out
}

// unavailable reports whether an error is that of a server that cannot be reached or has no archive.
func unavailable(err error) bool {
	e, ok := errors.AsType[*authz.Error](err)
	return ok && e.Kind == authz.Unavailable
}
