package policytest

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/dialect"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/suggest"
	"github.com/authz-sidecar/sidecar/internal/yamlnode"
)

// configuredIssuers are those that read the answers of a suite that does not say how. Without a configuration the
// tenant is the member tenant, as sidecar dev and sidecar eval have it.
func configuredIssuers(cfg *config.Config) []issuer.Config {
	if len(cfg.Issuers) > 0 {
		return cfg.Issuers
	}
	return []issuer.Config{{
		Endpoint: oauth.Config{Name: "suite"}, Dialect: dialect.Config{Tenant: []string{"/tenant"}},
	}}
}

// issuer reads the name of a configured issuer, or how answers are read.
func (r *suiteReader) issuer(n *yamlnode.Node) issuer.Config {
	if n.Scalar() && n.Kind != yamlnode.Null {
		return r.namedIssuer(n)
	}
	c := issuer.Config{Endpoint: oauth.Config{Name: "suite"}}
	before := len(r.problems)
	r.mapping(n, "issuer", fields{
		"dialect":         r.text(&c.Dialect.Dialect),
		"issuer":          r.text(&c.Endpoint.Issuer),
		"audience":        r.texts(&c.Dialect.Audience),
		"absent_audience": r.text(&c.Dialect.AbsentAudience),
		"tenant":          r.texts(&c.Dialect.Tenant),
		"roles":           r.texts(&c.Dialect.Roles),
	})
	if _, err := issuer.Static(c, nil); err != nil && len(r.problems) == before {
		r.complain(n, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return c
}

func (r *suiteReader) namedIssuer(n *yamlnode.Node) issuer.Config {
	var names []string
	for _, c := range r.cfg.Issuers {
		if c.Endpoint.Name == n.Text {
			return c
		}
		names = append(names, c.Endpoint.Name)
	}
	switch meant := suggest.Closest(n.Text, names); {
	case names == nil:
		r.complain(n, "the configuration has no issuers: name a configuration, or write a mapping with dialect, "+
			"tenant ...")
	case meant != "":
		r.complain(n, "no configured issuer is called %q; did you mean %q?", n.Text, meant)
	default:
		r.complain(n, "no configured issuer is called %q, want one of %s", n.Text, strings.Join(names, ", "))
	}
	return issuer.Config{}
}

func (r *suiteReader) tokens(n *yamlnode.Node) map[string]answer {
	out := map[string]answer{}
	r.members(n, "tokens", func(k, v *yamlnode.Node) { out[k.Text] = r.answer(v) })
	return out
}

func (r *suiteReader) answer(v *yamlnode.Node) answer {
	if len(v.Members) == 1 {
		switch only := v.Members[0]; only.Key.Text {
		case "error":
			kinds := map[string]authz.Kind{"unavailable": authz.Unavailable, "misconfigured": authz.Misconfigured}
			kind, ok := kinds[only.Value.Text]
			if !ok {
				r.complain(only.Value, "error of a token must be unavailable or misconfigured")
			}
			return answer{fails: kind}
		case "jwt":
			return answer{claims: r.object(only.Value, "jwt")}
		}
	}
	return answer{json: r.object(v, "a token")}
}

// jwts complains of JWTs that no issuer could validate.
func (r *suiteReader) jwts(n *yamlnode.Node, s *Suite) {
	for _, name := range slices.Sorted(maps.Keys(s.tokens)) {
		if a := s.tokens[name]; a.claims != nil && s.issuerOf(a).Endpoint.Issuer == "" {
			r.complain(n, "token %q is a JWT, and its issuer has no identifier: say it as issuer in the "+
				"configuration, "+
				"or in the suite", name)
		}
	}
}

// issuerOf is the issuer that reads an answer: the one that its iss names, or else the first.
func (s *Suite) issuerOf(a answer) issuer.Config {
	var said struct {
		Iss string `json:"iss"`
	}
	raw := a.json
	if a.claims != nil {
		raw = a.claims
	}
	_ = json.Unmarshal(raw, &said) // an iss that is no text names none
	for _, c := range s.issuers {
		if said.Iss != "" && (said.Iss == c.Endpoint.Issuer || slices.Contains(c.Match.Issuers, said.Iss)) {
			return c
		}
	}
	return s.issuers[0]
}

// introspector answers with the named token of the suite. A credential that a case writes into its headers itself is
// unknown, so that it is not active.
func (s *Suite) introspector(name string, now time.Time) (*fixedAnswer, error) {
	a, ok := s.tokens[name]
	if !ok {
		a.json = []byte(`{"active":false}`)
	}
	var inner introspect.Introspector
	var err error
	if a.claims != nil {
		inner, err = issuer.StaticJWT(s.issuerOf(a), a.claims, now)
	} else {
		inner, err = issuer.Static(s.issuerOf(a), a.json)
	}
	if err != nil {
		return nil, err
	}
	return &fixedAnswer{inner: inner, fails: a.fails, now: now}, nil
}

// fixedAnswer is an introspector with one answer, which is fetched at the time of the case.
type fixedAnswer struct {
	inner introspect.Introspector
	fails authz.Kind
	now   time.Time
}

func (a *fixedAnswer) Introspect(ctx context.Context, q introspect.Question) (*authz.Claims, error) {
	if a.fails != 0 {
		return nil, authz.Errorf(a.fails, "ask about the token: the suite says that this fails")
	}
	claims, err := a.inner.Introspect(ctx, q)
	if err != nil {
		return nil, err
	}
	claims.Fetched = a.now
	return claims, nil
}

// bound returns the key the token is bound to, if there is an answer that says so.
func (a *fixedAnswer) bound(ctx context.Context) authz.Confirmation {
	claims, err := a.Introspect(ctx, introspect.Question{Token: secret.New(tokenText)})
	if err != nil {
		return authz.Confirmation{}
	}
	return claims.Confirmation
}
