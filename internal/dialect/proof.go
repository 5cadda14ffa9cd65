package dialect

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
)

// authenticationOf reads how and when the user logged in (RFC 9470 section 6.2). One server writes a date as
// auth_time: no fact then, and a max_age that is asked for is not met.
func authenticationOf(m *members, c clock) authz.Authentication {
	a := authz.Authentication{AMR: set(m.list("amr", m.Value("amr"))), Time: m.event("auth_time", c)}
	a.ACR, _ = m.Name("acr") // some servers have levels, and write numbers
	a.Level, a.HasLevel = m.Int("auth_level")
	return a
}

// actorOf reads the outermost actor (RFC 8693 section 4.1), which some servers write as a plain name. Nil when there
// is none.
func actorOf(m *members) *authz.Actor {
	v := m.Value("act")
	if v.Kind() == '{' {
		act, _ := jose.ReadClaims(v)
		in := &members{Claims: act}
		a := authz.Actor{Subject: in.name("sub"), ClientID: in.name("client_id")}
		if in.err != nil {
			m.fail(fmt.Errorf("member \"act\": %w", in.err))
		}
		if a == (authz.Actor{}) {
			return nil
		}
		return &a
	}
	if s := m.name("act"); s != "" {
		return &authz.Actor{Subject: s}
	}
	return nil
}

// confirmationOf reads the key a token is bound to (RFC 7800). Whatever is there and is not understood still binds: a
// token must not become a bearer token because its binding was misspelt.
func confirmationOf(m *members) authz.Confirmation {
	var c authz.Confirmation
	if m.has("cnf") {
		c = methodsOf(m.Object("cnf"))
	}
	for _, t := range []string{m.text("token_type"), m.text("typ")} {
		if strings.EqualFold(t, "DPoP") && c.JKT == "" && c.Unknown == "" {
			c.Unknown = "dpop without jkt" // RFC 9449 section 6.2
		}
	}
	return c
}

// methodsOf knows three methods and one annotation, which says nothing about the key. A whole key (RFC 7800 section
// 3.2) is as good as its thumbprint, unless there are two that differ.
func methodsOf(cnf jose.Claims) authz.Confirmation {
	var c authz.Confirmation
	for _, name := range slices.Sorted(maps.Keys(cnf)) {
		value, _ := cnf.Text(name)
		switch {
		case name == "kc-jkt-type", !cnf.Has(name):
		case name == "jkt" && value != "":
			c.JKT = value
		case name == "x5t#S256" && value != "":
			c.X5T = value
		case name == "jwk" && keyIs(cnf[name], c.JKT):
			c.JKT, _ = jose.Thumbprint(cnf[name])
		case c.Unknown == "":
			c.Unknown = cmp.Or(name, "cnf")
		}
	}
	if !c.Bound() {
		c.Unknown = "cnf"
	}
	return c
}

// keyIs reports whether key is a public key, and the one that thumbprint names, if it names one.
func keyIs(key jsontext.Value, thumbprint string) bool {
	t, err := jose.Thumbprint(key)
	return err == nil && (thumbprint == "" || thumbprint == t)
}
