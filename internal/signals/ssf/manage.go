package ssf

import (
	"context"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/signals"
)

// Delivery methods.
const (
	methodPush = "urn:ietf:rfc:8935"
	methodPoll = "urn:ietf:rfc:8936"
)

// delivery is how the events of a stream are delivered.
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

// names is a text or a list of texts.
type names []string

// UnmarshalJSON reads either form.
func (n *names) UnmarshalJSON(b []byte) (err error) {
	*n, err = jose.Claims{"aud": b}.Names("aud")
	return err
}

// streamRequest creates or changes a stream.
type streamRequest struct {
	ID          string   `json:"stream_id,omitempty"`
	Delivery    delivery `json:"delivery"`
	Requested   []string `json:"events_requested"`
	Description string   `json:"description"`
}

const maxStreamBytes = 1 << 20

// setUp finds the stream of this sidecar, or creates it. It runs at each start and never creates a second one.
func (s *Stream) setUp(ctx context.Context) error {
	if !s.cfg.managed() {
		return nil
	}
	m, err := s.transmitter.metadata(ctx)
	if err != nil {
		return err
	}
	if m.Configuration == "" {
		return authz.Errorf(authz.Misconfigured, "set up stream: the transmitter has no configuration_endpoint; "+
			"make the stream there and set manage to off")
	}
	if len(m.Deliveries) > 0 && !slices.Contains(m.Deliveries, s.method()) {
		return authz.Errorf(authz.Misconfigured, "set up stream: the transmitter does not offer delivery by %s",
			s.cfg.Delivery)
	}
	all, err := s.list(ctx, m)
	if err != nil {
		return err
	}
	c, err := s.createOrUpdate(ctx, m, all)
	if err != nil {
		return err
	}
	if err := s.adopt(c); err != nil {
		return err
	}
	return s.fetchStatus(ctx, m)
}

func (s *Stream) method() string {
	if s.cfg.Delivery == deliveryPoll {
		return methodPoll
	}
	return methodPush
}

// list returns the streams that the transmitter has for this client: SSF 1.0 section 8.1.1.2.
func (s *Stream) list(ctx context.Context, m *metadata) ([]streamConfig, error) {
	r, err := s.transmitter.call(ctx, http.MethodGet, m.Configuration, nil, maxStreamBytes)
	var all []streamConfig
	switch {
	case err != nil:
		return nil, err
	case r.Status == http.StatusNotFound:
		return nil, nil
	case r.Status != http.StatusOK || r.Over || !r.IsJSON():
		return nil, unexpected(r, "the streams cannot be listed")
	case jsontext.Value(r.Body).Kind() == '[':
		err = json.Unmarshal(r.Body, &all)
	default: // some transmitters allow one stream, and answer with it
		var one streamConfig
		if err = json.Unmarshal(r.Body, &one); err == nil && one.ID != "" {
			all = append(all, one)
		}
	}
	if err != nil {
		return nil, unexpected(r, "the list of streams cannot be read")
	}
	return all, nil
}

// find returns the stream that an earlier start created: by the endpoint URL of a push, which no other receiver has,
// or by the description.
func (s *Stream) find(all []streamConfig) (streamConfig, bool) {
	for _, c := range all {
		known := c.Description == s.cfg.Description
		if s.cfg.Delivery == deliveryPush {
			known = c.Delivery.EndpointURL == s.cfg.EndpointURL
		}
		if known && c.Delivery.Method == s.method() {
			return c, true
		}
	}
	return streamConfig{}, false
}

func (s *Stream) createOrUpdate(ctx context.Context, m *metadata, all []streamConfig) (streamConfig, error) {
	want := streamRequest{
		Delivery: delivery{Method: s.method()}, Requested: s.cfg.Events, Description: s.cfg.Description,
	}
	if len(want.Requested) == 0 {
		want.Requested = evicting()
	}
	if s.cfg.Delivery == deliveryPush {
		want.Delivery.EndpointURL, want.Delivery.Authorization = s.cfg.EndpointURL, s.bearer
	}
	if c, ok := s.find(all); ok {
		if s.cfg.Delivery == deliveryPoll && sameSet(c.Requested, want.Requested) {
			return c, nil
		}
		want.ID = c.ID
		return s.update(ctx, m, want) // the transmitter does not say which Authorization header it sends
	}
	r, err := s.transmitter.call(ctx, http.MethodPost, m.Configuration, want, maxStreamBytes)
	if err == nil && r.Status == http.StatusConflict {
		// This transmitter allows one stream. If it is that of this sidecar, it moves to the new endpoint URL.
		if len(all) == 1 && all[0].Description == s.cfg.Description && all[0].ID != "" {
			want.ID = all[0].ID
			return s.update(ctx, m, want)
		}
		return streamConfig{}, r.Refuse(authz.Misconfigured,
			"this client has a stream already, of another receiver: delete it, or use another client")
	}
	return configOf(r, err, "the stream cannot be made")
}

// update changes a stream, or replaces it where the transmitter cannot change one.
func (s *Stream) update(ctx context.Context, m *metadata, want streamRequest) (streamConfig, error) {
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
	case r.Status != http.StatusOK && r.Status != http.StatusCreated, r.Over, !r.IsJSON(), json.Unmarshal(r.Body,
		&c) != nil:
		return c, unexpected(r, what)
	}
	return c, nil
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// adopt uses a stream if it is what was requested.
func (s *Stream) adopt(c streamConfig) error {
	c.Delivery.Authorization = "" // the transmitter may show it; it is not needed
	switch {
	case !signals.IsIdentifier(c.ID):
		return authz.Errorf(authz.Misconfigured, "set up stream: the transmitter gave it no usable stream_id")
	case c.Issuer != s.transmitter.id:
		return authz.Errorf(authz.Misconfigured,
			"set up stream: its events would be from another issuer than the transmitter")
	case len(c.Audience) == 0 && len(s.cfg.Audience) == 0:
		return authz.Errorf(authz.Misconfigured, "set up stream: it has no aud; set shared_signals.audience")
	case c.Delivery.Method != s.method():
		return authz.Errorf(authz.Misconfigured,
			"set up stream: the transmitter delivers otherwise than was asked for")
	case s.cfg.Delivery == deliveryPush && c.Delivery.EndpointURL != s.cfg.EndpointURL:
		return authz.Errorf(authz.Misconfigured,
			"set up stream: the transmitter delivers elsewhere than was asked for")
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
		s.log.Info("stream of events is set up",
			"stream_id", c.ID, "delivery", s.cfg.Delivery, "delivered", len(c.Delivered))
	}
	return nil
}
