package testkit_test

import (
	"crypto/x509"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestAnAuthorityIssuesCertificatesThatItsPoolTrusts(t *testing.T) {
	a := testkit.NewAuthority(t)
	for name, c := range map[string]struct {
		certificate testkit.Certificate
		usage       x509.ExtKeyUsage
	}{
		"127.0.0.1":      {a.Server(t), x509.ExtKeyUsageServerAuth},
		"client.example": {a.Client(t, "client.example"), x509.ExtKeyUsageClientAuth},
	} {
		options := x509.VerifyOptions{DNSName: name, Roots: a.Pool(), KeyUsages: []x509.ExtKeyUsage{c.usage}}
		if _, err := c.certificate.Leaf.Verify(options); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		options.Roots = testkit.SelfSigned(t).Pool()
		if _, err := c.certificate.Leaf.Verify(options); err == nil {
			t.Errorf("%s: another pool trusts it too", name)
		}
	}
}

func TestAProofIsSignedByTheKeyInItsHeader(t *testing.T) {
	proof := testkit.NewProofKey(t).Proof(t, "GET", "https://api.example/", "token", nil)
	expect := jose.Expect{Types: []string{"dpop+jwt"}, Algorithms: []string{"ES256"}}
	if _, _, err := jose.VerifyEmbedded(proof, expect); err != nil {
		t.Error(err)
	}
}
