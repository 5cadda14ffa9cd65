package doctor

import (
	"context"
	"time"
)

// canary gets a token for the sidecar itself and asks about it. A server that says that a token it issued a moment ago is
// not active has a reason that no caller will ever see.
func (e *exam) canary(ctx context.Context, doc *Metadata) {
	const instead = "ask about a token that must be good instead: sidecar introspect"
	auth := e.cfg.Server.Client.Auth
	if auth == "bearer" || auth == "none" || e.cfg.Server.TokenEndpoint == "" && (doc == nil || doc.Token == "") {
		e.found("canary", Doubt, instead, "the sidecar cannot get a token of its own")
		return
	}
	tok, _, err := e.server.Token(ctx, e.cfg.Server.Client.Scope)
	if err != nil {
		e.found("canary", Doubt, instead, "the sidecar gets no token of its own (grant client_credentials): %v", err)
		return
	}
	if p, ok := payload(tok.Reveal()); ok && p.Issued != 0 && !e.clocked {
		e.clock(time.Unix(p.Issued, 0), time.Now()) // Keycloak's answers have no Date
	}
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
	says, do := inactive(e.cfg, tok)
	e.found("canary", Doubt, do, "a token that the server issued to the sidecar a moment ago %s%s", answer.Claims.Why, says)
}
