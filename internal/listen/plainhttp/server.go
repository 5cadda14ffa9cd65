// Package plainhttp serves plain calls of HTTP/1.1: those that a program makes again and again over one connection, to
// an API on localhost. It parses a head with net/http when the head is new, and recognizes it by its bytes
// afterwards. Every other call it leaves to net/http, and the connection with it.
package plainhttp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a Server serves, and within which limits. They mean what those of http.Server mean, and are above 0.
type Config struct {
	Handler http.Handler
	// Other gets the connections that are net/http's, with all that came on them since the last answer.
	Other func(net.Conn)

	ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	// Grace is how long a connection without a call may still begin one, once the server stops.
	Grace time.Duration
	// ConnContext is that of http.Server.
	ConnContext func(context.Context, net.Conn) context.Context
	// Log gets what goes wrong on connections, at level debug.
	Log *slog.Logger
}

// Server serves connections. It is safe for concurrent use.
type Server struct {
	Config
	answers sync.Pool // of *buffers
	readers sync.Pool // of *bufio.Reader
	buffers sync.Pool // of *[bufferBytes]byte
	clock   clock

	stage atomic.Int32 // set with mu held

	mu sync.Mutex
	// conns are the connections that are not net/http's. Guarded by mu.
	conns map[*conn]struct{}
	// none is closed once the server stops and has no connection.
	none chan struct{}
}

// Stages of a server.
const (
	serves  int32 = iota
	stops         // connections end after the call that is under way
	stopped       // and those that have begun none
)

// New returns a server. Its owner calls Serve, Stop and Wait.
func New(cfg Config) *Server {
	return &Server{Config: cfg, conns: map[*conn]struct{}{}, none: make(chan struct{})}
}

// Limits of the pause after a connection that could not be accepted, such as for want of file descriptors.
const (
	leastPause = 5 * time.Millisecond
	mostPause  = time.Second
)

// Serve accepts connections until ln is closed, or fails for good, and then returns its error.
func (s *Server) Serve(ln net.Listener) error {
	pause := leastPause
	for {
		c, err := ln.Accept()
		switch {
		case err == nil:
			pause = leastPause
			s.take(c)
		case !temporary(err):
			return err
		default:
			s.Log.Debug("a connection could not be accepted", "cause", err)
			time.Sleep(pause)
			pause = min(2*pause, mostPause)
		}
	}
}

// temporary reports whether a connection may be accepted after a pause.
func temporary(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

// take serves a connection. One over TLS is net/http's, which asks it for the protocol.
func (s *Server) take(nc net.Conn) {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		s.Other(nc)
		return
	}
	c := newConn(s, nc)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stage.Load() > serves {
		_ = nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	go c.serve()
}

// leave forgets a connection.
func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.check()
}

// check closes none when it is time. mu is held.
func (s *Server) check() {
	if s.stage.Load() > serves && len(s.conns) == 0 {
		select {
		case <-s.none:
		default:
			close(s.none)
		}
	}
}

// stop wakes the connections that wait for a call.
func (s *Server) stop(to int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stage.Store(max(s.stage.Load(), to))
	for c := range s.conns {
		c.wake()
	}
	s.check()
}

// Stop has the connections end after the call that is under way. It returns when those on which no call has begun are
// closed, which takes Grace at most: until then, they may become net/http's. The listener is closed before.
func (s *Server) Stop(ctx context.Context) {
	s.stop(stops)
	grace := time.NewTimer(s.Grace)
	defer grace.Stop()
	select {
	case <-s.none:
	case <-grace.C:
	case <-ctx.Done():
	}
	s.stop(stopped)
}

// Wait returns when no connection is left, after Stop. When ctx ends first, the connections are closed, and the error
// is that of ctx.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case <-s.none:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) == 0 {
		return nil
	}
	for c := range s.conns {
		_ = c.Close()
	}
	return ctx.Err()
}
