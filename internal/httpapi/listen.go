package httpapi

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
	"strings"
	"time"
)

// Listen opens the socket that cfg names, with TLS when it has a certificate.
func Listen(cfg Listener) (net.Listener, error) {
	security, err := serverTLS(cfg.TLS)
	if err != nil {
		return nil, err
	}
	var ln net.Listener
	if strings.HasPrefix(cfg.Address, "unix:") {
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
// somebody still answers is not.
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
	if info, err := os.Lstat(u.Path); err == nil && info.Mode()&fs.ModeSocket != 0 {
		if conn, err := net.DialTimeout("unix", u.Path, time.Second); err == nil {
			_ = conn.Close()
			return nil, errors.New("another process answers there")
		}
		_ = os.Remove(u.Path)
	}
	ln, err := net.Listen("unix", u.Path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(u.Path, fs.FileMode(mode)); err != nil {
		_ = ln.Close()
		return nil, err
	}
	return ln, nil
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
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: cfg.Limits.ReadTimeout,
		ReadTimeout:       cfg.Limits.ReadTimeout,
		WriteTimeout:      cfg.Limits.ReadTimeout + cfg.Limits.Timeout,
		IdleTimeout:       cfg.Limits.IdleTimeout,
		MaxHeaderBytes:    cfg.Limits.HeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.Background() },
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
