package httpclient_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/httpclient"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// raw is a listener that does with each connection what a test says, after it has read something from it.
func raw(t *testing.T, then func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return accept(t, l, then)
}

// accept does with each connection of l what a test says, after it has read something from it. It returns the address.
func accept(t *testing.T, l net.Listener, then func(net.Conn)) string {
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			then(c)
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

func writes(s string) func(net.Conn) {
	return func(c net.Conn) { _, _ = io.WriteString(c, s) }
}

func hangsUp(net.Conn) {}

// refusing is a port that refuses connections.
func refusing(t *testing.T) string {
	t.Helper()
	return testkit.HoldPort(t).Addr()
}

func describes(t *testing.T, err error, kind authz.Kind, cause string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %s", cause)
		return
	}
	if k, c := httpclient.Describe(err); k != kind || !strings.Contains(c, cause) || strings.Contains(c, "s3cret") {
		t.Errorf("%s, %q, want %s, %q (%v)", k, c, kind, cause, errors.Unwrap(err))
	}
}

func TestPlainHTTPOnAPortForTLSAndTheReverseAreNamed(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.HandlerFunc(says))
	t.Cleanup(plain.Close)
	encrypted, _ := serveTLS(t, true, says)
	const alert = "\x15\x03\x01\x00\x02\x02\x46"
	for name, c := range map[string]struct {
		to    string
		kind  authz.Kind
		cause string
	}{
		"https to plain Go": {strings.Replace(plain.URL, "http:", "https:", 1), authz.Misconfigured,
			"this port speaks plain HTTP"},
		"https to plain HTTP/1.1 400": {"https://" + raw(t, writes("HTTP/1.1 400 Bad Request\r\n\r\n")),
			authz.Misconfigured, "this port speaks plain HTTP"},
		"https to another protocol": {"https://" + raw(t, writes("220 mail.example ESMTP\r\n")),
			authz.Misconfigured, "does not speak TLS"},
		"https to what hangs up": {"https://" + raw(t, hangsUp), authz.Unavailable,
			"does this port speak plain HTTP?"},
		"http to Go with TLS": {strings.Replace(encrypted.URL, "https:", "http:", 1), authz.Misconfigured,
			"this port speaks TLS"},
		"http to a TLS alert": {"http://" + raw(t, writes(alert)), authz.Misconfigured,
			"this port speaks TLS"},
		"http to nginx with TLS": {"http://" + raw(t,
			writes("HTTP/1.1 400 Bad Request\r\nContent-Length: 46\r\n\r\nThe plain HTTP request was sent to HTTPS "+
				"port.")), authz.Misconfigured, "this port speaks TLS"},
		"http to what hangs up": {"http://" + raw(t, hangsUp), authz.Unavailable,
			"does this port speak TLS?"},
		"http to half an answer": {"http://" + raw(t,
			writes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")), authz.Unavailable,
			"connection closed before the answer was complete"},
		"a port that refuses":            {"https://" + refusing(t), authz.Unavailable, "connection refused"},
		"an authority that is not known": {encrypted.URL, authz.Misconfigured, "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := get(t, open(t, httpclient.Config{}), c.to)
			describes(t, err, c.kind, c.cause)
			if err != nil && httpclient.ByProxy(err) {
				t.Error("it blames a proxy")
			}
		})
	}
}

// issued is a server with a certificate of an authority, for names and times.
func issued(t *testing.T, change func(*x509.Certificate)) (string, *x509.CertPool) {
	t.Helper()
	template := x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	change(&template)
	c := testkit.SelfSignedAs(t, template)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{c.Certificate}})
	if err != nil {
		t.Fatal(err)
	}
	return "https://" + accept(t, l, func(net.Conn) {}), c.Pool()
}

func TestACertificateThatIsNotTrustedSaysWhy(t *testing.T) {
	t.Parallel()
	for cause, change := range map[string]func(*x509.Certificate){
		`not valid for "127.0.0.1", only for "as.example", "10.0.0.1"`: func(c *x509.Certificate) {
			c.DNSNames, c.IPAddresses = []string{"as.example"}, []net.IP{net.IPv4(10, 0, 0, 1)}
		},
		"expired at":       func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) },
		"is not valid yet": func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) },
	} {
		to, roots := issued(t, change)
		_, err := get(t, open(t, httpclient.Config{Roots: roots}), to)
		describes(t, err, authz.Misconfigured, cause)
	}
}

func by(proxy string) func(*http.Request) (*url.URL, error) {
	return http.ProxyURL(&url.URL{Scheme: "http", User: url.UserPassword("me", "s3cret"), Host: proxy})
}

func TestAProxyThatFailsIsNamed(t *testing.T) {
	t.Parallel()
	u, roots := serveTLS(t, true, says)
	status := func(code string) string {
		return raw(t, writes("HTTP/1.1 "+code+" Nope s3cret\r\nContent-Length: 0\r\n\r\n"))
	}
	for name, c := range map[string]struct {
		proxy string
		kind  authz.Kind
		cause string
	}{
		"down":              {refusing(t), authz.Unavailable, "connection refused"},
		"hangs up":          {raw(t, hangsUp), authz.Unavailable, "connection closed"},
		"wants credentials": {status("407"), authz.Misconfigured, "wants credentials"},
		"refuses":           {status("403"), authz.Misconfigured, "refuses to connect"},
		"does not reach it": {status("502"), authz.Unavailable, "does not reach it (status 502)"},
		"is no proxy":       {status("404"), authz.Misconfigured, "refuses to connect"},
		"speaks something else": {raw(t, writes("220 mail.example ESMTP\r\n")), authz.Unavailable,
			"the exchange broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := get(t, open(t, httpclient.Config{Roots: roots, Proxy: by(c.proxy)}), u.URL)
			describes(t, err, c.kind, c.cause)
			describes(t, err, c.kind, `the proxy "`+c.proxy+`"`)
			if !httpclient.ByProxy(err) {
				t.Error("the proxy is not blamed")
			}
		})
	}
	t.Run("does not answer", func(t *testing.T) {
		end := make(chan struct{})
		defer close(end)
		hangs := raw(t, func(net.Conn) { <-end })
		_, err := send(t, open(t, httpclient.Config{Roots: roots, Proxy: by(hangs)}), 100*time.Millisecond,
			http.MethodGet, u.URL)
		describes(t, err, authz.Unavailable, `the proxy "`+hangs+`" of HTTPS_PROXY: no answer in time`)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	t.Run("no URL", func(t *testing.T) {
		for _, broken := range []func(*http.Request) (*url.URL, error){
			func(*http.Request) (*url.URL, error) { return nil, errors.New("parse http://me:s3cret@[") },
			func(*http.Request) (*url.URL, error) { return url.Parse("http://http://me:s3cret@[") },
		} {
			_, err := get(t, open(t, httpclient.Config{Proxy: broken}), u.URL)
			describes(t, err, authz.Misconfigured, "HTTPS_PROXY names is no URL")
		}
	})
}

func TestAServerBehindAProxyIsBlamedForItsOwnFailures(t *testing.T) {
	t.Parallel()
	u, roots := serveTLS(t, true, says)
	tunnel := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		down, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = up.Close()
			return
		}
		_, _ = io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(up, down); _ = up.Close() }()
		go func() { _, _ = io.Copy(down, up); _ = down.Close() }()
	}))
	t.Cleanup(tunnel.Close)
	proxy := by(tunnel.Listener.Addr().String())
	answers(t, open(t, httpclient.Config{Roots: roots, Proxy: proxy}), u.URL, "HTTP/2.0")
	for to, cause := range map[string]string{
		u.URL:                        "its certificate is signed by an unknown authority",
		"https://" + raw(t, hangsUp): "connection closed",
		"https://" + raw(t, writes("HTTP/1.1 400 Bad Request\r\n\r\n")): "this port speaks plain HTTP",
	} {
		_, err := get(t, open(t, httpclient.Config{Proxy: proxy}), to)
		kind, _ := httpclient.Describe(err)
		describes(t, err, kind, cause)
		if httpclient.ByProxy(err) {
			t.Errorf("%s: the proxy is blamed", cause)
		}
	}
}
