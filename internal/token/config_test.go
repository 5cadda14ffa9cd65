package token_test

import (
	"slices"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/token"
)

func TestConfigFaults(t *testing.T) {
	for key, broken := range map[string]func(*token.Config){
		"dpop.public_base_url":  base("api.example"),
		"dpop.algorithms":       func(c *token.Config) { c.DPoP.Algorithms = nil },
		"dpop.nonce_secret":     func(c *token.Config) { c.DPoP.NonceSecret = secret.Source{Env: "X"} },
		"mtls.trusted_hops[1]":  func(c *token.Config) { c.MTLS.TrustedHops = []string{"10.0.0.0/8", "gateway"} },
		"mtls.header":           func(c *token.Config) { c.MTLS.Header = "ssl-client-cert" }, // and from is none
		"mtls.trusted_hops[0]":  func(c *token.Config) { c.MTLS.TrustedHops = []string{"10.0.0.0/33"} },
		"mtls.trusted_hops[2]":  func(c *token.Config) { c.MTLS.TrustedHops = []string{"unix", "::1", "::ffff:10.0.0.0/104"} },
		"mtls.trusted_hops":     func(c *token.Config) { c.MTLS.From, c.MTLS.TrustedHops = token.FromRequest, nil },
		"dpop.public_base_url ": base("https://api.example?x"),
		"mtls.header ":          func(c *token.Config) { c.MTLS.From, c.MTLS.Header = token.FromNginx, "a b" },
		"mtls.header  ":         func(c *token.Config) { c.MTLS.From, c.MTLS.Header = token.FromNginx, "Authorization" },
	} {
		var got []string
		accepting(broken).Check(func(key, _, _ string) { got = append(got, key) })
		want := []string{key}
		for len(want[0]) > 0 && want[0][len(want[0])-1] == ' ' {
			want[0] = want[0][:len(want[0])-1]
		}
		if !slices.Equal(got, want) {
			t.Errorf("faults %q, want %q", got, want)
		}
	}
}

func TestOffersFollowTheMode(t *testing.T) {
	for mode, want := range map[token.DPoPMode][]token.Scheme{token.Off: {token.Bearer}, "": {token.Bearer}, token.Accept: {token.Bearer, token.DPoP}, token.Required: {token.DPoP}} {
		o := proofs(t, accepting(func(c *token.Config) { c.DPoP.Mode = mode })).Presentation()
		if !slices.Equal(o.Schemes, want) || (o.Algorithms != "") != slices.Contains(want, token.DPoP) {
			t.Errorf("%s: %+v", mode, o)
		}
	}
}
