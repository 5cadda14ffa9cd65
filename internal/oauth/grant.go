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
	usualLife  = time.Minute // of a token whose lifetime the server does not say
	shortLife  = time.Second
	longLife   = 24 * time.Hour
	renewFirst = 30 * time.Second // before a token ends; a tenth of its life when that is less
	renewPause = time.Second      // in which a token that replaced a refused one is not replaced again
)

// granted is an access token of ours.
type granted struct {
	token secret.Text
	// as is who got it: a token may be bound to the certificate that it was got with (RFC 8705 section 3).
	as          identity
	got         time.Time
	renew, ends time.Time
	replaces    bool // another one that was refused
}

// grant keeps the access token that the sidecar introspects with: RFC 6749 section 4.4. Callers wait only when there is none:
// it is renewed in time.
type grant struct {
	tokens  *fetch.Value[*granted]
	refused atomic.Bool // the last one was
}

func newGrant(ask func(context.Context) (*granted, error)) *grant {
	g := &grant{}
	g.tokens = fetch.New(fetch.Config[*granted]{
		Name: "get a token",
		Fetch: func(ctx context.Context) (*granted, error) {
			t, err := ask(ctx)
			if err == nil {
				t.replaces = g.refused.Swap(false)
			}
			return t, err
		},
		Lifetime: func(t *granted, _ time.Time) (renew, end time.Time) { return t.renew, t.ends },
	})
	return g
}

// token is a token that has not ended.
func (g *grant) token(ctx context.Context) (*granted, error) {
	t, err := g.tokens.Get(ctx)
	if late := ctx.Err(); err != nil && late != nil {
		return nil, &authz.Error{Kind: authz.Unavailable, Err: &Failure{Reason: reasonOf(authz.Unavailable, late), text: "get a token: no answer in time"}}
	}
	return t, err
}

// refuse forgets t, which the server refused, and reports whether another one may be better. One that was just got in place of
// a refused one tells that it is not the token that is refused.
func (g *grant) refuse(t *granted) bool {
	current := func(k *granted) bool { return k == t }
	switch k := g.tokens.Kept(); {
	case k == nil || !current(k.Value):
		return true
	case t.replaces && time.Since(t.got) < renewPause:
		return false
	}
	g.refused.Store(true)
	g.tokens.Forget(current)
	return true
}

// askGranted asks with an access token, and once more with a new one when the first is refused, or the certificate that it
// was got with.
func (s *Server) askGranted(ctx context.Context, q question) (r Reply, err error) {
	for range 2 {
		t, failed := s.grant.token(ctx)
		if failed != nil {
			return Reply{Endpoint: q.endpoint}, failed
		}
		q.header = http.Header{"Authorization": {"Bearer " + t.token.Reveal()}}
		r, err = s.post(ctx, t.as, q)
		if !s.outlived(t, r, err) || !s.grant.refuse(t) {
			break
		}
	}
	return r, s.describe(r, err)
}

// outlived reports whether an exchange says that a token is of no use any more. It goes with the certificate that it was got
// with; where a connection only breaks off, that must have been replaced, for a server that is ill is no reason to lose a
// good token.
func (s *Server) outlived(t *granted, r Reply, err error) bool {
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

// Token gets a fresh access token for the sidecar itself by the client_credentials grant (RFC 6749 section 4.4), and says
// how long it lives. The token endpoint must be among Needs or Wants. See Post for the error.
func (s *Server) Token(ctx context.Context, scope []string) (secret.Text, time.Duration, error) {
	g, err := s.askForToken(ctx, scope)
	if err != nil {
		return secret.Text{}, 0, err
	}
	return g.token, g.ends.Sub(g.got), nil
}

func (s *Server) askForToken(ctx context.Context, scope []string) (*granted, error) {
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
	return &granted{token: token, as: as, got: got, renew: ends.Add(-min(renewFirst, life/10)), ends: ends}, nil
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
		return secret.Text{}, 0, r.Refuse(authz.Unavailable, "no token for ourselves")
	case r.Status >= 300:
		return secret.Text{}, 0, r.Refuse(authz.Misconfigured, "it refuses our credentials or our request for a token")
	case r.Status != http.StatusOK || r.Over || !r.IsJSON() || json.Unmarshal(r.Body, &body) != nil:
		return secret.Text{}, 0, r.Refuse(authz.Unavailable, "this is no answer of a token endpoint")
	case body.Token == "" || strings.ContainsFunc(body.Token, notInHeader):
		return secret.Text{}, 0, r.Refuse(authz.Unavailable, "there is no token in the answer")
	case !strings.EqualFold(body.Type, "Bearer"):
		return secret.Text{}, 0, r.Refuse(authz.Misconfigured, "the token for ourselves is no Bearer token")
	}
	return secret.New(body.Token), lifeOf(body.Life), nil
}

// lifeOf reads expires_in, which some servers write as a text.
func lifeOf(v jsontext.Value) time.Duration {
	s := strings.Trim(string(v), `"`)
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil || seconds != seconds { // absent, null, or no number
		return usualLife
	}
	return time.Duration(min(max(seconds, shortLife.Seconds()), longLife.Seconds()) * float64(time.Second))
}
