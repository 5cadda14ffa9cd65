package listen

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/listen/plainhttp"
)

// HTTP serves a handler on one listener. It is a door of an app.
type HTTP struct {
	ln net.Listener
	// plain accepts the connections, and server has those that plain leaves to it.
	plain  *plainhttp.Server
	server *http.Server
	others *handover
}

// OpenHTTP opens the listener that cfg names, for calls within its limits: HTTP/1.1 and HTTP/2, which clients choose
// by ALPN over TLS, and without TLS by its preface (prior knowledge, RFC 9113 section 3.3; an upgrade of HTTP/1.1 is
// none). Its owner calls Serve, and then Shutdown.
func OpenHTTP(cfg Config, h http.Handler, deps Deps) (*HTTP, error) {
	deps.Protocols = []string{"h2", "http/1.1"}
	ln, err := Open(cfg, deps)
	if err != nil {
		return nil, err
	}
	server, others := newServer(cfg.Limits, deps.Calls.counted(h), deps.Log), newHandover(ln.Addr())
	plain := plainhttp.New(plainhttp.Config{
		Handler: server.Handler, Other: others.give, ReadTimeout: server.ReadTimeout,
		WriteTimeout: server.WriteTimeout, IdleTimeout: server.IdleTimeout, Grace: silentGrace,
		ConnContext: withConn, Log: deps.Log,
	})
	return &HTTP{ln, plain, server, others}, nil
}

// Addr is the address of the listener, with the port that it got for port 0.
func (d *HTTP) Addr() net.Addr { return d.ln.Addr() }

// Serve serves until Shutdown, and then returns nil.
func (d *HTTP) Serve() error {
	served := make(chan error, 1)
	go func() { served <- d.server.Serve(d.others) }()
	err := d.plain.Serve(d.ln)
	if errors.Is(err, net.ErrClosed) { // by Shutdown
		err = nil
	} else {
		_ = d.server.Close()
	}
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// Shutdown accepts no new calls, and waits for those under way. When ctx ends first, their connections are closed and
// the error says so. An HTTP that never served is closed too.
func (d *HTTP) Shutdown(ctx context.Context) error {
	closing := d.ln.Close()
	if errors.Is(closing, net.ErrClosed) {
		closing = nil
	}
	d.plain.Stop(ctx)
	err := d.server.Shutdown(ctx)
	if err != nil {
		_ = d.server.Close()
	}
	return cmp.Or(err, d.plain.Wait(ctx), closing)
}

func newServer(limits Limits, h http.Handler, log *slog.Logger) *http.Server {
	early := new(silent)
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: limits.ReadTimeout,
		ReadTimeout:       limits.ReadTimeout,
		WriteTimeout:      limits.ReadTimeout + limits.Timeout,
		IdleTimeout:       limits.IdleTimeout,
		MaxHeaderBytes:    limits.HeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.Background() },
		ConnContext:       withConn,
		ConnState:         early.observe,
		Protocols:         protocols(),
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: pingEvery,
			PingTimeout: pingTimeout},
		// net/http would answer 200 to "OPTIONS *" by itself, which is an allow to a gateway.
		DisableGeneralOptionsHandler: true,
	}
	s.RegisterOnShutdown(func() { time.AfterFunc(silentGrace, early.close) })
	return s
}

// Limits of a connection of HTTP/2 that no key sets. Its header lists, bodies and times are bounded as those of
// HTTP/1.1 are; net/http bounds streams that are opened and reset at once.
const (
	// maxStreams is how many calls may be under way. Gateways open another connection for more.
	maxStreams = 100
	// pingEvery is how often a silent caller is asked whether it is there, and pingTimeout how long it may take.
	pingEvery, pingTimeout = time.Minute, 20 * time.Second
)

func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// conn is the key of the connection in the context of a call.
type conn struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, conn{}, c)
}

// ConnOf is the connection of a call of an HTTP, or nil.
func ConnOf(r *http.Request) net.Conn {
	c, _ := r.Context().Value(conn{}).(net.Conn)
	return c
}

// silentGrace is how long a connection without a call may still begin one, once the server stops.
const silentGrace = 250 * time.Millisecond

// silent are the connections of net/http on which no call has arrived yet, all over TLS, such as those that a browser
// or a load balancer opens in advance. A shutdown of net/http waits five seconds for each of them
// (http.Server.closeIdleConns).
type silent struct{ conns sync.Map } // of net.Conn

// observe is called twice a call, so it must cost next to nothing then.
func (s *silent) observe(c net.Conn, to http.ConnState) {
	switch to {
	case http.StateNew:
		s.conns.Store(c, nil)
	case http.StateActive, http.StateHijacked, http.StateClosed:
		s.conns.LoadAndDelete(c)
	case http.StateIdle: // after StateActive
	}
}

func (s *silent) close() {
	for c := range s.conns.Range {
		_ = c.(net.Conn).Close()
	}
}
