package proof_test

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/token"
)

func base(url string) func(*proof.Config) {
	return func(c *proof.Config) { c.DPoP.PublicBaseURL = url }
}

// matches checks a proof for htu against a request for url.
func matches(t *testing.T, p *proof.Verifier, h *holder, url, htu string) error {
	t.Helper()
	q := asked(h.proof(t, claim("htu", htu)))
	q.Request.URL = url
	return verify(p, h.bound(), as(token.DPoP), q, aTime)
}

func TestDPOP9_SpellingsOfOneURIAreEqual(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting())
	for _, c := range [][2]string{
		{"https://api.example/orders", "https://api.example/orders"},
		{"https://api.example/orders?x=1&y=%20", "https://api.example/orders"},
		{"https://api.example/orders", "https://api.example/orders?x=1#y"},
		{"HTTPS://API.Example/orders", "https://api.example/orders"},
		{"https://api.example:443/orders", "https://api.example/orders"},
		{"http://api.example/orders", "http://api.example:80/orders"},
		{"https://api.example:/orders", "https://api.example/orders"},
		{"https://api.example:08443/", "https://api.example:8443/"},
		{"https://api.example", "https://api.example/"},
		{"https://api.example?x", "https://api.example"},
		{"https://api.example./a", "https://api.example/a"},
		{"https://api.example/%7Ealice/a%2Db", "https://api.example/~alice/a-b"},
		{"https://api.example/a%2fb", "https://api.example/a%2Fb"},
		{"https://api.example/a/./b/../c", "https://api.example/a/c"},
		{"https://api.example/a/b/..", "https://api.example/a/"},
		{"https://api.example/a/%2E%2e/b", "https://api.example/b"},
		{"https://api.example/../../b", "https://api.example/b"},
		{"https://api.example/ü|", "https://api.example/%c3%bc%7C"},
		{"https://[2001:DB8::1]:443/a", "https://[2001:db8::1]/a"},
	} {
		if err := matches(t, p, h, c[0], c[1]); err != nil {
			t.Errorf("%s for %s: %v", c[1], c[0], err)
		}
	}
}

func TestDPOP9_OtherURIsAreOther(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting())
	for _, c := range [][2]string{
		{"https://api.example/orders", "http://api.example/orders"},
		{"https://api.example/orders", "https://api.example/Orders"},
		{"https://api.example/orders", "https://api.example/orders/"},
		{"https://api.example/orders", "https://api.example:8443/orders"},
		{"https://api.example/orders", "https://other.example/orders"},
		{"https://api.example/a/b", "https://api.example/a%2Fb"},
		{"https://api.example/a%3Fb", "https://api.example/a?b"},
		{"https://api.example/a%23b", "https://api.example/a#b"},
		{"https://api.example/a;b", "https://api.example/a%3Bb"},
		{"https://api.example/a/b", "https://api.example/a//b"},
		{"https://api.example/a", "https://api.example/a%"},
		{"https://api.example/a", "https://api.example/a%2"},
		{"https://api.example/a", "https://api.example/%zz"},
		{"https://api.example/a", "https://user@api.example/a"},
		{"https://api.example/a", "https://api.example:0/a"},
		{"https://api.example/a", "https://api.example:x/a"},
		{"https://api.example/a", "https:///a"},
		{"https://api.example/a", "//api.example/a"},
		{"https://api.example/a", "/a"},
		{"https://api.example/a", "api.example/a"},
		{"https://api.example/a", "ftp://api.example/a"},
		{"https://api.example/a", "https://[::1/a"},
		{"https://api.example/a", "https://api.example\\@evil.example/a"},
	} {
		wantRefusal(t, c[1]+" for "+c[0], matches(t, p, h, c[0], c[1]), proof.CodeInvalidProof)
	}
}

func TestDPOP21_PublicBaseURLStandsForSchemeAndHost(t *testing.T) {
	h := newHolder(t)
	for _, c := range []struct{ base, url, htu string }{
		{"https://api.example", "/orders?x=1", "https://api.example/orders"},
		{"https://api.example/", "http://10.1.2.3:8080/orders", "https://api.example/orders"},
		{"https://API.example:443", "http://internal?x=1", "https://api.example"},
		{"https://api.example/v1", "/orders", "https://api.example/v1/orders"},
		{"https://api.example/v1/", "http://internal/", "https://api.example/v1/"},
		{"http://api.example:8080", "/a", "http://api.example:8080/a"},
	} {
		p := proofs(t, accepting(base(c.base)))
		wantPass(t, c.htu, matches(t, p, h, c.url, c.htu))
		wantRefusal(t, "the URL of the request where it is not the public one",
			matches(t, p, h, "http://internal/orders", "http://internal/orders"), proof.CodeInvalidProof)
	}
}

func TestDPOP21_NoHeaderOfTheRequestStandsForSchemeAndHost(t *testing.T) {
	h, p := newHolder(t), proofs(t, accepting())
	q := asked(h.proof(t))
	q.Request.URL = "/orders"
	for name, value := range map[string]string{
		"host": "api.example", "x-forwarded-host": "api.example", "x-forwarded-proto": "https",
		"forwarded": "host=api.example;proto=https", "x-original-url": aURL,
	} {
		q.Request.Headers[name] = []string{value}
	}
	if err := verify(p, h.bound(), as(token.DPoP), q, aTime); authz.KindOf(err) != authz.Misconfigured {
		t.Errorf("got %v", err)
	}
}
