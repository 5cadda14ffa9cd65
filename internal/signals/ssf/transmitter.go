package ssf

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

// metadata is the part of a transmitter's configuration that is used: SSF 1.0 section 7.1.
type metadata struct {
	Issuer        string   `json:"issuer"`
	JWKS          string   `json:"jwks_uri"`
	Configuration string   `json:"configuration_endpoint"`
	Status        string   `json:"status_endpoint"`
	Verification  string   `json:"verification_endpoint"`
	Critical      []string `json:"critical_subject_members"`
	Deliveries    []string `json:"delivery_methods_supported"`
}

// transmitterClient is the client of the API of a transmitter of security events.
type transmitterClient struct {
	id      string
	server  *oauth.Server
	tokens  *tokenSource
	timeout time.Duration // of one call
	kept    *fetch.Value[*metadata]
}

// newTransmitterClient returns a client for the transmitter of an identifier. Close it.
func newTransmitterClient(id string, server *oauth.Server, tokens *tokenSource,
	timeout time.Duration) *transmitterClient {
	t := &transmitterClient{id: id, server: server, tokens: tokens, timeout: timeout}
	t.kept = fetch.New(fetch.Config[*metadata]{
		Name: fmt.Sprintf("read configuration of transmitter %q", id), Fetch: t.fetchMetadata, Timeout: timeout,
		Lifetime: func(_ *metadata, began time.Time) (renew, end time.Time) {
			return began.Add(metadataEvery), time.Time{}
		},
	})
	return t
}

func (t *transmitterClient) close() {
	t.kept.Close()
	t.tokens.granted.Close()
}

// wellKnown is the URL of the configuration, whose name stands between host and path: SSF 1.0 section 7.2.
func wellKnown(id string) string {
	u, err := url.Parse(id)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + "/.well-known/ssf-configuration" + strings.TrimSuffix(u.EscapedPath(), "/")
}

// metadata returns the configuration of the transmitter. The last one stays in use when a later fetch fails.
func (t *transmitterClient) metadata(ctx context.Context) (*metadata, error) { return t.kept.Get(ctx) }

func (t *transmitterClient) fetchMetadata(ctx context.Context) (*metadata, error) {
	r, err := t.server.Get(ctx, wellKnown(t.id), maxMetadataBytes)
	if err != nil {
		return nil, err
	}
	var m metadata
	switch {
	case r.Temporary():
		return nil, r.Refuse(authz.Unavailable, "no configuration of a transmitter")
	case r.Status != http.StatusOK:
		return nil, r.Refuse(authz.Misconfigured,
			"no configuration of a transmitter: is Shared Signals switched on there?")
	case r.Over || !r.IsJSON() || json.Unmarshal(r.Body, &m) != nil:
		return nil, r.Refuse(authz.Unavailable, "the configuration of the transmitter cannot be read")
	case m.Issuer != t.id:
		return nil, r.Refuse(authz.Misconfigured,
			"the configuration is of another transmitter than the one that was asked for")
	case m.JWKS == "":
		return nil, r.Refuse(authz.Misconfigured, "the transmitter names no jwks_uri")
	}
	for name, u := range map[string]string{
		"jwks_uri": m.JWKS, "configuration_endpoint": m.Configuration,
		"status_endpoint": m.Status, "verification_endpoint": m.Verification,
	} {
		if u == "" {
			continue
		}
		if err := t.server.CheckURL(name, u); err != nil {
			return nil, err
		}
	}
	return &m, nil
}

// fetchKeys is for a jose.KeySet.
func (t *transmitterClient) fetchKeys(ctx context.Context) ([]byte, error) {
	m, err := t.metadata(ctx)
	if err != nil {
		return nil, err
	}
	return t.server.FetchKeysFrom(ctx, m.JWKS)
}

// call sends body, which may be nil, as JSON, and waits for the response no longer than one call may take.
func (t *transmitterClient) call(ctx context.Context, method, to string, body any, limit int64) (oauth.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	return t.send(ctx, method, to, body, limit)
}

// send is call without a timeout of its own. An access token that is refused is replaced once.
func (t *transmitterClient) send(ctx context.Context, method, to string, body any, limit int64) (oauth.Reply, error) {
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
		call := oauth.Call{Method: method, URL: to, Token: token, Body: payload, MaxBytes: limit}
		r, err := t.server.Call(ctx, call)
		if err != nil || r.Status != http.StatusUnauthorized || attempt > 0 || !t.tokens.reject(token) {
			return r, err
		}
	}
}

// token returns an access token within the timeout of one call, however long a poll may wait.
func (t *transmitterClient) token(ctx context.Context) (secret.Text, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	return t.tokens.token(ctx)
}

// unexpected is the error of a response that is not an expected one.
func unexpected(r oauth.Reply, what string) error {
	if r.Status < 300 {
		what += ": the answer cannot be used"
	}
	return r.Unexpected(what)
}
