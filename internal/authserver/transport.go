package authserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

const (
	maxHeaderBytes = 64 << 10
	maxCABytes     = 4 << 20
	idlePerHost    = 64
)

// newTransport returns the pool of connections to one authorization server, which shares it with nobody: a slow server
// must not take the connections of another.
func newTransport(c Config) (*http.Transport, error) {
	roots, err := readRoots(c.CAFile)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: c.Timeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    c.Timeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           idlePerHost,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}, nil
}

// readRoots returns the authorities of a PEM file, or nil, which means those of the system.
func readRoots(name string) (*x509.CertPool, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read ca_file: %w", err)
	}
	defer func() { _ = f.Close() }()
	pem, err := io.ReadAll(io.LimitReader(f, maxCABytes+1))
	if err != nil {
		return nil, fmt.Errorf("read ca_file: %w", err)
	}
	if len(pem) > maxCABytes {
		return nil, fmt.Errorf("read ca_file %q: over %d bytes", name, maxCABytes)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read ca_file %q: no certificate in it", name)
	}
	return roots, nil
}

// newHTTPClient never follows a redirect: it would carry the credentials and the token along (INT-5).
func newHTTPClient(t http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
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
	_, alert := errors.AsType[tls.AlertError](err)
	if record || alert {
		return authz.Unavailable, "the TLS handshake did not succeed", true
	}
	return 0, "", false
}
