//go:build real

package realtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
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

// authority is a certificate authority that lives as long as a test.
type authority struct{ root tls.Certificate }

func newAuthority(t *testing.T) *authority {
	t.Helper()
	return &authority{certify(t, nil, x509.Certificate{
		Subject: pkix.Name{CommonName: "throw-away authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})}
}

// pool trusts this authority and no other.
func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root.Leaf)
	return pool
}

// server is a certificate for 127.0.0.1 and localhost.
func (a *authority) server(t *testing.T) tls.Certificate {
	t.Helper()
	return certify(t, a, x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// client is a certificate with a DNS name.
func (a *authority) client(t *testing.T, name string) tls.Certificate {
	t.Helper()
	return certify(t, a, clientCertificate(name))
}

// selfSigned is a certificate that nobody vouches for.
func selfSigned(t *testing.T, name string) tls.Certificate {
	t.Helper()
	return certify(t, nil, clientCertificate(name))
}

func clientCertificate(name string) x509.Certificate {
	return x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

// certify makes a key and a certificate for it, by a, or by itself when that is nil.
func certify(t *testing.T, a *authority, template x509.Certificate) tls.Certificate {
	t.Helper()
	key := newKey(t)
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	parent, signer := &template, key
	if a != nil {
		parent, signer = a.root.Leaf, a.root.PrivateKey.(*ecdsa.PrivateKey)
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// pemOf writes a certificate and its key as files have them.
func pemOf(t *testing.T, c tls.Certificate) (certificate, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// pemFiles are files with a certificate and its key.
func pemFiles(t *testing.T, c tls.Certificate) (certificate, key string) {
	t.Helper()
	dir := t.TempDir()
	certificate, key = pemOf(t, c)
	return write(t, filepath.Join(dir, "tls.crt"), certificate), write(t, filepath.Join(dir, "tls.key"), key)
}
