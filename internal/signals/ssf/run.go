package ssf

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/fetch"
)

// maxStates bounds the verification requests whose events may come late.
const maxStates = 4

// errGone means that the transmitter does not know the stream any more.
var errGone = errors.New("call transmitter: it does not know this stream")

// Run sets the stream up and keeps it working until ctx ends.
func (s *Stream) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { s.watch(ctx) })
	var b backoff
	for ctx.Err() == nil {
		err, began := s.setUp(ctx), time.Now()
		if err == nil {
			s.supervise(ctx)
		} else if ctx.Err() == nil {
			s.recordError(err)
		}
		if time.Since(began) > maxPause {
			b = backoff{}
		}
		fetch.Sleep(ctx, b.next(err)) // also when a stream that was set up is gone at once
	}
}

// supervise polls and verifies until ctx ends or the stream is gone.
func (s *Stream) supervise(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	if s.cfg.Delivery == deliveryPoll {
		running.Go(func() { defer cancel(); s.poll(ctx) })
	}
	if s.cfg.managed() && s.cfg.VerifyEvery > 0 {
		running.Go(func() { defer cancel(); s.verify(ctx) })
	}
	<-ctx.Done()
}

// verify requests verification events until ctx ends or the stream is gone: SSF 1.0 section 8.1.4.2.
func (s *Stream) verify(ctx context.Context) {
	var b backoff
	for ctx.Err() == nil {
		pause := s.cfg.VerifyEvery
		s.mu.Lock()
		least := time.Duration(min(s.config.MinInterval, 24*60*60) * float64(time.Second))
		s.mu.Unlock()
		err := s.requestVerification(ctx)
		switch {
		case errors.Is(err, errGone):
			s.recordError(err)
			return
		case err != nil && ctx.Err() == nil:
			s.recordError(err)
			pause = b.next(err)
		default:
			b = backoff{}
		}
		fetch.Sleep(ctx, max(pause, least))
	}
}

func (s *Stream) requestVerification(ctx context.Context) error {
	m, err := s.transmitter.metadata(ctx)
	if err != nil {
		return err
	}
	if m.Verification == "" {
		return authz.Errorf(authz.Misconfigured, "verify stream: the transmitter has no verification_endpoint; "+
			"set shared_signals.verify_every to 0")
	}
	state := rand.Text()
	s.mu.Lock()
	id := s.config.ID
	s.states = append(s.states, state)
	if len(s.states) > maxStates {
		s.states = s.states[1:]
	}
	s.mu.Unlock()
	request := map[string]string{"stream_id": id, "state": state}
	r, err := s.transmitter.call(ctx, http.MethodPost, m.Verification, request, maxStreamBytes)
	switch {
	case err != nil:
		return err
	case r.Status == http.StatusNotFound:
		return errGone
	case r.Status/100 != 2:
		return unexpected(r, "the stream cannot be verified")
	}
	return s.fetchStatus(ctx, m)
}

// fetchStatus reads whether the transmitter sends events: SSF 1.0 section 8.1.2.1. A transmitter may have no such
// endpoint.
func (s *Stream) fetchStatus(ctx context.Context, m *metadata) error {
	if m.Status == "" {
		return nil
	}
	u, err := url.Parse(m.Status)
	if err != nil {
		return authz.Errorf(authz.Misconfigured, "ask for the status of the stream: a URL cannot be read")
	}
	s.mu.Lock()
	id := s.config.ID
	s.mu.Unlock()
	q := u.Query()
	q.Set("stream_id", id)
	u.RawQuery = q.Encode()
	r, err := s.transmitter.call(ctx, http.MethodGet, u.String(), nil, maxStreamBytes)
	var b struct {
		Status string `json:"status"`
	}
	switch {
	case err != nil:
		return err
	case r.Status != http.StatusOK || r.Over || !r.IsJSON() || json.Unmarshal(r.Body, &b) != nil ||
		!isStatus(b.Status):
		return unexpected(r, "the status of the stream is not to be had")
	}
	s.setStatus(b.Status)
	return nil
}

// backoff is the pause after consecutive failures.
type backoff struct{ failures int }

const maxPause = 30 * time.Second

// next returns the next pause. It doubles, is at least what the server asks for, and has jitter, so that clients that
// failed together do not come back together.
func (b *backoff) next(err error) time.Duration {
	b.failures++
	pause := fetch.Backoff{First: time.Second, Last: maxPause}.After(b.failures)
	if e, ok := errors.AsType[*authz.Error](err); ok {
		pause = max(pause, e.RetryAfter)
	}
	return pause + fetch.Jitter(pause/2)
}
