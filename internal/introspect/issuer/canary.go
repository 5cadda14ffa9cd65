package issuer

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// check reports a canary that could not be sent.
func (c Canary) check(cfg Config, fault func(key, cause, hint string)) {
	switch client := cfg.Reached().Client; {
	case c.Every == 0 && len(c.Scope) > 0:
		fault("canary.scope", "is set, and canary.every is not", "set canary.every, or remove the scope")
	case c.Every == 0:
	case c.Every < time.Second:
		fault("canary.every", fmt.Sprintf("%s is shorter than 1s", c.Every), "")
	case cfg.mode() == authz.ModeJWT:
		fault("canary.every", "is set, and mode jwt asks no server", "remove it, or choose another mode")
	case cfg.Dialect.Advice("").OwnToken != "":
		fault("canary.every", "is set, and "+cfg.Dialect.Advice("").OwnToken, "remove it")
	case !client.CanGetToken():
		fault("canary.every", fmt.Sprintf("is set, and client.auth %s gets no token of its own", client.Auth),
			"choose another method, or remove it")
	}
}

// CanaryScope are the scopes that the sidecar's own token is got with.
func (c Config) CanaryScope() []string {
	if c.Canary.Scope != nil {
		return c.Canary.Scope
	}
	return c.Endpoint.Client.Scope
}

// canary remembers how the latest question about the sidecar's own token ended.
type canary struct {
	every   time.Duration
	timeout time.Duration // of one question
	scope   []string
	missing atomic.Pointer[missing] // nil while it comes back
}

// missing is why a canary does not come back, and since when.
type missing struct {
	cause, outcome string
	since          time.Time
}

// Canary asks about a token of the sidecar's own, from time to time, until ctx ends. It returns at once when none is
// configured.
func (i *Issuer) Canary(ctx context.Context) {
	if i.canary.every == 0 {
		return
	}
	tick := time.NewTicker(i.canary.every)
	defer tick.Stop()
	for {
		i.send(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// send gets a token and asks about it.
func (i *Issuer) send(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*i.canary.timeout)
	defer cancel()
	var f introspect.Fact
	tok, err := i.server.Token(ctx, i.canary.scope)
	if err == nil {
		f, _, err = i.client.Diagnose(ctx, tok)
	}
	switch {
	case err == nil && (f.Claims.Active || forOthers(f.Claims.Inactive.Reason)):
		if i.canary.missing.Swap(nil) != nil {
			i.log.Info("canary came back", "issuer", i.name)
		}
	case err == nil:
		i.missed(status.CanaryInactive, "the server's own word on a token that it issued to the sidecar a moment ago: it "+
			f.Claims.Inactive.Text)
	case authz.KindOf(err) == authz.Unavailable:
		// Nothing new is known. It is no reason: every sidecar would be taken out of service at once.
	default:
		i.missed(status.CanaryRefused, err.Error())
	}
}

// forOthers reports whether the server tells about a token, which is then for another audience or of another tenant
// than those of callers. The sidecar's own token may well be: that says nothing about theirs.
func forOthers(why authz.UnusableReason) bool {
	return why == authz.WrongAudience || why == authz.WrongTenant
}

// missed records that the canary did not come back. Only one question about it is under way at a time.
func (i *Issuer) missed(outcome, cause string) {
	m := &missing{cause: cause, outcome: outcome, since: time.Now()}
	if before := i.canary.missing.Load(); before != nil {
		m.since = before.since
	} else {
		i.log.Error("canary did not come back: the server may no longer tell this client about tokens", "issuer",
			i.name, "cause", cause)
	}
	i.canary.missing.Store(m)
}

// needsToken adds what a canary needs to the endpoints that are needed.
func (c Config) needsToken(needs []oauth.Endpoint) []oauth.Endpoint {
	if c.Canary.Every > 0 {
		needs = append(needs, oauth.TokenEndpoint)
	}
	return needs
}
