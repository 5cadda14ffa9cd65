package proof_test

import (
	"slices"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/token"
)

func TestConfigFaults(t *testing.T) {
	for key, broken := range map[string]func(*proof.Config){
		"dpop.public_base_url":    base("api.example"),
		"dpop.algorithms":         func(c *proof.Config) { c.DPoP.Algorithms = nil },
		"dpop.nonce_secret":       func(c *proof.Config) { c.DPoP.NonceSecret = secret.Source{Env: "X"} },
		"mtls.trusted_proxies[1]": func(c *proof.Config) { c.MTLS.TrustedProxies = []string{"10.0.0.0/8", "gateway"} },
		"mtls.header":             func(c *proof.Config) { c.MTLS.Header = "ssl-client-cert" }, // and from is none
		"mtls.trusted_proxies[0]": func(c *proof.Config) { c.MTLS.TrustedProxies = []string{"10.0.0.0/33"} },
		"mtls.trusted_proxies[2]": func(c *proof.Config) {
			c.MTLS.TrustedProxies = []string{"unix", "::1", "::ffff:10.0.0.0/104"}
		},
		"mtls.trusted_proxies": func(c *proof.Config) {
			c.MTLS.From, c.MTLS.TrustedProxies = proof.FromRequest,
				nil
		},
		"dpop.public_base_url ": base("https://api.example?x"),
		"mtls.header ":          func(c *proof.Config) { c.MTLS.From, c.MTLS.Header = proof.FromNginx, "a b" },
		"mtls.header  ": func(c *proof.Config) {
			c.MTLS.From, c.MTLS.Header = proof.FromNginx,
				"Authorization"
		},
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

func TestPresentationFollowsTheMode(t *testing.T) {
	for mode, want := range map[proof.DPoPMode][]token.Scheme{proof.Off: {token.Bearer}, "": {token.Bearer},
		proof.Accept: {token.Bearer, token.DPoP}, proof.Required: {token.DPoP}} {
		o := proofs(t, accepting(func(c *proof.Config) { c.DPoP.Mode = mode })).Presentation()
		if !slices.Equal(o.Schemes, want) || (o.Algorithms != "") != slices.Contains(want, token.DPoP) {
			t.Errorf("%s: %+v", mode, o)
		}
	}
}
