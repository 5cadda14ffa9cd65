package doctor

import (
	"context"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// canary gets a token for the sidecar itself and asks about it. A server that says that a token it issued a moment ago is
// not active has a reason that no caller will ever see.
func (e *exam) canary(ctx context.Context, doc *Metadata) {
	endpoint := e.cfg.Server.TokenEndpoint
	if endpoint == "" && doc != nil {
		endpoint = doc.Token
	}
	switch e.cfg.Server.Client.Auth {
	case "bearer", "none":
		endpoint = ""
	}
	const instead = "ask about a token that must be good instead: sidecar introspect"
	if endpoint == "" {
		e.found("canary", Doubt, instead, "the sidecar cannot get a token of its own")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*e.cfg.Server.Timeout)
	defer cancel()
	form := url.Values{"grant_type": {"client_credentials"}}
	if scope := strings.Join(e.cfg.Server.Client.Scope, " "); scope != "" {
		form.Set("scope", scope)
	}
	r, err := e.server.Post(ctx, endpoint, form, "application/json")
	if err != nil {
		e.found("canary", Doubt, instead, "%v", err)
		return
	}
	var granted struct {
		Token string `json:"access_token"`
	}
	if r.Status != 200 || !r.IsJSON() || json.Unmarshal(r.Body, &granted) != nil || granted.Token == "" {
		e.found("canary", Doubt, instead, "the client may not have a token of its own (grant client_credentials: status %d %s)", r.Status, r.OAuthError())
		return
	}
	tok := secret.New(granted.Token)
	answer, err := e.issuer.Ask(ctx, tok)
	if err != nil {
		f := explain(e.cfg, answer, err)
		f.Check = "canary"
		e.findings = append(e.findings, f)
		return
	}
	if answer.Claims.Active {
		e.found("canary", Good, "", "the server calls a token active that it issued to the sidecar itself")
		return
	}
	says, do := inactive(e.cfg, tok, answer.Claims)
	e.found("canary", Doubt, do, "a token that the server issued to the sidecar a moment ago %s: %s", answer.Claims.Why, says)
}
