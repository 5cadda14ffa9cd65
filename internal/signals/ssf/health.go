package ssf

import (
	"context"
	"time"

	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/signals"
)

// States of a stream.
const (
	stateUp        = "up"
	stateDown      = "down"
	stateUnwatched = "unwatched" // silence means nothing
)

// watchEvery is how often the time since the last event is looked at.
const watchEvery = time.Second

// recordOK records that the stream works: all that came is in force (EV-2).
func (s *Stream) recordOK() {
	s.mu.Lock()
	s.lastOK, s.problem = time.Now(), ""
	s.mu.Unlock()
	s.updateState()
}

// recordError counts a failure. The stream is down only after a silence of down_after.
func (s *Stream) recordError(err error) {
	s.recorder.CountError()
	s.setProblem(err)
}

// setProblem records why the stream does not work.
func (s *Stream) setProblem(err error) {
	s.mu.Lock()
	again := s.problem == err.Error()
	s.problem = err.Error()
	s.mu.Unlock()
	if !again {
		s.log.Warn("stream of events does not work", "cause", err)
	}
}

func (s *Stream) setStatus(status string) {
	s.mu.Lock()
	changed := s.status != status
	s.status = status
	s.mu.Unlock()
	if changed {
		s.log.Info("transmitter tells the status of the stream", "status", status)
	}
	s.updateState()
}

// watch updates the state as time passes, until ctx ends.
func (s *Stream) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		s.updateState()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// updateState sets whether the stream is up. While it is down, no signal would end a token, so answers about tokens
// are used for a short time only. A stream starts as down.
func (s *Stream) updateState() {
	s.mu.Lock()
	was, is := s.state, s.stateNow()
	s.state = is
	if was != is { // within the lock, so that the last of two changes counts
		lifetime := time.Duration(0)
		if is == stateDown {
			lifetime = s.cfg.DownTTL
		}
		s.limiter.CapTTL(s.issuer, lifetime)
	}
	last := s.lastOK
	s.mu.Unlock()
	switch {
	case was == is:
	case is == stateDown && was == stateUp:
		s.log.Warn("stream of events is down: answers are used for a short time only",
			"lifetime", s.cfg.DownTTL, "last_ok", last)
	default:
		s.log.Info("stream of events", "state", is)
	}
}

func (s *Stream) stateNow() string {
	switch {
	case s.status == "paused" || s.status == "disabled":
		return stateDown
	case s.cfg.Delivery == deliveryPush && (!s.cfg.managed() || s.cfg.VerifyEvery == 0):
		return stateUnwatched
	case s.lastOK.IsZero() || time.Since(s.lastOK) > s.cfg.DownAfter:
		return stateDown
	}
	return stateUp
}

// register shows the state of the stream as metrics.
func (s *Stream) register(r metrics.Registerer) {
	metrics.NewGaugeFunc(r, "sidecar_events_stream_up",
		"1 while the event stream works or is not watched; 0 while it is down.", func() float64 {
			if s.Status().State == stateDown {
				return 0
			}
			return 1
		})
	metrics.NewGaugeFunc(r, "sidecar_events_stream_last_ok_timestamp_seconds",
		"Time when the event stream last worked, in seconds since the epoch; 0 for never.", func() float64 {
			return metrics.Seconds(s.Status().LastOK)
		})
}

// Status returns the state of the stream.
func (s *Stream) Status() signals.Status {
	st := s.recorder.Status()
	s.mu.Lock()
	defer s.mu.Unlock()
	st.State, st.LastOK, st.Verified = s.stateNow(), s.lastOK, s.verified
	st.StreamStatus, st.Problem = s.status, s.problem
	if s.config != nil {
		st.StreamID = s.config.ID
	}
	return st
}
