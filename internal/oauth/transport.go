package oauth

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/authz-sidecar/sidecar/internal/httpclient"
	"github.com/authz-sidecar/sidecar/internal/keyfile"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// lines are the pools of connections to one authorization server, which shares them with nobody: a slow server must not take
// the connections of another. It is a connection that a certificate authenticates and that authorities vouch for, so that
// each pair of the two has a pool of its own, and what was replaced is never used again.
type lines struct {
	timeout time.Duration
	network http.RoundTripper // replaces the network when it is not nil

	mu   sync.Mutex
	open map[line]*httpclient.Client
}

// line is the client certificate, which may be nil, and the authorities, of which nil means those of the system.
type line struct {
	certificate *tls.Certificate
	roots       *x509.CertPool
}

func (l *lines) client(to line) *httpclient.Client {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.open[to]
	if !ok {
		c = httpclient.New(httpclient.Config{Timeout: l.timeout, Roots: to.roots, Certificate: to.certificate, Network: l.network})
		l.open[to] = c
	}
	return c
}

// hangUp closes the connections of the lines that which is true of, as soon as they are idle.
func (l *lines) hangUp(which func(line) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, c := range l.open {
		if which(k) {
			delete(l.open, k)
			c.CloseIdle()
		}
	}
}

// newTrust reads the authorities that vouch for the server; without a file they are those of the system, which do not rotate.
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

// Limits of files.
const (
	maxCABytes          = 4 << 20
	maxCertificateBytes = 256 << 10
)

func parseRoots(t []secret.Text) (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(t[0].Reveal())) || !pemComplete(t[0].Reveal()) {
		return nil, errors.New("ca_file: no certificate in it, or the last one is cut off")
	}
	return roots, nil
}

// pemComplete reports whether every PEM block that begins also ends. The parsers pass over what is cut off.
func pemComplete(pem string) bool {
	return strings.Count(pem, "-----BEGIN ") == strings.Count(pem, "-----END ")
}

// outcomeOfTLS is what a failed exchange says about our certificate. A server that refuses one after the handshake, which TLS
// 1.3 allows, may have hung up before we read why, and each version of HTTP tells of that in its own words. So whatever ends
// a connection is taken for it, save what has another cause for sure.
func outcomeOfTLS(err error) outcome {
	if alerted(err) {
		return refused
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, unnamed := errors.AsType[*net.DNSError](err)
	var timeout interface{ Timeout() bool }
	switch {
	case httpclient.ByProxy(err), untrusted, unnamed, errors.Is(err, context.Canceled), errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &timeout) && timeout.Timeout():
		return unknown
	}
	return broken
}

// alerted reports whether the server ended the connection by a TLS alert that says more than that it is ill.
func alerted(err error) bool {
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
