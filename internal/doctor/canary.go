package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

const instead = "ask about a token that must be good instead: sidecar introspect"

// canary gets a token for the sidecar itself and looks at it as serve would. A server that calls a token inactive that
// it issued a moment ago has a reason that callers cannot see. A server that issues tokens that this mode cannot read
// does so for callers too.
func (e *exam) canary(ctx context.Context, doc *oauth.Metadata) {
	if !e.cfg.Reached().Client.CanGetToken() || e.cfg.Endpoint.TokenEndpoint == "" &&
		(doc == nil || doc.Member(string(oauth.TokenEndpoint)) == "") {
		if e.asks() {
			e.found("canary", Doubt, instead, "the sidecar cannot get a token of its own")
		}
		return
	}
	tok, err := e.server.Token(ctx, e.cfg.CanaryScope())
	if err != nil {
		e.findings = append(e.findings, e.withoutToken(err))
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
		e.known(answer)
		return
	}
	e.unknown(tok, answer)
}

// known is about a canary that came back.
func (e *exam) known(answer introspect.Answer) {
	switch f := misplaced(e.cfg, answer); {
	case f != nil:
		f.Check = "canary"
		e.findings = append(e.findings, *f)
	case answer.Status == 0:
		e.found("canary", Good, "", "a token that the server issued to the sidecar itself is one that can be "+
			"validated locally")
	default:
		e.found("canary", Good, "", "the server calls a token active that it issued to the sidecar itself")
	}
}

// unknown is about a canary that did not come back. What the token is may be a fault, for all tokens will be so; for
// whom it is may be meant so.
func (e *exam) unknown(tok secret.Text, answer introspect.Answer) {
	const issued = "a token that the server issued to the sidecar a moment ago "
	if says, do := unreadable(e.cfg, tok); answer.Status == 0 && says != "" {
		e.found("canary", Fault, do, "%s%s", issued, says)
		return
	}
	if says, do := unverified(e.cfg, tok, answer.Claims.Inactive.Text); answer.Status == 0 && do != "" {
		e.found("canary", Fault, do, "%s%s%s", issued, answer.Claims.Inactive.Text, says)
		return
	}
	says, do := refused(e.cfg, tok, answer)
	if p, _ := payload(tok.Reveal()); len(e.cfg.CanaryScope()) == 0 && len(p.Audiences) == 0 {
		do = "it was got without a scope: set canary.scope to one of this API's (it needs canary.every), so that " +
			"the token is for it. Else: " + do
	}
	e.found("canary", Doubt, do, "%s%s%s", issued, answer.Claims.Inactive.Text, says)
}

// withoutToken says why there is no canary. Credentials have been seen to be right, where they are asked for at all.
func (e *exam) withoutToken(err error) Finding {
	client, advice := e.cfg.Reached().Client, e.cfg.Dialect.Advice(e.cfg.Endpoint.Client.ID)
	code := ""
	if f, ok := errors.AsType[*oauth.Failure](err); ok {
		code = f.Code
	}
	f := Finding{"canary", Doubt, fmt.Sprintf("the sidecar gets no token of its own (grant client_credentials): %v",
		err), instead}
	switch {
	case advice.OwnToken != "" && code == "invalid_client":
		return Finding{"canary", Good, advice.OwnToken + ": there is none to ask about", ""}
	case advice.OwnToken != "" && code == "unauthorized_client":
		f.Level, f.Says, f.Do = Fault, fmt.Sprintf("the server knows %q as a client: %s", client.ID,
			advice.Misplaced.Says), advice.Misplaced.Do
	case code == "invalid_token" && client.SignsAssertions():
		f.Level, f.Do = Fault, "the server does not take the client's assertion: "+assertionRemedy(e.cfg)
	case strings.Contains(err.Error(), "nor in endpoint_hosts"):
		f.Do = unreachable(err, "")
	case code == "invalid_scope" || code == "invalid_target":
		f.Do = "set canary.scope to what the client may have; or " + instead
	case code == "unauthorized_client":
		f.Do = "let the client use the grant client_credentials; or " + instead
	}
	return f
}

// misplaced is the finding that an answer shows that the sidecar is registered as something that is told too little.
func misplaced(cfg issuer.Config, answer introspect.Answer) *Finding {
	m := cfg.Dialect.Advice(cfg.Endpoint.Client.ID).Misplaced
	if m.Member == "" || answer.Status == 0 || !slices.Contains(names(answer.Claims.Raw), m.Member) {
		return nil
	}
	return &Finding{"token", Fault, m.Says, m.Do}
}
