package events

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/fetch"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// Methods of delivery.
const (
	methodPush = "urn:ietf:rfc:8935"
	methodPoll = "urn:ietf:rfc:8936"
)

// delivery is how the events of a stream travel.
type delivery struct {
	Method        string `json:"method"`
	EndpointURL   string `json:"endpoint_url,omitempty"`
	Authorization string `json:"authorization_header,omitempty"`
}

// streamConfig is what the transmitter says of a stream: SSF 1.0 section 8.1.1.
type streamConfig struct {
	ID          string   `json:"stream_id"`
	Issuer      string   `json:"iss"`
	Audience    names    `json:"aud"`
	Requested   []string `json:"events_requested"`
	Delivered   []string `json:"events_delivered"`
	Delivery    delivery `json:"delivery"`
	Description string   `json:"description"`
	MinInterval float64  `json:"min_verification_interval"`
}

// names is a text or a list of them.
type names []string

// UnmarshalJSON reads either form.
func (n *names) UnmarshalJSON(b []byte) (err error) {
	*n, err = jose.Claims{"aud": b}.Names("aud")
	return err
}

// streamRequest is what we say of it.
type streamRequest struct {
	ID          string   `json:"stream_id,omitempty"`
	Delivery    delivery `json:"delivery"`
	Requested   []string `json:"events_requested"`
	Description string   `json:"description"`
}

const (
	maxStreamBytes = 1 << 20
	maxStates      = 4 // verifications that may be answered late
)

// errGone means that the transmitter does not know our stream any more.
var errGone = errors.New("call transmitter: it does not know this stream")

// run keeps the stream going until ctx ends.
func (s *stream) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { s.watch(ctx) })
	var b backoff
	for ctx.Err() == nil {
		err, began := s.setUp(ctx), time.Now()
		if err == nil {
			s.supervise(ctx)
		} else if ctx.Err() == nil {
			s.ails(err)
		}
		if time.Since(began) > lastWait {
			b = backoff{}
		}
		fetch.Sleep(ctx, b.next(err)) // after a stream that is gone at once as well
	}
}

// supervise polls and verifies until ctx ends or the stream is gone.
func (s *stream) supervise(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	if s.cfg.Delivery == deliveryPoll {
		running.Go(func() { defer cancel(); s.poll(ctx) })
	}
	if s.cfg.manage() && s.cfg.VerifyEvery > 0 {
		running.Go(func() { defer cancel(); s.verify(ctx) })
	}
	<-ctx.Done()
}

// setUp finds our stream, or makes it: again after each start, and never a second one.
func (s *stream) setUp(ctx context.Context) error {
	if !s.cfg.manage() {
		return nil
	}
	m, err := s.transmitter.metadata(ctx)
	if err != nil {
		return err
	}
	if m.Configuration == "" {
		return authz.Errorf(authz.Misconfigured, "set up stream: the transmitter has no configuration_endpoint; make the stream there and set manage to off")
	}
	if len(m.Deliveries) > 0 && !slices.Contains(m.Deliveries, s.method()) {
		return authz.Errorf(authz.Misconfigured, "set up stream: the transmitter does not offer delivery by %s", s.cfg.Delivery)
	}
	all, err := s.list(ctx, m)
	if err != nil {
		return err
	}
	c, err := s.makeOurs(ctx, m, all)
	if err != nil {
		return err
	}
	if err := s.adopt(c); err != nil {
		return err
	}
	return s.askStatus(ctx, m)
}

func (s *stream) method() string {
	if s.cfg.Delivery == deliveryPoll {
		return methodPoll
	}
	return methodPush
}

// list returns the streams that the transmitter has for us: SSF 1.0 section 8.1.1.2.
func (s *stream) list(ctx context.Context, m *metadata) ([]streamConfig, error) {
	r, err := s.transmitter.call(ctx, http.MethodGet, m.Configuration, nil, maxStreamBytes)
	var all []streamConfig
	switch {
	case err != nil:
		return nil, err
	case r.Status == http.StatusNotFound:
		return nil, nil
	case r.Status != http.StatusOK || r.Over || !r.IsJSON():
		return nil, refusal(r, "the streams cannot be listed")
	case jsontext.Value(r.Body).Kind() == '[':
		err = json.Unmarshal(r.Body, &all)
	default: // some have but one
		var one streamConfig
		if err = json.Unmarshal(r.Body, &one); err == nil && one.ID != "" {
			all = append(all, one)
		}
	}
	if err != nil {
		return nil, refusal(r, "the list of streams cannot be read")
	}
	return all, nil
}

// ours finds the stream that an earlier start made. The address of a push is ours alone, whatever the stream is called.
func (s *stream) ours(all []streamConfig) (streamConfig, bool) {
	for _, c := range all {
		if c.Delivery.Method == s.method() && s.cfg.Delivery == deliveryPush && c.Delivery.EndpointURL == s.cfg.EndpointURL {
			return c, true
		}
	}
	for _, c := range all {
		if c.Delivery.Method == s.method() && s.cfg.Delivery == deliveryPoll && c.Description == s.cfg.Description {
			return c, true
		}
	}
	return streamConfig{}, false
}

func (s *stream) makeOurs(ctx context.Context, m *metadata, all []streamConfig) (streamConfig, error) {
	want := streamRequest{Delivery: delivery{Method: s.method()}, Requested: s.cfg.Events, Description: s.cfg.Description}
	if len(want.Requested) == 0 {
		want.Requested = wanted()
	}
	if s.cfg.Delivery == deliveryPush {
		want.Delivery.EndpointURL, want.Delivery.Authorization = s.cfg.EndpointURL, s.bearer
	}
	if c, ok := s.ours(all); ok {
		if s.cfg.Delivery == deliveryPoll && sameSet(c.Requested, want.Requested) {
			return c, nil
		}
		want.ID = c.ID
		return s.update(ctx, m, want) // of a push nobody knows which header it has
	}
	r, err := s.transmitter.call(ctx, http.MethodPost, m.Configuration, want, maxStreamBytes)
	if err == nil && r.Status == http.StatusConflict {
		// This transmitter allows one stream. If the one that is there was ours, it moves to where we are now.
		if len(all) == 1 && all[0].Description == s.cfg.Description && all[0].ID != "" {
			want.ID = all[0].ID
			return s.update(ctx, m, want)
		}
		return streamConfig{}, r.Refuse(authz.Misconfigured, "this client has a stream already, and it is not ours: delete it, or use another client")
	}
	return configOf(r, err, "the stream cannot be made")
}

// update changes a stream, or replaces it where changing is not known.
func (s *stream) update(ctx context.Context, m *metadata, want streamRequest) (streamConfig, error) {
	r, err := s.transmitter.call(ctx, http.MethodPatch, m.Configuration, want, maxStreamBytes)
	if err == nil && (r.Status == http.StatusMethodNotAllowed || r.Status == http.StatusNotImplemented) {
		r, err = s.transmitter.call(ctx, http.MethodPut, m.Configuration, want, maxStreamBytes)
	}
	return configOf(r, err, "the stream cannot be changed")
}

func configOf(r oauth.Reply, err error, what string) (streamConfig, error) {
	var c streamConfig
	switch {
	case err != nil:
		return c, err
	case r.Status != http.StatusOK && r.Status != http.StatusCreated, r.Over, !r.IsJSON(), json.Unmarshal(r.Body, &c) != nil:
		return c, refusal(r, what)
	}
	return c, nil
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// adopt takes a stream as ours if it is what we asked for.
func (s *stream) adopt(c streamConfig) error {
	c.Delivery.Authorization = "" // the transmitter may show it; nobody needs it here
	switch {
	case !identifier(c.ID):
		return authz.Errorf(authz.Misconfigured, "set up stream: the transmitter gave it no usable stream_id")
	case c.Issuer != s.transmitter.id:
		return authz.Errorf(authz.Misconfigured, "set up stream: its events would be from another issuer than the transmitter")
	case len(c.Audience) == 0 && len(s.cfg.Audience) == 0:
		return authz.Errorf(authz.Misconfigured, "set up stream: it has no aud; set shared_signals.audience")
	case c.Delivery.Method != s.method():
		return authz.Errorf(authz.Misconfigured, "set up stream: the transmitter delivers otherwise than was asked for")
	case s.cfg.Delivery == deliveryPush && c.Delivery.EndpointURL != s.cfg.EndpointURL:
		return authz.Errorf(authz.Misconfigured, "set up stream: the transmitter delivers elsewhere than was asked for")
	}
	if s.cfg.Delivery == deliveryPoll {
		if err := s.transmitter.server.CheckURL("endpoint_url of the stream", c.Delivery.EndpointURL); err != nil {
			return err
		}
	}
	s.mu.Lock()
	known := s.config != nil && s.config.ID == c.ID
	s.config = &c
	s.mu.Unlock()
	if !known {
		s.log.Info("stream of events is set up", "stream_id", c.ID, "delivery", s.cfg.Delivery, "delivered", len(c.Delivered))
	}
	return nil
}

// askStatus finds out whether the transmitter sends anything: SSF 1.0 section 8.1.2.1. Not every one can be asked.
func (s *stream) askStatus(ctx context.Context, m *metadata) error {
	if m.Status == "" {
		return nil
	}
	u, err := url.Parse(m.Status)
	if err != nil {
		return authz.Errorf(authz.Misconfigured, "ask for the status of the stream: a URL cannot be read")
	}
	q := u.Query()
	q.Set("stream_id", s.id())
	u.RawQuery = q.Encode()
	r, err := s.transmitter.call(ctx, http.MethodGet, u.String(), nil, maxStreamBytes)
	var b struct {
		Status string `json:"status"`
	}
	switch {
	case err != nil:
		return err
	case r.Status != http.StatusOK || r.Over || !r.IsJSON() || json.Unmarshal(r.Body, &b) != nil || !knownStatus(b.Status):
		return refusal(r, "the status of the stream is not to be had")
	}
	s.setStatus(b.Status)
	return nil
}

func (s *stream) id() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.ID
}

// verify asks for a verification event, again and again, until ctx ends or the stream is gone: SSF 1.0 section 8.1.4.2.
func (s *stream) verify(ctx context.Context) {
	var b backoff
	for ctx.Err() == nil {
		wait := s.cfg.VerifyEvery
		s.mu.Lock()
		least := time.Duration(min(s.config.MinInterval, 24*60*60) * float64(time.Second))
		s.mu.Unlock()
		err := s.askVerification(ctx)
		switch {
		case errors.Is(err, errGone):
			s.ails(err)
			return
		case err != nil && ctx.Err() == nil:
			s.ails(err)
			wait = b.next(err)
		default:
			b = backoff{}
		}
		fetch.Sleep(ctx, max(wait, least))
	}
}

func (s *stream) askVerification(ctx context.Context) error {
	m, err := s.transmitter.metadata(ctx)
	if err != nil {
		return err
	}
	if m.Verification == "" {
		return authz.Errorf(authz.Misconfigured, "verify stream: the transmitter has no verification_endpoint; set shared_signals.verify_every to 0")
	}
	state := rand.Text()
	s.mu.Lock()
	s.states = append(s.states, state)
	if len(s.states) > maxStates {
		s.states = s.states[1:]
	}
	s.mu.Unlock()
	r, err := s.transmitter.call(ctx, http.MethodPost, m.Verification, map[string]string{"stream_id": s.id(), "state": state}, maxStreamBytes)
	switch {
	case err != nil:
		return err
	case r.Status == http.StatusNotFound:
		return errGone
	case r.Status/100 != 2:
		return refusal(r, "the stream cannot be verified")
	}
	return s.askStatus(ctx, m)
}

// backoff is how long to wait after failures in a row.
type backoff struct{ failures int }

const lastWait = 30 * time.Second

// next is the next pause: it doubles, is never shorter than the server asked for, and differs from that of others who
// failed at the same time.
func (b *backoff) next(err error) time.Duration {
	b.failures++
	wait := fetch.Backoff{First: time.Second, Last: lastWait}.After(b.failures)
	if e, ok := errors.AsType[*authz.Error](err); ok {
		wait = max(wait, e.RetryAfter)
	}
	return wait + fetch.Jitter(wait/2)
}
