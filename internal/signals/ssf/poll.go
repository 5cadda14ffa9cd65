package ssf

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/fetch"
	"github.com/authz-sidecar/sidecar/internal/signals"
)

const (
	maxEvents    = 50
	maxPollBytes = 4 << 20
)

// pollRequest asks for events and acknowledges those of the last answer: RFC 8936 section 2.2.
type pollRequest struct {
	MaxEvents         int                  `json:"maxEvents"`
	ReturnImmediately bool                 `json:"returnImmediately"`
	Ack               []string             `json:"ack,omitempty"`
	SetErrs           map[string]pollError `json:"setErrs,omitempty"`
}

type pollError struct {
	Code        string `json:"err"`
	Description string `json:"description"`
}

type pollAnswer struct {
	Sets map[string]string `json:"sets"`
	More bool              `json:"moreAvailable"`
}

var (
	errNoAnswer = errors.New("poll stream: no events in the time that was given")
	errLarge    = errors.New("poll stream: the answer is too large")
	// errPending is the problem of a stream whose events cannot be verified or put in force now.
	errPending = errors.New("poll stream: events wait that cannot be judged or put in force")
)

// poll fetches events until ctx ends or the stream is gone. Events are acknowledged by the next poll, so that an event
// that was not put in force is not lost.
func (s *Stream) poll(ctx context.Context) {
	var b backoff
	// the first one shows that the transmitter answers
	next := pollRequest{MaxEvents: maxEvents, ReturnImmediately: true}
	for ctx.Err() == nil {
		began := time.Now()
		answer, err := s.pollOnce(ctx, next)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errGone) && s.cfg.managed():
			s.recordError(err)
			return
		case errors.Is(err, errNoAnswer): // a server without events, or one that hangs: the next poll tells them apart
			next.ReturnImmediately = true
			continue
		case errors.Is(err, errLarge) && next.MaxEvents > 1:
			next.MaxEvents /= 2
			continue
		case err != nil:
			s.recordError(err)
			next.ReturnImmediately = true
			fetch.Sleep(ctx, b.next(err))
			continue
		}
		again, received := s.receiveAll(ctx, answer)
		again.MaxEvents, again.ReturnImmediately = maxEvents, answer.More
		if again.pending { // they come again with the next poll
			s.setProblem(errPending)
			fetch.Sleep(ctx, b.next(nil))
			again.ReturnImmediately = true
		} else {
			s.recordOK()
			b = backoff{}
		}
		next = again.pollRequest
		if received == 0 {
			fetch.Sleep(ctx, s.cfg.PollEvery-time.Since(began))
		}
	}
}

// pollOnce is one poll.
func (s *Stream) pollOnce(ctx context.Context, q pollRequest) (pollAnswer, error) {
	to := s.cfg.PollURL
	if s.cfg.managed() {
		s.mu.Lock()
		to = s.config.Delivery.EndpointURL
		s.mu.Unlock()
	}
	limit := s.transmitter.timeout
	if !q.ReturnImmediately {
		limit += s.cfg.PollWait
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, err := s.transmitter.send(within, http.MethodPost, to, q, maxPollBytes)
	var a pollAnswer
	switch {
	case err != nil && !q.ReturnImmediately && within.Err() != nil:
		return a, errNoAnswer
	case err != nil:
		return a, err
	case r.Status == http.StatusNotFound:
		if s.cfg.managed() {
			return a, errGone
		}
		return a, unexpected(r, "there is no stream to poll")
	case r.Status != http.StatusOK:
		return a, unexpected(r, "the stream cannot be polled")
	case r.Over:
		return a, errLarge
	case !r.IsJSON() || json.Unmarshal(r.Body, &a) != nil:
		return a, authz.Errorf(authz.Unavailable, "poll stream: the answer cannot be read")
	}
	return a, nil
}

// nextPoll is the next poll, and whether events are pending, which it does not acknowledge.
type nextPoll struct {
	pollRequest
	pending bool
}

// receiveAll puts the events of an answer in force. It returns the poll that acknowledges them, and how many were new.
func (s *Stream) receiveAll(ctx context.Context, a pollAnswer) (nextPoll, int) {
	var q nextPoll
	received := 0
	var names []string
	for name := range a.Sets {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !signals.IsIdentifier(name) {
			s.recorder.Reject(&setError{codeRequest, "its name in the answer is unusable"})
			continue
		}
		id, known, err := s.receive(ctx, a.Sets[name])
		if err == nil && id != name {
			err = &setError{codeRequest, "its jti is not the name that it came under"}
		}
		refused, ok := errors.AsType[*setError](err)
		switch {
		case err == nil:
			q.Ack = append(q.Ack, name)
			if known == isNew {
				received++
			}
			continue
		case ok:
			if q.SetErrs == nil {
				q.SetErrs = map[string]pollError{}
			}
			q.SetErrs[name] = pollError{refused.code, refused.description}
		default:
			q.pending = true
		}
		s.recorder.Reject(err)
	}
	return q, received
}
