package events

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/fetch"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

const (
	maxMetadataBytes = 1 << 20
	metadataEvery    = time.Hour
)

// metadata is the part of a transmitter's configuration that is read: SSF 1.0 section 7.1.
type metadata struct {
	Issuer        string   `json:"issuer"`
	JWKS          string   `json:"jwks_uri"`
	Configuration string   `json:"configuration_endpoint"`
	Status        string   `json:"status_endpoint"`
	Verification  string   `json:"verification_endpoint"`
	Critical      []string `json:"critical_subject_members"`
	Deliveries    []string `json:"delivery_methods_supported"`
}

// transmitter is who sends security events, and how its own API is called.
type transmitter struct {
	id      string
	server  *oauth.Server
	access  *access
	timeout time.Duration
	known   *fetch.Value[*metadata]
}

// newTransmitter calls the transmitter of an identifier by a server, with tokens from access. Close it.
func newTransmitter(id string, server *oauth.Server, a *access, timeout time.Duration) *transmitter {
	t := &transmitter{id: id, server: server, access: a, timeout: timeout}
	t.known = fetch.New(fetch.Config[*metadata]{
		Name: fmt.Sprintf("read configuration of transmitter %q", id), Fetch: t.look, Timeout: timeout,
		Lifetime: func(_ *metadata, began time.Time) (renew, end time.Time) {
			return began.Add(metadataEvery), time.Time{}
		},
	})
	return t
}

func (t *transmitter) close() {
	t.known.Close()
	t.access.tokens.Close()
}

// wellKnown inserts the name between host and path: SSF 1.0 section 7.2.
func wellKnown(id string) string {
	u, err := url.Parse(id)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + "/.well-known/ssf-configuration" + strings.TrimSuffix(u.EscapedPath(), "/")
}

// metadata returns what the transmitter says of itself. What was once known stays in use when a later look fails.
func (t *transmitter) metadata(ctx context.Context) (*metadata, error) { return t.known.Get(ctx) }

func (t *transmitter) look(ctx context.Context) (*metadata, error) {
	r, err := t.server.Get(ctx, wellKnown(t.id), maxMetadataBytes)
	if err != nil {
		return nil, err
	}
	var m metadata
	switch {
	case r.Temporary():
		return nil, r.Refuse(authz.Unavailable, "no configuration of a transmitter")
	case r.Status != http.StatusOK:
		return nil, r.Refuse(authz.Misconfigured, "no configuration of a transmitter: is Shared Signals switched on there?")
	case r.Over || !r.IsJSON() || json.Unmarshal(r.Body, &m) != nil:
		return nil, r.Refuse(authz.Unavailable, "the configuration of the transmitter cannot be read")
	case m.Issuer != t.id:
		return nil, r.Refuse(authz.Misconfigured, "the configuration is of another transmitter than the one that was asked for")
	case m.JWKS == "":
		return nil, r.Refuse(authz.Misconfigured, "the transmitter names no jwks_uri")
	}
	for what, u := range map[string]string{"jwks_uri": m.JWKS, "configuration_endpoint": m.Configuration, "status_endpoint": m.Status, "verification_endpoint": m.Verification} {
		if u == "" {
			continue
		}
		if err := t.server.CheckURL(what, u); err != nil {
			return nil, err
		}
	}
	return &m, nil
}

// fetchKeys is for a jose.KeySet.
func (t *transmitter) fetchKeys(ctx context.Context) ([]byte, error) {
	m, err := t.metadata(ctx)
	if err != nil {
		return nil, err
	}
	return t.server.FetchKeysFrom(ctx, m.JWKS)
}

// call sends body, which may be nil, as JSON within the time that one question may take.
func (t *transmitter) call(ctx context.Context, method, to string, body any, limit int64) (oauth.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	return t.wait(ctx, method, to, body, limit)
}

// wait is call without a time of its own. An access token that is refused is replaced once.
func (t *transmitter) wait(ctx context.Context, method, to string, body any, limit int64) (oauth.Reply, error) {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return oauth.Reply{}, authz.Errorf(authz.Internal, "call transmitter: the request cannot be written")
		}
	}
	for attempt := 0; ; attempt++ {
		token, err := t.token(ctx)
		if err != nil {
			return oauth.Reply{}, err
		}
		r, err := t.server.Call(ctx, oauth.Call{Method: method, URL: to, Token: token, Body: payload, MaxBytes: limit})
		if err != nil || r.Status != http.StatusUnauthorized || attempt > 0 || !t.access.drop(token) {
			return r, err
		}
	}
}

// token returns an access token in the time of one question, however long the call itself may wait.
func (t *transmitter) token(ctx context.Context) (secret.Text, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	return t.access.get(ctx)
}

// refusal is the error of an answer that is none of those hoped for.
func refusal(r oauth.Reply, what string) error {
	if r.Status < 300 {
		what += ": the answer cannot be used"
	}
	return r.Unexpected(what)
}
