package doctor

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// Diagnose says what an uncached answer about tok means: why there is none, why the token is not active, or what of an
// active one will keep it from being accepted. answer and err are those of issuer.Issuer.Ask.
func Diagnose(cfg issuer.Config, tok secret.Text, answer introspect.Answer, err error, now time.Time) []Finding {
	var out []Finding
	if f, ok := skew(answer.Date, now); ok && f.Level != Good {
		out = append(out, f)
	}
	if err != nil {
		return append(out, explain(cfg, answer, err))
	}
	c := answer.Claims
	if f := misplaced(cfg, answer); f != nil {
		out = append(out, *f)
	}
	if !c.Active {
		return append(out, notActive(cfg, tok, answer))
	}
	if why := c.Usable(now); !why.OK() {
		out = append(out, Finding{"token", Fault, "the server calls it active, and it must not be used: it " +
			why.Text, usableRemedy(c)})
	}
	return append(out, remarks(cfg, c)...)
}

// notActive is about a token that was refused here, by the server, or by the configuration against the server's word.
func notActive(cfg issuer.Config, tok secret.Text, answer introspect.Answer) Finding {
	why := answer.Claims.Inactive.Text
	if says, do := unreadable(cfg, tok); answer.Status == 0 && says != "" {
		return Finding{"token", Fault, "the server was not asked: it " + says, do}
	}
	says, do := refused(cfg, tok, answer)
	switch {
	case answer.Status == 0:
		return Finding{"token", Fault, "the server was not asked: it " + why + says, do}
	case calledActive(answer):
		return Finding{"token", Fault, "the server calls it active, and the configuration refuses it: it " + why +
			says, do}
	}
	return Finding{"token", Fault, "it " + why + says, do}
}

func usableRemedy(c *authz.Claims) string {
	switch c.Kind {
	case authz.RefreshToken, authz.IDToken:
		return "send the access token: the client has mixed up what the token endpoint gave it"
	}
	return "get a new one, and compare the clocks"
}

// calledActive reports whether the server itself said so.
func calledActive(a introspect.Answer) bool {
	said, _ := jose.ReadClaims(answered(a))
	return said.Value("active").Kind() == 't'
}

// answered is the answer itself, out of its signature where it has one.
func answered(a introspect.Answer) []byte {
	if a.Verified != nil {
		return a.Verified
	}
	return a.Body
}

// Unclaimed says why a token may be no configured issuer's. It is a JWT then whose iss is spelled another way, most
// often.
func Unclaimed(cfgs []issuer.Config, tok secret.Text) []Finding {
	p, ok := payload(tok.Reveal())
	if !ok || p.Issuer == "" {
		return nil
	}
	var out []Finding
	for _, c := range cfgs {
		if c.Endpoint.Issuer != "" {
			out = append(out, Finding{"token", Fault,
				fmt.Sprintf("it names %s as its issuer, and issuer %s is %q: %s", quoted(p.Issuer), c.Endpoint.Name,
					c.Endpoint.Issuer, difference(c.Endpoint.Issuer, p.Issuer)),
				"write issuer as tokens spell it, or list that spelling in match.issuers; a client gets it by " +
					"reaching the server by that name"})
		}
	}
	return out
}

// remarks are about an active token: what of it the configuration does not make use of.
func remarks(cfg issuer.Config, c *authz.Claims) []Finding {
	var out []Finding
	doubt := func(do, format string, args ...any) {
		out = append(out, Finding{"token", Doubt, fmt.Sprintf(format, args...), do})
	}
	if len(cfg.Dialect.Tenant) > 0 && c.Tenant == "" {
		doubt("the answer has "+strings.Join(names(c.Raw), ", "), "none of the tenant pointers %q finds a string",
			cfg.Dialect.Tenant)
	}
	if len(cfg.Dialect.Audience) == 0 && c.Audiences != nil {
		doubt(fmt.Sprintf("set audience to one of %q, if that is this API", c.Audiences),
			"no audience is configured: tokens for any API pass to the policies")
	}
	if len(c.Scopes) == 0 {
		doubt(cmp.Or(cfg.Dialect.Advice(cfg.Endpoint.Client.ID).NoScope,
			"ask for a scope when the token is got, and compare what the server tells this client"), "the answer names no scope: a policy that wants one refuses the token")
	}
	if left := leftOut(c); len(left) > 0 {
		doubt("let the server write names, or lists of names; a configured pointer in roles can lead further into it",
			"of %s, what is no text is left out: it gives the token nothing", strings.Join(left, ", "))
	}
	if c.Confirmation.Bound() {
		doubt("send the proof with each request, or the client's certificate: see proof in the configuration",
			"the token is bound to a key, and is accepted from its holder only")
	}
	if c.Confirmation.Unknown != "" {
		out = append(out, Finding{"token", Fault, "the token is bound in a way that is not understood",
			"let the server bind by DPoP (jkt) or by certificate (x5t#S256)"})
	}
	if c.Kind == authz.UnknownToken {
		doubt("set dialect to the kind of this server, and refused_prefixes if its refresh tokens can be told by "+
			"how they begin", "nothing in the answer says that this is an access token")
	}
	return out
}

// leftOut are the members that give a token something, and hold what is no name: objects, most often.
func leftOut(c *authz.Claims) []string {
	m, _ := jose.ReadClaims(c.Raw) // it has been read before
	return slices.DeleteFunc([]string{"roles", "groups", "permissions", "scope", "scp"}, func(name string) bool {
		_, err := m.Names(name)
		return err == nil
	})
}

// claims of a JWT that is not verified, as far as they can be read.
type claims struct {
	Issuer, Type               string
	Audiences                  []string
	Expires, NotBefore, Issued int64
}

func payload(token string) (claims, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims{}, false
	}
	return read(b)
}

func read(b []byte) (c claims, ok bool) {
	m, ok := jose.ReadClaims(b)
	c.Issuer, _ = m.Text("iss")
	c.Type, _ = m.Text("typ")
	c.Audiences, _ = m.Names("aud")
	c.Expires, _ = m.Time("exp", jose.Down)
	c.NotBefore, _ = m.Time("nbf", jose.Up)
	c.Issued, _ = m.Time("iat", jose.Down)
	return c, ok
}

// names lists the members of an answer.
func names(raw []byte) []string {
	m, _ := jose.ReadClaims(raw) // claims hold valid JSON
	var out []string
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
