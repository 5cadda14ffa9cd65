package testkit

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// Certificate is a certificate with its key and its parsed form, Leaf.
type Certificate struct{ tls.Certificate }

// PEM is the certificate as a file has it.
func (c Certificate) PEM() string { return CertificatePEM(c.Leaf) }

// KeyPEM is the key as a file has it: PKCS #8.
func (c Certificate) KeyPEM(t testing.TB) string {
	t.Helper()
	return KeyPEM(t, c.PrivateKey)
}

// CertificatePEM is a certificate as a file has it.
func CertificatePEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// Files writes the certificate and its key into two files of a new directory.
func (c Certificate) Files(t testing.TB) (certificate, key string) {
	t.Helper()
	dir := t.TempDir()
	return WriteFile(t, filepath.Join(dir, "tls.crt"), c.PEM()),
		WriteFile(t, filepath.Join(dir, "tls.key"), c.KeyPEM(t))
}

// Pool trusts what this certificate signed, and nothing else.
func (c Certificate) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.Leaf)
	return pool
}

// SelfSigned makes a certificate that signed itself, for a server at 127.0.0.1 or localhost and for clients. Its
// serial number tells it from others.
func SelfSigned(t testing.TB) Certificate {
	t.Helper()
	return SelfSignedAs(t, x509.Certificate{
		Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
}

// SelfSignedAs is SelfSigned by a template. A serial number and a time of validity that it lacks are made up.
func SelfSignedAs(t testing.TB, template x509.Certificate) Certificate {
	t.Helper()
	key := NewKey(t)
	return certify(t, template, key, template, key)
}

// Authority is a certificate authority.
type Authority struct{ Certificate }

// NewAuthority makes a certificate authority.
func NewAuthority(t testing.TB) Authority {
	t.Helper()
	return Authority{SelfSignedAs(t, x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	})}
}

// Server makes a certificate for a server at 127.0.0.1 or localhost.
func (a Authority) Server(t testing.TB) Certificate {
	t.Helper()
	return a.Issue(t, x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// Client makes a certificate for a client with a DNS name.
func (a Authority) Client(t testing.TB, name string) Certificate {
	t.Helper()
	return a.Issue(t, ClientTemplate(name))
}

// ClientTemplate is what a certificate for a client with a DNS name says.
func ClientTemplate(name string) x509.Certificate {
	return x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

// Issue makes a certificate by a template, with a new key.
func (a Authority) Issue(t testing.TB, template x509.Certificate) Certificate {
	t.Helper()
	return certify(t, template, NewKey(t), *a.Leaf, a.PrivateKey.(crypto.Signer))
}

// certify signs the certificate of key with the key of its parent.
func certify(
	t testing.TB, template x509.Certificate, key crypto.Signer, parent x509.Certificate, by crypto.Signer,
) Certificate {
	t.Helper()
	if template.SerialNumber == nil {
		serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
		if err != nil {
			t.Fatal(err)
		}
		template.SerialNumber = serial
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(24 * time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return Certificate{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}}
}
