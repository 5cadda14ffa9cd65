package oauth

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/fetch"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

const (
	defaultTokenLife = time.Minute // of a token whose lifetime the server does not say
	minTokenLife     = time.Second
	maxTokenLife     = 24 * time.Hour
	renewBefore      = 30 * time.Second // the end of a token; a tenth of its life when that is less
	renewPause       = time.Second      // in which a token that replaced a rejected one is not replaced again
)

// TokenSource keeps an access token of the sidecar itself, got by the client_credentials grant (RFC 6749 section 4.4).
// Callers wait only when there is none: it is renewed in time. It is safe for concurrent use.
type TokenSource struct {
	tokens   *fetch.Value[*accessToken]
	rejected atomic.Bool // the last one was
}

// accessToken is a token and what it was got with.
type accessToken struct {
	token secret.Text
	// as may be bound to the token by its certificate (RFC 8705 section 3).
	as          identity
	got         time.Time
	renew, ends time.Time
	replaces    bool // another one that was rejected
}

// NewTokenSource returns a source that has not got a token yet. Close it. TokenEndpoint must be among the Needs or
// Wants of server.
func NewTokenSource(server *Server, scope []string) *TokenSource {
	s := &TokenSource{}
	s.tokens = fetch.New(fetch.Config[*accessToken]{
		Name: "get a token",
		Fetch: func(ctx context.Context) (*accessToken, error) {
			t, err := server.requestToken(ctx, scope)
			if err == nil {
				t.replaces = s.rejected.Swap(false)
			}
			return t, err
		},
		Lifetime: func(t *accessToken, _ time.Time) (renew, end time.Time) { return t.renew, t.ends },
	})
	return s
}

// Token returns a token that has not ended. See Server.Post for the error.
func (s *TokenSource) Token(ctx context.Context) (secret.Text, error) {
	t, err := s.current(ctx)
	if err != nil {
		return secret.Text{}, err
	}
	return t.token, nil
}

func (s *TokenSource) current(ctx context.Context) (*accessToken, error) {
	t, err := s.tokens.Get(ctx)
	if late := ctx.Err(); err != nil && late != nil {
		failure := &Failure{Reason: reasonOf(authz.Unavailable, late), text: "get a token: no answer in time"}
		return nil, &authz.Error{Kind: authz.Unavailable, Err: failure}
	}
	return t, err
}

// Reject forgets a token that a server refused, and reports whether to try again with another one. After a token that
// was got a moment ago in place of a rejected one, it is not the token that is at fault.
func (s *TokenSource) Reject(token secret.Text) bool {
	same := func(t *accessToken) bool { return t.token.Reveal() == token.Reveal() }
	k := s.tokens.Kept()
	switch {
	case k == nil || !same(k.Value):
		return true
	case k.Value.replaces && time.Since(k.Value.got) < renewPause:
		return false
	}
	s.rejected.Store(true)
	s.tokens.Forget(same)
	return true
}

// Close gives up a request for a token that is under way.
func (s *TokenSource) Close() { s.tokens.Close() }

// postWithToken posts q with an access token, and once more with a new one when the first is rejected, or the
// certificate that it was got with.
func (s *Server) postWithToken(ctx context.Context, q question) (r Reply, err error) {
	for range 2 {
		t, failed := s.tokens.current(ctx)
		if failed != nil {
			return Reply{Endpoint: q.endpoint}, failed
		}
		q.header = http.Header{"Authorization": {"Bearer " + t.token.Reveal()}}
		r, err = s.post(ctx, t.as, q)
		if !s.rejectsToken(t, r, err) || !s.tokens.Reject(t.token) {
			break
		}
	}
	return r, s.describe(r, err)
}

// rejectsToken reports whether an exchange says that a token is of no use any more. A token ends with the certificate
// that it was got with. A connection that only breaks off counts when that certificate has been replaced: a server
// that fails is no reason to drop a good token.
func (s *Server) rejectsToken(t *accessToken, r Reply, err error) bool {
	switch {
	case err == nil:
		return r.Status == http.StatusUnauthorized
	case t.as.certificate == nil:
		return false
	}
	switch outcomeOfTLS(err) {
	case refused:
		return true
	case broken:
		return s.identity.newest().certificate != t.as.certificate
	}
	return false
}

// Token gets a new access token for the sidecar itself by the client_credentials grant (RFC 6749 section 4.4).
// TokenEndpoint must be among Needs or Wants. See Post for the error.
func (s *Server) Token(ctx context.Context, scope []string) (secret.Text, error) {
	t, err := s.requestToken(ctx, scope)
	if err != nil {
		return secret.Text{}, err
	}
	return t.token, nil
}

func (s *Server) requestToken(ctx context.Context, scope []string) (*accessToken, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	endpoint, err := s.Endpoint(ctx, TokenEndpoint)
	if err != nil {
		return nil, err
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(scope) > 0 {
		form.Set("scope", strings.Join(scope, " "))
	}
	got := time.Now()
	r, as, err := s.askAuthenticated(ctx, question{endpoint: endpoint, accept: "application/json", form: form})
	if err != nil {
		return nil, err
	}
	token, life, err := readToken(r)
	if err != nil {
		return nil, err
	}
	ends := got.Add(life)
	return &accessToken{token: token, as: as, got: got, renew: ends.Add(-min(renewBefore, life/10)), ends: ends}, nil
}

// readToken takes the token, and how long it lives, from an answer of a token endpoint: RFC 6749 section 5.1.
func readToken(r Reply) (secret.Text, time.Duration, error) {
	var body struct {
		Token string         `json:"access_token"`
		Type  string         `json:"token_type"`
		Life  jsontext.Value `json:"expires_in"`
	}
	switch {
	case r.Temporary():
		return secret.Text{}, 0, r.Refuse(authz.Unavailable, "no token for the sidecar")
	case r.Status >= 300:
		return secret.Text{}, 0, r.Refuse(authz.Misconfigured,
			"it refuses the sidecar's credentials or its request for a token")
	case r.Status != http.StatusOK || r.Over || !r.IsJSON() || json.Unmarshal(r.Body, &body) != nil:
		return secret.Text{}, 0, r.Refuse(authz.Unavailable, "this is no answer of a token endpoint")
	case body.Token == "" || strings.ContainsFunc(body.Token, notInBearerToken):
		return secret.Text{}, 0, r.Refuse(authz.Unavailable, "there is no token in the answer")
	case !strings.EqualFold(body.Type, "Bearer"):
		return secret.Text{}, 0, r.Refuse(authz.Misconfigured, "the token for the sidecar is no Bearer token")
	}
	return secret.New(body.Token), lifeOf(body.Life), nil
}

// lifeOf reads expires_in, which some servers write as a text.
func lifeOf(v jsontext.Value) time.Duration {
	s := strings.Trim(string(v), `"`)
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil || seconds != seconds { // absent, null, or no number
		return defaultTokenLife
	}
	return time.Duration(min(max(seconds, minTokenLife.Seconds()), maxTokenLife.Seconds()) * float64(time.Second))
}
