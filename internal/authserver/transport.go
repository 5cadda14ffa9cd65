package authserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

const (
	maxHeaderBytes = 64 << 10
	idlePerHost    = 64
)

// lines are the pools of connections to one authorization server, which shares them with nobody: a slow server must not take
// the connections of another. It is a connection that a certificate authenticates and that authorities vouch for, so that
// each pair of the two has a pool of its own, and what was replaced is never used again.
type lines struct {
	timeout time.Duration
	network http.RoundTripper // replaces the network when it is not nil

	mu   sync.Mutex
	open map[line]*http.Transport
}

// line is the client certificate, which may be nil, and the authorities, of which nil means those of the system.
type line struct {
	certificate *tls.Certificate
	roots       *x509.CertPool
}

// client never follows a redirect: it would carry the credentials and the token along (INT-5).
func (l *lines) client(to line) *http.Client {
	return &http.Client{
		Transport:     l.transport(to),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (l *lines) transport(to line) http.RoundTripper {
	if l.network != nil {
		return l.network
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.open[to]
	if !ok {
		t = newTransport(to, l.timeout)
		l.open[to] = t
	}
	return t
}

// hangUp closes the connections of the lines that which is true of, as soon as they are idle.
func (l *lines) hangUp(which func(line) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, t := range l.open {
		if which(k) {
			delete(l.open, k)
			t.CloseIdleConnections()
		}
	}
}

func newTransport(to line, timeout time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: to.roots}
	if to.certificate != nil {
		// The certificate is sent whatever authorities the server says it knows: it may be signed by none (RFC 8705 section 2.2).
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return to.certificate, nil }
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    timeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           idlePerHost,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

// newTrust reads the authorities that vouch for the server; without a file they are those of the system, which do not rotate.
func newTrust(cfg Config, log *slog.Logger, drop func(*x509.CertPool)) (*rotation[*x509.CertPool], error) {
	r := &rotation[*x509.CertPool]{
		what: "ca_file", issuer: cfg.Name, log: log, drop: drop,
		parse: func([]secret.Text) (*x509.CertPool, error) { return nil, nil },
	}
	if cfg.CAFile != "" {
		r.parts, r.parse = []part{filePart("ca_file", cfg.CAFile, maxCABytes)}, parseRoots
	}
	return r, r.open()
}

func parseRoots(t []secret.Text) (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(t[0].Reveal())) || !whole(t[0].Reveal()) {
		return nil, errors.New("ca_file: no certificate in it, or the last one is cut off")
	}
	return roots, nil
}

// whole reports whether every PEM block that begins also ends. The parsers pass over what is cut off.
func whole(pem string) bool {
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
	case untrusted, unnamed, errors.Is(err, context.Canceled), errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &timeout) && timeout.Timeout():
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

// causeOf puts the failure of an exchange into words of our own. The texts of net/http quote what the server sent, and
// a server can echo what it was sent.
func causeOf(err error) (authz.Kind, string) {
	if kind, cause, ok := causeOfTLS(err); ok {
		return kind, cause
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return authz.Unavailable, "its host is not known"
	}
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.Canceled):
		return authz.Unavailable, "the question was given up"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return authz.Unavailable, "no answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return authz.Unavailable, "connection refused"
	case ours(err):
		return authz.Unavailable, "this machine has no file descriptor or port left for a connection"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return authz.Unavailable, "connection closed before the answer was complete"
	}
	return authz.Unavailable, "the exchange broke off"
}

// causeOfTLS recognises certificates that cannot be trusted. Waiting does not mend those: the operator must act.
func causeOfTLS(err error) (authz.Kind, string, bool) {
	if v, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		cause := "its certificate cannot be verified"
		if _, ok := errors.AsType[x509.UnknownAuthorityError](v.Err); ok {
			cause = "its certificate is signed by an unknown authority"
		}
		if h, ok := errors.AsType[x509.HostnameError](v.Err); ok {
			cause = fmt.Sprintf("its certificate is not valid for %q", h.Host)
		}
		if i, ok := errors.AsType[x509.CertificateInvalidError](v.Err); ok && i.Reason == x509.Expired {
			cause = "its certificate has expired or is not valid yet"
		}
		return authz.Misconfigured, cause, true
	}
	_, record := errors.AsType[tls.RecordHeaderError](err)
	op, alert := errors.AsType[*net.OpError](err)
	if record || alert && op.Op == "remote error" {
		return authz.Unavailable, "the TLS handshake did not succeed", true
	}
	return 0, "", false
}
