package events

import (
	"context"
	"time"
)

// judgeEvery is how soon it is noticed that a stream went silent.
const judgeEvery = time.Second

// alive records that the stream works: what came is in force (EV-2).
func (s *stream) alive() {
	s.mu.Lock()
	s.lastOK, s.problem = time.Now(), ""
	s.mu.Unlock()
	s.judge()
}

// ails records why something did not work. Whether the stream is down shows in time.
func (s *stream) ails(err error) {
	s.sink.stumbled()
	s.sticks(err)
}

// sticks is ails for what is counted elsewhere.
func (s *stream) sticks(err error) {
	s.mu.Lock()
	again := s.problem == err.Error()
	s.problem = err.Error()
	s.mu.Unlock()
	if !again {
		s.log.Warn("stream of events does not work", "cause", err)
	}
}

func (s *stream) setStatus(status string) {
	s.mu.Lock()
	changed := s.status != status
	s.status = status
	s.mu.Unlock()
	if changed {
		s.log.Info("transmitter tells the status of the stream", "status", status)
	}
	s.judge()
}

// watch notices silence.
func (s *stream) watch(ctx context.Context) {
	tick := time.NewTicker(judgeEvery)
	defer tick.Stop()
	for {
		s.judge()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// judge decides whether the stream is up. While it is not, answers about tokens are used for a short time only: nobody
// would tell that they are over. A stream is not up before it has shown it.
func (s *stream) judge() {
	s.mu.Lock()
	was, is := s.state, s.stateNow()
	s.state = is
	if was != is { // under the lock, so that of two changes the last one counts
		lifetime := time.Duration(0)
		if is == stateDown {
			lifetime = s.cfg.DownTTL
		}
		s.limiter.Limit(s.name, lifetime)
	}
	last := s.lastOK
	s.mu.Unlock()
	switch {
	case was == is:
	case is == stateDown && was == stateUp:
		s.log.Warn("stream of events is down: answers are used for a short time only", "lifetime", s.cfg.DownTTL, "last_ok", last)
	default:
		s.log.Info("stream of events", "state", is)
	}
}

func (s *stream) stateNow() string {
	switch {
	case s.status == "paused" || s.status == "disabled":
		return stateDown
	case s.cfg.Delivery == deliveryPush && (!s.cfg.manage() || s.cfg.VerifyEvery == 0):
		return stateUnwatched // silence says nothing
	case s.lastOK.IsZero() || time.Since(s.lastOK) > s.cfg.DownAfter:
		return stateDown
	}
	return stateUp
}

// describe adds to st what only streams have.
func (s *stream) describe(st *Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.State, st.LastOK, st.Verified, st.StreamStatus, st.Problem = s.stateNow(), s.lastOK, s.verified, s.status, s.problem
	if s.config != nil {
		st.StreamID = s.config.ID
	}
}
