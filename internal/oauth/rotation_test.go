package oauth_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// load asks all the time, until stopped, and counts what was not answered.
type load struct {
	asked, failed atomic.Int64
	last          atomic.Pointer[string]
	stop          func()
}

func startLoad(t *testing.T, s *oauth.Server) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{}
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			tick := time.NewTicker(3 * time.Millisecond)
			defer tick.Stop()
			for ctx.Err() == nil {
				r, err := ask(t.Context(), s)
				if l.asked.Add(1); err != nil || r.Status != 200 {
					l.failed.Add(1)
					how := fmt.Sprintf("status %d, %v", r.Status, err)
					l.last.Store(&how)
				}
				<-tick.C
			}
		})
	}
	l.stop = func() { cancel(); all.Wait() }
	t.Cleanup(l.stop)
	return l
}

func (l *load) done(t *testing.T) {
	t.Helper()
	l.stop()
	if n := l.failed.Load(); n > 0 {
		t.Errorf("%d of %d failed, the last one: %s", n, l.asked.Load(), *l.last.Load())
	}
}

// orders are the ways from one generation to the next.
var orders = map[string]func(t *testing.T, r *rotating, next int){
	"file first, then the server at once": func(t *testing.T, r *rotating, next int) {
		r.write(next)
		testkit.Eventually(t, "the new one is tried", func() bool { return r.count(r.denied, next) > 0 })
		r.accept(next)
	},
	"server first, then the file": func(t *testing.T, r *rotating, next int) {
		r.accept(next)
		testkit.Eventually(t, "the old one is refused", func() bool { return r.count(r.denied, next-1) > 0 })
		r.write(next)
	},
	"both for a while, file first": func(t *testing.T, r *rotating, next int) {
		r.accept(next-1, next)
		r.write(next)
		testkit.Eventually(t, "the new one is used", func() bool { return r.count(r.served, next) > 0 })
		r.accept(next)
	},
	"both for a while, server drops the old before the file follows": func(t *testing.T, r *rotating, next int) {
		r.accept(next-1, next)
		r.accept(next)
		testkit.Eventually(t, "the old one is refused", func() bool { return r.count(r.denied, next-1) > 0 })
		r.write(next)
	},
}

// TestNoRequestFailsWhileCredentialsRotate: one rotation of each kind. Several in a row are in rotation_time_test.go.
func TestNoRequestFailsWhileCredentialsRotate(t *testing.T) {
	for kind, start := range kinds {
		for order, rotate := range orders {
			if strings.HasPrefix(order, "both") && kind != "secret" && kind != "certificate" {
				continue // the same code
			}
			t.Run(kind+": "+order, func(t *testing.T) {
				t.Parallel()
				r := start(t)
				s, log := openLogged(t, r.cfg)
				answered(t, s)
				l := startLoad(t, s)
				rotate(t, r, 1)
				testkit.Eventually(t, "the new one is used", func() bool { return r.count(r.served, 1) > 0 })
				l.done(t)
				testkit.Eventually(t, "the rotation is logged", func() bool {
					return log.Count("credential rotated") == 1
				})
				if log.Count("secret-that") > 0 || log.Count("BEGIN") > 0 {
					t.Error("the log holds a secret")
				}
			})
		}
	}
}

// authorities is a server that shows one of several certificates in each handshake, and keeps no connection.
func authorities(t *testing.T, certificates []testkit.Certificate) (cfg oauth.Config, shows *atomic.Int64,
	shown func(int) int64) {
	counts := make([]atomic.Int64, len(certificates))
	shows = &atomic.Int64{}
	u := serveTLS(t, &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		g := shows.Load()
		counts[g].Add(1)
		return &tls.Config{Certificates: []tls.Certificate{certificates[g].Certificate}}, nil
	}}, active)
	u.Config.SetKeepAlivesEnabled(false)
	cfg = u.config(t)
	testkit.WriteFile(t, cfg.CAFile, certificates[0].PEM())
	return cfg, shows, func(g int) int64 { return counts[g].Load() }
}

func TestNoRequestFailsWhileAuthoritiesRotate(t *testing.T) {
	for order, rotate := range map[string]func(log *testkit.LogBuffer, file, server func(), seen func() bool,
		next int){
		"file first": func(log *testkit.LogBuffer, file, server func(), _ func() bool, next int) {
			file()
			testkit.Eventually(t, "the new ones are tried", func() bool {
				return log.Count("new credential refused") == next
			})
			server()
		},
		"server first": func(_ *testkit.LogBuffer, file, server func(), seen func() bool, _ int) {
			server()
			testkit.Eventually(t, "the new certificate is seen", seen)
			file()
		},
	} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			certificates := pairs(t)
			cfg, shows, shown := authorities(t, certificates)
			s, log := openLogged(t, cfg)
			answered(t, s)
			l := startLoad(t, s)
			for next := 1; next <= rotations; next++ {
				rotate(log, func() { testkit.WriteFile(t, cfg.CAFile, certificates[next].PEM()) },
					func() { shows.Store(int64(next)) },
					func() bool { return shown(next) > 0 }, next)
				testkit.Eventually(t, "the rotation is over", func() bool {
					return log.Count("credential rotated") == next
				})
			}
			l.done(t)
		})
	}
}

func TestFormerAuthoritiesAreNotTrustedAfterARotation(t *testing.T) {
	t.Parallel()
	certificates := pairs(t)
	cfg, shows, _ := authorities(t, certificates)
	cfg.FileWait = 0 // the last request waits that long
	s, log := openLogged(t, cfg)
	answered(t, s)
	shows.Store(1)
	testkit.WriteFile(t, cfg.CAFile, certificates[1].PEM())
	answered(t, s)
	if log.Count("credential rotated") != 1 {
		t.Fatal("not rotated")
	}
	shows.Store(0)
	if _, err := ask(t.Context(), s); authz.KindOf(err) != authz.Misconfigured {
		t.Errorf("%v", err)
	}
}

func TestConnectionsOfAFormerCertificateAreClosed(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"h2", "http/1.1"} {
		certificates := pairs(t)
		var mu sync.Mutex
		shown, closed := map[string]*x509.Certificate{}, map[string]bool{} // by connection
		u := &idp{Server: httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			shown[r.RemoteAddr] = r.TLS.PeerCertificates[0]
			mu.Unlock()
			active(w, seen{})
		}))}
		u.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, NextProtos: []string{protocol}}
		u.EnableHTTP2 = protocol == "h2"
		u.Config.ConnState = func(c net.Conn, state http.ConnState) {
			mu.Lock()
			closed[c.RemoteAddr().String()] = state == http.StateClosed
			mu.Unlock()
		}
		u.StartTLS()
		t.Cleanup(u.Close)
		r := &rotating{cfg: u.config(t)}
		r.certified(t, certificates)
		s := open(t, r.cfg)
		answered(t, s)
		r.write(1)
		open := func(g int) (n int) {
			mu.Lock()
			defer mu.Unlock()
			for address, c := range shown {
				if c.Equal(certificates[g].Leaf) && !closed[address] {
					n++
				}
			}
			return n
		}
		testkit.Eventually(t, protocol+": the new one is shown", func() bool { answered(t, s); return open(1) > 0 })
		testkit.Eventually(t, protocol+": the old connection is closed", func() bool { return open(0) == 0 })
		answered(t, s)
	}
}

func TestASwappedLinkIsNoticed(t *testing.T) {
	t.Parallel()
	r := kinds["secret"](t)
	dir := t.TempDir() // as Kubernetes mounts secrets: name -> ..data/name, ..data -> a folder of one version
	for g := range 2 {
		if err := os.Mkdir(filepath.Join(dir, fmt.Sprint(g)), 0o700); err != nil {
			t.Fatal(err)
		}
		testkit.WriteFile(t, filepath.Join(dir, fmt.Sprint(g), "secret"), secretOf(g))
	}
	link := func(to, name string) {
		if err := errors.Join(os.Symlink(to, filepath.Join(dir, "new")),
			os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	link("0", "..data")
	link("..data/secret", "secret")
	r.cfg.Client.Secret.File = filepath.Join(dir, "secret")
	s := open(t, r.cfg)
	answered(t, s)
	r.accept(0, 1)
	link("1", "..data")
	testkit.Eventually(t, "the new secret is used", func() bool { answered(t, s); return r.count(r.served, 1) > 0 })
}

func TestAFileThatLooksTheSameIsReadWhenItsSecretIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes := "old"
		s, name := openBasic(t, "old", func(password string) int {
			if password == takes {
				return 200
			}
			return 401
		})
		long := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC) // before the time of this bubble
		keepTime := func() {
			if err := os.Chtimes(name, long, long); err != nil {
				t.Fatal(err)
			}
		}
		keepTime()
		postFor(t, s, 3*time.Second, 200)
		testkit.WriteFile(t, name, "new")
		keepTime()
		takes = "new"
		start := time.Now()
		post(t, s, 200)
		if took := time.Since(start); took > 0 {
			t.Errorf("after %v", took)
		}
	})
}

func TestFilesThatCannotBeUsedKeepWhatWorked(t *testing.T) {
	certificates := pairs(t)
	for name, c := range map[string]struct {
		kind  string
		spoil func(t *testing.T, r *rotating)
	}{
		"gone":  {"secret", func(t *testing.T, r *rotating) { _ = os.Remove(r.cfg.Client.Secret.File) }},
		"empty": {"secret", func(t *testing.T, r *rotating) { testkit.WriteFile(t, r.cfg.Client.Secret.File, "") }},
		"huge": {"secret", func(t *testing.T, r *rotating) {
			testkit.WriteFile(t, r.cfg.Client.Secret.File, strings.Repeat("x", 1<<20))
		}},
		"too short to sign": {"client_secret_jwt", func(t *testing.T,
			r *rotating) {
			testkit.WriteFile(t, r.cfg.Client.Secret.File, "short")
		}},
		"a token with a space": {"bearer", func(t *testing.T,
			r *rotating) {
			testkit.WriteFile(t, r.cfg.Client.Secret.File, "a b")
		}},
		"half a key": {"private_key_jwt", func(t *testing.T, r *rotating) {
			testkit.WriteFile(t, r.cfg.Client.Key.File, certificates[1].KeyPEM(t)[:80])
		}},
		"certificate, not key": {"certificate", func(t *testing.T, r *rotating) {
			testkit.WriteFile(t, r.cfg.Client.CertificateFile, certificates[1].PEM())
		}},
		"half the certificates": {"certificate", func(t *testing.T, r *rotating) {
			testkit.WriteFile(t, r.cfg.CAFile, certificates[1].PEM()+certificates[2].PEM()[:99])
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := kinds[c.kind](t)
			s, log := openLogged(t, r.cfg)
			answered(t, s)
			c.spoil(t, r)
			ask := func() bool { answered(t, s); return log.Count("cannot be used") > 0 }
			testkit.Eventually(t, "the log says so", ask)
			until := time.Now().Add(1100 * time.Millisecond)
			testkit.Eventually(t, "one more look", func() bool { ask(); return time.Now().After(until) })
			if n := log.Count("cannot be used"); n != 1 {
				t.Errorf("it is logged %d times", n)
			}
			if log.Count("secret-that")+log.Count("PRIVATE") > 0 {
				t.Error("the log holds a secret")
			}
		})
	}
}
