package oauth

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"

	"github.com/authz-sidecar/sidecar/internal/httpclient"
	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// transports are the connection pools of one authorization server. Servers share none, so that a slow one does not
// take the connections of another. A connection is authenticated by a client certificate and verified by a set of
// authorities: each pair of the two has a pool of its own, and a pair that was replaced is never used again.
type transports struct {
	cfg httpclient.Config // without certificate and authorities

	mu   sync.Mutex
	open map[transportKey]*httpclient.Client
}

// transportKey is the client certificate, which may be nil, and the authorities, of which nil means those of the
// system.
type transportKey struct {
	certificate *tls.Certificate
	roots       *x509.CertPool
}

func (t *transports) client(k transportKey) *httpclient.Client {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.open[k]
	if !ok {
		cfg := t.cfg
		cfg.Roots, cfg.Certificate = k.roots, k.certificate
		c = httpclient.New(cfg)
		t.open[k] = c
	}
	return c
}

// closeIdle drops the pools that which is true of, and closes their connections as soon as they are idle.
func (t *transports) closeIdle(which func(transportKey) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, c := range t.open {
		if which(k) {
			delete(t.open, k)
			c.CloseIdle()
		}
	}
}

const maxCABytes = 4 << 20

// newTrust reads the authorities that verify the server; without a file they are those of the system, which do not
// rotate.
func newTrust(cfg Config, log *slog.Logger, drop func(*x509.CertPool)) (*rotation[*x509.CertPool], error) {
	r := &rotation[*x509.CertPool]{
		what: "ca_file", issuer: cfg.Name, log: log, drop: drop, wait: cmp.Or(cfg.FileWait, fileWait),
		parse: func([]secret.Text) (*x509.CertPool, error) { return nil, nil },
	}
	if cfg.CAFile != "" {
		r.parts, r.parse = []keyfile.Part{keyfile.File("ca_file", cfg.CAFile, maxCABytes)}, parseRoots
	}
	return r, r.open()
}

func parseRoots(t []secret.Text) (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(t[0].Reveal())) || !pemComplete(t[0].Reveal()) {
		return nil, errors.New("ca_file: no certificate in it, or the last one is cut off: name a file of certificates in PEM form")
	}
	return roots, nil
}

// pemComplete reports whether every PEM block that begins also ends. Package pem skips a block that is cut off.
func pemComplete(pem string) bool {
	return strings.Count(pem, "-----BEGIN ") == strings.Count(pem, "-----END ")
}

// outcomeOfTLS is what a failed exchange says about the client certificate. A server may refuse a certificate after
// the handshake (TLS 1.3) and close the connection before its alert is read, and each version of HTTP reports that
// with another error. So every error that ends a connection counts as a refusal, but for those with another known
// cause.
func outcomeOfTLS(err error) outcome {
	if isTLSAlert(err) {
		return refused
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, unresolved := errors.AsType[*net.DNSError](err)
	var timeout interface{ Timeout() bool }
	switch {
	case httpclient.ByProxy(err), untrusted, unresolved, errors.Is(err, context.Canceled),
		errors.Is(err, syscall.ECONNREFUSED),
		errors.As(err, &timeout) && timeout.Timeout():
		return unknown
	}
	return broken
}

// isTLSAlert reports whether the server ended the connection by a TLS alert other than internal_error, which is no
// word about the certificate.
func isTLSAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error" && op.Err.Error() != "tls: internal error"
}

// outcomeOfTrust is what an exchange says about the authorities.
func outcomeOfTrust(r Reply, err error) outcome {
	if v, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		if _, ok := errors.AsType[x509.UnknownAuthorityError](v.Err); ok {
			return refused
		}
	}
	if r.encrypted {
		return worked
	}
	return unknown
}
