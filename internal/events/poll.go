package events

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/fetch"
)

const (
	mostEvents   = 50
	maxPollBytes = 4 << 20
)

// pollRequest asks for events and says what became of those of the last answer: RFC 8936 section 2.2.
type pollRequest struct {
	MaxEvents         int                  `json:"maxEvents"`
	ReturnImmediately bool                 `json:"returnImmediately"`
	Ack               []string             `json:"ack,omitempty"`
	SetErrs           map[string]pollError `json:"setErrs,omitempty"`
}

type pollError struct {
	Code string `json:"err"`
	Why  string `json:"description"`
}

type pollAnswer struct {
	Sets map[string]string `json:"sets"`
	More bool              `json:"moreAvailable"`
}

// Why a poll brought nothing.
var (
	errQuiet = errors.New("poll stream: no events in the time that was given")
	errLarge = errors.New("poll stream: the answer is too large")
	// errWaiting: it did bring some.
	errWaiting = errors.New("poll stream: events wait that cannot be judged or put in force")
)

// poll fetches events until ctx ends or the stream is gone. Events are acknowledged in the poll after the one that brought
// them, so that none is lost that was not put in force.
func (s *stream) poll(ctx context.Context) {
	var b backoff
	next := pollRequest{MaxEvents: mostEvents, ReturnImmediately: true} // the first one shows that there is somebody
	for ctx.Err() == nil {
		began := time.Now()
		answer, err := s.ask(ctx, next)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errGone) && s.cfg.manage():
			s.ails(err)
			return
		case errors.Is(err, errQuiet): // or hanging: the next one must be answered at once
			next.ReturnImmediately = true
			continue
		case errors.Is(err, errLarge) && next.MaxEvents > 1:
			next.MaxEvents /= 2
			continue
		case err != nil:
			s.ails(err)
			next.ReturnImmediately = true
			fetch.Sleep(ctx, b.next(err))
			continue
		}
		again, fresh := s.takeAll(ctx, answer)
		again.MaxEvents, again.ReturnImmediately = mostEvents, answer.More
		if again.waiting { // what could not be judged comes again; give whoever is missing time
			s.sticks(errWaiting)
			fetch.Sleep(ctx, b.next(nil))
			again.ReturnImmediately = true
		} else {
			s.alive()
			b = backoff{}
		}
		next = again.pollRequest
		if fresh == 0 {
			fetch.Sleep(ctx, s.cfg.PollEvery-time.Since(began))
		}
	}
}

// ask is one poll.
func (s *stream) ask(ctx context.Context, q pollRequest) (pollAnswer, error) {
	to := s.cfg.PollURL
	if s.cfg.manage() {
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
	r, err := s.transmitter.wait(within, http.MethodPost, to, q, maxPollBytes)
	var a pollAnswer
	switch {
	case err != nil && !q.ReturnImmediately && within.Err() != nil:
		return a, errQuiet
	case err != nil:
		return a, err
	case r.Status == http.StatusNotFound:
		if s.cfg.manage() {
			return a, errGone
		}
		return a, refusal(r, "there is no stream to poll")
	case r.Status != http.StatusOK:
		return a, refusal(r, "the stream cannot be polled")
	case r.Over:
		return a, errLarge
	case !r.IsJSON() || json.Unmarshal(r.Body, &a) != nil:
		return a, authz.Errorf(authz.Unavailable, "poll stream: the answer cannot be read")
	}
	return a, nil
}

// reaction is the next poll, and whether an event waits to come again.
type reaction struct {
	pollRequest
	waiting bool
}

// takeAll puts the events of an answer in force. It returns what to say of them, and how many were new.
func (s *stream) takeAll(ctx context.Context, a pollAnswer) (reaction, int) {
	var q reaction
	fresh := 0
	var names []string
	for name := range a.Sets {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !identifier(name) {
			s.sink.fail(&fault{codeRequest, "its name in the answer is unusable"})
			continue
		}
		id, known, err := s.take(ctx, a.Sets[name])
		if err == nil && id != name {
			err = &fault{codeRequest, "its jti is not the name that it came under"}
		}
		f, bad := errors.AsType[*fault](err)
		switch {
		case err == nil:
			q.Ack = append(q.Ack, name)
			if known == isNew {
				fresh++
			}
			continue
		case bad:
			if q.SetErrs == nil {
				q.SetErrs = map[string]pollError{}
			}
			q.SetErrs[name] = pollError{f.code, f.why}
		default:
			q.waiting = true
		}
		s.sink.fail(err)
	}
	return q, fresh
}
