// Package httpclient sends the requests of the sidecar to other servers. All connections to them are opened here, so
// that dead connections, trusted authorities and the texts of failures are handled in one place.
package httpclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	maxHeaderBytes = 64 << 10
	idlePerHost    = 64
)

// Config is what a Client needs. The zero value trusts the authorities of the system and shows no certificate.
type Config struct {
	// Timeout bounds connecting and the TLS handshake. A request has the deadline of its context.
	Timeout time.Duration
	// Roots are the authorities that vouch for servers; nil means those of the system.
	Roots *x509.CertPool
	// Certificate is shown to servers that ask for one; nil shows none.
	Certificate *tls.Certificate
	// Pings look after HTTP/2 connections; the zero value means pings that fit into Timeout.
	Pings Pings
	// Proxy names the proxy of a request; nil means that of the environment (HTTPS_PROXY, NO_PROXY).
	Proxy func(*http.Request) (*url.URL, error)
	// Dial opens a connection to an address; nil means as usual.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// ServerName is the name that certificates of servers must have; empty means that of the URL.
	ServerName string
	// Accept decides about the certificate of a server in place of Roots, names and dates; nil leaves it to these.
	Accept func(*x509.Certificate) error
	// HTTP1 keeps to HTTP/1.1. Over HTTP/2, what a server says as it refuses a client of TLS 1.3 may be lost.
	HTTP1 bool
	// Network replaces the network when it is not nil.
	Network http.RoundTripper
}

// Pings say how soon a dead HTTP/2 connection is found out. One connection carries all requests there, so that all of
// them fail when a firewall or a failover drops it silently, until the kernel gives up a quarter of an hour later.
type Pings struct {
	// After is how long nothing must have come over a connection for a ping to be sent.
	After time.Duration
	// Within is how long its answer may take, before the connection is closed.
	Within time.Duration
}

// pings leaves time for a second attempt: a third of the timeout in silence, a quarter for the answer.
func (c Config) pings() Pings {
	if c.Pings != (Pings{}) {
		return c.Pings
	}
	const shortest = 250 * time.Millisecond // or a server that is merely slow loses its connections
	return Pings{
		After:  min(max(c.Timeout/3, shortest), 15*time.Second),
		Within: min(max(c.Timeout/4, shortest), 5*time.Second),
	}
}

// Client is a pool of connections. It is safe for concurrent use.
type Client struct {
	http      http.Client
	transport *http.Transport // nil when the network was replaced
}

// New returns a Client without connections. CloseIdle closes those that it opens.
func New(cfg Config) *Client {
	// It never follows a redirect, which would carry credentials and tokens along.
	c := &Client{http: http.Client{
		Transport:     cfg.Network,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if cfg.Network == nil {
		c.transport = newTransport(cfg)
		c.http.Transport = c.transport
	}
	return c
}

func newTransport(cfg Config) *http.Transport {
	dialer := &net.Dialer{Timeout: cfg.Timeout, KeepAlive: 30 * time.Second}
	dial := dialer.DialContext
	if cfg.Dial != nil {
		dial = cfg.Dial
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.Roots, ServerName: cfg.ServerName}
	if cfg.Accept != nil {
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(s tls.ConnectionState) error { return cfg.Accept(s.PeerCertificates[0]) }
	}
	if cfg.Certificate != nil {
		// The certificate is sent whatever authorities the server says it knows: it may be signed by none (RFC 8705
		// section 2.2).
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate,
			error) {
			return cfg.Certificate, nil
		}
	}
	pings, proxy := cfg.pings(), cfg.Proxy
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	return &http.Transport{
		Proxy:                  noted(proxy),
		OnProxyConnectResponse: refusedByProxy,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			raw, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			c := &conn{Conn: raw}
			exchangeOf(ctx).dialled(c)
			return c, nil
		},
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    cfg.Timeout,
		ForceAttemptHTTP2:      !cfg.HTTP1,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pings.After, PingTimeout: pings.Within},
		MaxIdleConns:           idlePerHost,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

// Answer is an HTTP answer, read and bounded.
type Answer struct {
	Status int
	Header http.Header
	// Body is the payload, decompressed. Over is set when it was longer than the limit; then Body is its beginning.
	Body []byte
	Over bool
	// Encrypted is set when it came over TLS.
	Encrypted bool
}

// Do sends req and reads at most limit bytes of the answer, counted after decompression: a small gzip can be a large
// body. A request that may be repeated, and whose kept connection turns out to be dead, is sent once more over a fresh
// one. Describe puts the error into words; the Answer is filled as far as things went.
func (c *Client) Do(req *http.Request, limit int64) (Answer, error) {
	for again := true; ; again = false {
		x := &exchange{began: time.Now()}
		a, err := c.once(req.WithContext(x.in(req.Context())), limit)
		if err == nil && x.plainToTLS(req.URL, a) {
			err = errTLSPort
		}
		if err == nil {
			return a, nil
		}
		c.retire(req.Context(), x)
		if again && x.onDeadConnection() && req.Context().Err() == nil && rewind(req) {
			c.CloseIdle() // the others were opened over the same path
			continue
		}
		return a, x.failed(req.URL, err)
	}
}

func (c *Client) once(req *http.Request, limit int64) (a Answer, err error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return a, err
	}
	defer func() { _ = resp.Body.Close() }()
	a.Status, a.Header, a.Encrypted = resp.StatusCode, resp.Header, resp.TLS != nil
	a.Body, err = readAll(io.LimitReader(resp.Body, limit+1), min(resp.ContentLength, limit))
	if int64(len(a.Body)) > limit {
		a.Body, a.Over = a.Body[:limit], true
		return a, nil
	}
	if err != nil && a.Status == http.StatusOK { // the status of a refusal says enough
		return a, err
	}
	return a, nil
}

// readAll is io.ReadAll of a body that says how long it is, or -1. Up to 64 KiB are taken at its word.
func readAll(body io.Reader, length int64) ([]byte, error) {
	const believed = 64 << 10
	if length <= 0 {
		return io.ReadAll(body)
	}
	held := bytes.NewBuffer(make([]byte, 0, min(length, believed)+bytes.MinRead)) // with room to see the end
	_, err := held.ReadFrom(body)
	return held.Bytes(), err
}

// rewind makes req ready to be sent again. Reading is safe to repeat, and so is what says so as net/http has it.
func rewind(req *http.Request) bool {
	_, idempotent := req.Header["Idempotency-Key"]
	if req.Method != http.MethodGet && !idempotent {
		return false
	}
	if req.Body == nil || req.Body == http.NoBody {
		return true
	}
	if req.GetBody == nil {
		return false
	}
	body, err := req.GetBody()
	if err != nil {
		return false
	}
	req.Body = body
	return true
}

// retire gives up a connection over which nothing came in all the time of a request: what is sent over it next would
// be lost too. Over HTTP/1.1 the connection of the request is closed already, and the idle ones, opened over the same
// path, are suspect.
func (c *Client) retire(ctx context.Context, x *exchange) {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) || c.transport == nil {
		return
	}
	silent, http2 := x.silent()
	switch {
	case silent == nil:
	case http2:
		_ = silent.Close()
	default:
		c.CloseIdle()
	}
}

// CloseIdle closes the connections that carry no request.
func (c *Client) CloseIdle() {
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
}

// noted makes the exchange of a request know by which proxy it goes.
func noted(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(req *http.Request) (*url.URL, error) {
		u, err := proxy(req)
		// Before a URL that it cannot read, net/http puts "http://" once more: then "http:" is the host. The text of
		// err quotes the URL, which may hold a password.
		if err != nil || u != nil && strings.HasSuffix(u.Host, ":") && strings.HasPrefix(u.Path, "//") {
			return nil, errProxyURL
		}
		exchangeOf(req.Context()).proxied(u)
		return u, nil
	}
}

func refusedByProxy(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return &refusal{resp.StatusCode}
	}
	return nil
}
