package httpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Failure is an exchange that brought no answer. It wraps the error of net/http, whose text must not be shown: it can
// quote what the server sent, and a server can echo what it was sent.
type Failure struct {
	err     error
	scheme  string
	proxy   string // host and port of the proxy that the exchange did not get past; else ""
	opening []byte // what the server said first
	unsaid  bool   // nothing came over a connection that was opened for this request
}

func (f *Failure) Error() string { _, cause := Describe(f); return cause }
func (f *Failure) Unwrap() error { return f.err }

// ByProxy reports whether it is a proxy that failed, and not the server.
func ByProxy(err error) bool {
	f, ok := errors.AsType[*Failure](err)
	return ok && (f.proxy != "" || errors.Is(err, errProxyURL))
}

var (
	errTLSPort  = errors.New("plain HTTP was sent to a port for TLS")
	errProxyURL = errors.New("the URL of the proxy cannot be read")
)

// refusal is the answer of a proxy that opens no tunnel.
type refusal struct{ status int }

func (r *refusal) Error() string { return fmt.Sprintf("the proxy answered %d", r.status) }

func (x *exchange) failed(to *url.URL, err error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	f := &Failure{err: err, scheme: to.Scheme, opening: x.opening()}
	f.unsaid = len(f.opening) == 0 && !x.reused && x.fresh != nil && x.proxy == nil
	if x.proxy != nil && x.got == nil && !x.handshake {
		f.proxy = x.proxy.Host
	}
	return f
}

// Describe names the failure of an exchange in fixed words, as a predicate or a fragment that follows the name of the
// server, and says whether waiting helps (authz.Unavailable) or the operator must act (authz.Misconfigured).
func Describe(err error) (authz.Kind, string) {
	f, ok := errors.AsType[*Failure](err)
	if !ok {
		f = &Failure{err: err}
	}
	if errors.Is(err, errProxyURL) {
		return authz.Misconfigured, "the proxy that HTTPS_PROXY names is no URL"
	}
	if f.proxy != "" {
		return f.describeProxy()
	}
	if kind, cause, ok := f.describeScheme(); ok {
		return kind, cause
	}
	if kind, cause, ok := describeTLS(f.err); ok {
		return kind, cause
	}
	return f.describeConnection()
}

// describeProxy names the proxy, which comes from the environment (HTTPS_PROXY): the operator looks elsewhere for it.
func (f *Failure) describeProxy() (authz.Kind, string) {
	r, answered := errors.AsType[*refusal](f.err)
	switch {
	case answered && r.status == http.StatusProxyAuthRequired:
		return authz.Misconfigured, fmt.Sprintf("the proxy %q wants credentials (status 407): write them into "+
			"HTTPS_PROXY, or except the host in NO_PROXY", f.proxy)
	case answered && r.status >= 500:
		return authz.Unavailable, fmt.Sprintf("the proxy %q does not reach it (status %d)", f.proxy, r.status)
	case answered:
		return authz.Misconfigured, fmt.Sprintf("the proxy %q refuses to connect to it (status %d): permit it "+
			"there, or except the host in NO_PROXY", f.proxy, r.status)
	}
	kind, cause, ok := describeTLS(f.err)
	if !ok {
		kind, cause = (&Failure{err: f.err}).describeConnection()
	}
	return kind, fmt.Sprintf("the proxy %q of HTTPS_PROXY: %s", f.proxy, cause)
}

// describeScheme recognises TLS where plain HTTP is spoken, and the reverse.
func (f *Failure) describeScheme() (authz.Kind, string, bool) {
	record, garbled := errors.AsType[tls.RecordHeaderError](f.err)
	first := string(f.opening)
	switch {
	case errors.Is(f.err, http.ErrSchemeMismatch), f.scheme == "https" && strings.HasPrefix(first, "HTTP/"), garbled &&
		strings.HasPrefix(string(record.RecordHeader[:]), "HTTP/"):
		return authz.Misconfigured, "this port speaks plain HTTP, and the URL says https", true
	case garbled:
		return authz.Misconfigured, "this port does not speak TLS, and the URL says https", true
	case errors.Is(f.err, errTLSPort), f.scheme == "http" && len(first) > 1 &&
		(first[0] == 0x15 || first[0] == 0x16) && first[1] == 3:
		return authz.Misconfigured, "this port speaks TLS, and the URL says http", true
	}
	return 0, "", false
}

// describeConnection is about whatever carries the exchange.
func (f *Failure) describeConnection() (authz.Kind, string) {
	err := f.err
	dns, unresolved := errors.AsType[*net.DNSError](err)
	var timeout interface{ Timeout() bool }
	switch {
	case unresolved && dns.IsNotFound:
		return authz.Unavailable, "its host is not known"
	case errors.Is(err, context.Canceled):
		return authz.Unavailable, "the question was given up"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return authz.Unavailable, "no answer in time"
	case unresolved:
		return authz.Unavailable, "its host cannot be looked up"
	case Exhausted(err):
		return authz.Unavailable, "this machine has no file descriptor or port left for a connection"
	case errors.Is(err, syscall.ECONNREFUSED):
		return authz.Unavailable, "connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return authz.Unavailable, "there is no route to it"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		switch {
		case f.unsaid && f.scheme == "https":
			return authz.Unavailable, "connection closed during the TLS handshake: does this port speak plain HTTP?"
		case f.unsaid && f.scheme == "http":
			return authz.Unavailable, "connection closed before the answer was complete: does this port speak TLS?"
		}
		return authz.Unavailable, "connection closed before the answer was complete"
	}
	return authz.Unavailable, "the exchange broke off"
}

// describeTLS recognises certificates that cannot be trusted, and handshakes that the server ended.
func describeTLS(err error) (authz.Kind, string, bool) {
	if v, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return authz.Misconfigured, describeCertificate(v), true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return authz.Unavailable, "it ended the TLS handshake: " + strings.TrimPrefix(op.Err.Error(), "tls: "), true
	}
	if strings.Contains(err.Error(), "tls: server selected unsupported protocol version") {
		return authz.Misconfigured, "it speaks no TLS from version 1.2 on", true
	}
	return 0, "", false
}

func describeCertificate(v *tls.CertificateVerificationError) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](v.Err); ok {
		return "its certificate is signed by an unknown authority"
	}
	if h, ok := errors.AsType[x509.HostnameError](v.Err); ok {
		return fmt.Sprintf("its certificate is not valid for %q%s", h.Host, namesOf(h.Certificate))
	}
	if i, ok := errors.AsType[x509.CertificateInvalidError](v.Err); ok && i.Reason == x509.Expired && i.Cert != nil {
		if now := time.Now(); now.Before(i.Cert.NotBefore) {
			return "its certificate is not valid yet: from " + i.Cert.NotBefore.UTC().Format(time.RFC3339) + " on"
		}
		return "its certificate has expired at " + i.Cert.NotAfter.UTC().Format(time.RFC3339)
	}
	return "its certificate cannot be verified"
}

// namesOf lists a few of the names that a certificate is valid for.
func namesOf(c *x509.Certificate) string {
	if c == nil {
		return ""
	}
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return ", nor for any name"
	}
	const most = 3
	more := ""
	if len(names) > most {
		names, more = names[:most], ", ..."
	}
	for i, n := range names {
		names[i] = fmt.Sprintf("%.64q", n)
	}
	return ", only for " + strings.Join(names, ", ") + more
}

// ConnectionRefused reports whether the address of the server, or of the proxy, refused the connection: the exchange
// failed at once, and nothing was sent.
func ConnectionRefused(err error) bool {
	if _, unresolved := errors.AsType[*net.DNSError](err); unresolved {
		return false
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// Exhausted reports whether this machine had no descriptor, buffer or port left for a connection: the server is not to
// blame.
func Exhausted(err error) bool {
	for _, wanting := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, wanting) {
			return true
		}
	}
	return false
}
