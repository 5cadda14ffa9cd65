package native

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Listen opens the socket that cfg names, with TLS when it has a certificate.
func Listen(cfg Listener) (net.Listener, error) {
	security, err := serverTLS(cfg.TLS)
	if err != nil {
		return nil, err
	}
	var ln net.Listener
	if isSocket(cfg.Address) {
		ln, err = listenUnix(cfg.Address)
	} else {
		ln, err = net.Listen("tcp", cfg.Address)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", cfg.Address, err)
	}
	if security != nil {
		ln = tls.NewListener(ln, security)
	}
	return ln, nil
}

// listenUnix opens unix:///path?mode=0660. A socket that a process before this one left behind is removed; one that
// somebody may still answer is not.
func listenUnix(address string) (net.Listener, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	mode := uint64(0o660)
	if m := u.Query().Get("mode"); m != "" {
		if mode, err = strconv.ParseUint(m, 8, 32); err != nil {
			return nil, fmt.Errorf("mode %q is not octal", m)
		}
	}
	if err := removeStale(u.Path); err != nil {
		return nil, err
	}
	// The mode is set before the socket gets its name, so that there is no moment in which more people may connect.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), uint32(mode)) }) // Linux can, others leave it to Chmod
	}}
	ln, err := lc.Listen(context.Background(), "unix", u.Path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(u.Path, fs.FileMode(mode)); err != nil { // what the umask took away
		_ = ln.Close()
		return nil, err
	}
	return ln, nil
}

// removeStale removes a socket that nobody listens on, which is only certain when the connection is refused.
func removeStale(path string) error {
	if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSocket == 0 {
		return nil // Listen says what is wrong, if anything
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		_ = conn.Close()
		return errors.New("another process answers there")
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("look whether another process answers there: %w", err)
	}
	return os.Remove(path)
}

func serverTLS(cfg TLS) (*tls.Config, error) {
	if cfg.CertFile == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("load certificate %q: %w", cfg.CertFile, err)
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if cfg.ClientCAFile != "" {
		pem, err := os.ReadFile(cfg.ClientCAFile)
		if err != nil {
			return nil, fmt.Errorf("load client authorities: %w", err)
		}
		out.ClientCAs = x509.NewCertPool()
		if !out.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("load client authorities %q: the file has no certificate", cfg.ClientCAFile)
		}
		out.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return out, nil
}

// NewServer returns a server of h within the limits of cfg. Its owner serves it, and shuts it down.
func NewServer(cfg Listener, h http.Handler, log *slog.Logger) *http.Server {
	early := &silent{conns: map[net.Conn]struct{}{}}
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: cfg.Limits.ReadTimeout,
		ReadTimeout:       cfg.Limits.ReadTimeout,
		WriteTimeout:      cfg.Limits.ReadTimeout + cfg.Limits.Timeout,
		IdleTimeout:       cfg.Limits.IdleTimeout,
		MaxHeaderBytes:    cfg.Limits.HeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.Background() },
		ConnState:         early.turned,
	}
	s.RegisterOnShutdown(func() { time.AfterFunc(silentGrace, early.close) })
	return s
}

// silentGrace is how long a connection that has not asked anything yet may still begin to, once the server stops.
const silentGrace = 250 * time.Millisecond

// silent are the connections on which no call has arrived yet. net/http waits five seconds for them at a shutdown; a
// connection that a browser or a balancer opened in advance must not hold up a stop that long.
type silent struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

func (s *silent) turned(c net.Conn, to http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if to == http.StateNew {
		s.conns[c] = struct{}{}
	} else {
		delete(s.conns, c)
	}
}

func (s *silent) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// Check reads the files that cfg names, as serving would, and opens no socket.
func Check(cfg Config) error {
	var errs []error
	for _, l := range []Listener{cfg.API, cfg.Admin} {
		if _, err := serverTLS(l.TLS); err != nil {
			errs = append(errs, err)
		}
		if l.BearerKeysFile != "" {
			if _, err := readKeys(l.BearerKeysFile); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}
