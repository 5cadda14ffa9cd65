package authserver

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

const (
	usualLife  = time.Minute // of a token whose lifetime the server does not say
	shortLife  = time.Second
	longLife   = 24 * time.Hour
	renewFirst = 30 * time.Second // before a token ends; a tenth of its life when that is less
	renewPause = time.Second      // after a renewal that did not succeed, while the token is still good
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

// grant keeps the access token that the sidecar introspects with: RFC 6749 section 4.4. All who need one share one flight,
// and nobody waits for a token that is renewed in time.
type grant struct {
	ask func(context.Context) (*granted, error)

	mu      sync.Mutex
	current *granted
	pending *tokenFlight
	refused bool // the last one was
	renewAt time.Time
	closed  bool

	flights sync.WaitGroup
	ctx     context.Context // of the flights, which outlive the requests that start them
	cancel  context.CancelFunc
}

type tokenFlight struct {
	done chan struct{}
	got  *granted
	err  error
}

func newGrant(ask func(context.Context) (*granted, error)) *grant {
	g := &grant{ask: ask}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// token is a token that has not ended. It waits only when there is none.
func (g *grant) token(ctx context.Context) (*granted, error) {
	f, t := g.join(time.Now())
	if t != nil {
		return t, nil
	}
	if f == nil {
		return nil, authz.E(authz.Unavailable, "get a token: shutting down")
	}
	select {
	case <-f.done:
		return f.got, f.err
	case <-ctx.Done():
		return nil, &authz.Error{Kind: authz.Unavailable, Err: &Failure{Nature: natureOf(authz.Unavailable, ctx.Err()), text: "get a token: no answer in time"}}
	}
}

// join returns the token that can be used, or the flight that will bring one.
func (g *grant) join(now time.Time) (*tokenFlight, *granted) {
	g.mu.Lock()
	defer g.mu.Unlock()
	good := g.current != nil && now.Before(g.current.ends)
	if good && (now.Before(g.current.renew) || now.Before(g.renewAt) || g.closed) {
		return nil, g.current
	}
	if g.pending == nil && !g.closed {
		f := &tokenFlight{done: make(chan struct{})}
		g.pending = f
		g.flights.Go(func() { g.fly(f) })
	}
	if good {
		return nil, g.current
	}
	return g.pending, nil
}

func (g *grant) fly(f *tokenFlight) {
	f.got, f.err = g.ask(g.ctx)
	g.mu.Lock()
	g.pending = nil
	if f.err != nil {
		g.renewAt = time.Now().Add(renewPause)
	} else {
		f.got.replaces, g.refused = g.refused, false
		g.current = f.got
	}
	g.mu.Unlock()
	close(f.done)
}

// refuse forgets t, which the server refused, and reports whether another one may be better. One that was just got in place of
// a refused one tells that it is not the token that is refused.
func (g *grant) refuse(t *granted) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.current != t {
		return true
	}
	if t.replaces && time.Since(t.got) < renewPause {
		return false
	}
	g.current, g.refused = nil, true
	return true
}

func (g *grant) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.cancel()
	g.flights.Wait()
}

// askGranted asks with an access token, and once more with a new one when the first is refused, or the certificate that it
// was got with.
func (s *Server) askGranted(ctx context.Context, q question) (r Reply, err error) {
	for range 2 {
		t, failed := s.grant.token(ctx)
		if failed != nil {
			return Reply{Endpoint: q.endpoint}, failed
		}
		r, err = s.post(ctx, t.as, q, "Bearer "+t.token.Reveal())
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
	endpoint, err := s.Find(ctx, TokenEndpoint)
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
	case r.Status == http.StatusTooManyRequests || r.Status >= 500:
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
