package source_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle/source"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/bundleserver"
)

func TestServer_GivesEachNewVersion(t *testing.T) {
	srv := bundleserver.Start(t)
	srv.Serve(orders(t, "1", "one"))
	s := open(t, configured(srv.URL, nil)).run(t)
	s.becomes(t, "one")
	srv.Serve(orders(t, "2", "two"))
	s.becomes(t, "two")
	st := s.Status()[0]
	if st.Revision != "2" || st.Kind != "http" || !st.Healthy || st.ETag != `"v2"` || st.Confirmed.IsZero() ||
		!strings.HasPrefix(st.Digest, "sha256:") {
		t.Errorf("status %+v", st)
	}
}

func TestServer_WithoutETagIsNotedInTheStatus(t *testing.T) {
	srv := bundleserver.Start(t)
	raw := orders(t, "1", "one")
	srv.Fail(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(raw) })
	s := open(t, configured(srv.URL, nil)).run(t)
	s.becomes(t, "one")
	if st := s.Status()[0]; !st.Healthy || !strings.Contains(st.Note, "no ETag") {
		t.Errorf("status %+v", st)
	}
}

func TestServer_IsNotAskedForAnArchiveThatItSaysIsUnchanged(t *testing.T) {
	srv := bundleserver.Start(t)
	srv.Serve(orders(t, "1", "one"))
	s := open(t, configured(srv.URL, nil)).run(t)
	before := s.Status()[0].Confirmed
	testkit.Eventually(t, "the archive is confirmed", func() bool {
		return s.Status()[0].Confirmed.After(before) &&
			len(srv.Requests()) > 2
	})
	for _, h := range srv.Requests()[1:] {
		if h.Get("If-None-Match") != `"v1"` || h.Get("Prefer") != "modes=snapshot" {
			t.Errorf("request with %v", h)
		}
	}
}

func TestServer_ThatWaitsIsAskedOnceAChange(t *testing.T) {
	srv := bundleserver.Start(t)
	srv.Wait()
	srv.Serve(orders(t, "1", "one"))
	s := open(t, configured(srv.URL, func(c *source.Config) {
		c.Poll.Wait, c.Poll.Min, c.Poll.Max = 60*time.Second, time.Hour, time.Hour
	})).run(t)
	asked := func(n int) func() bool {
		return func() bool { return len(srv.Requests()) == n }
	}
	testkit.Eventually(t, "the server is asked to wait", asked(2))
	srv.Serve(orders(t, "2", "two"))
	s.becomes(t, "two")
	testkit.Eventually(t, "the server is asked again", asked(3))
	if h := srv.Requests()[2]; h.Get("Prefer") != "modes=snapshot;wait=60" || h.Get("If-None-Match") != `"v2"` {
		t.Errorf("request with %v", h)
	}
	if !s.Status()[0].LongPolling {
		t.Error("the status does not tell of long polling")
	}
}

// bomb is an archive whose one file unpacks to a gigabyte, as its header says.
func bomb(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	header := tar.Header{Name: "orders/orders.rego", Size: 1 << 30, Mode: 0o644, Typeflag: tar.TypeReg}
	if err := w.WriteHeader(&header); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 32<<20)); err != nil { // no more is read
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// failures are servers that bring no archive, and what the status must say of each.
func failures(t *testing.T) map[string]http.HandlerFunc {
	good := orders(t, "9", "bad")
	write := func(status int, kind string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write(body)
		}
	}
	elsewhere := httptest.NewServer(write(http.StatusOK, "application/gzip", good))
	t.Cleanup(elsewhere.Close)
	return map[string]http.HandlerFunc{
		"limit_error: the file holds more than": write(http.StatusOK, "application/gzip", bomb(t)),
		"status 500":                            write(http.StatusInternalServerError, "text/plain", []byte("no")),
		"status 404, there is no archive":       write(http.StatusNotFound, "text/plain", nil),
		"status 403, it does not let":           write(http.StatusForbidden, "text/plain", nil),
		"the answer is a web page":              write(http.StatusOK, "text/html", []byte("<html>log in</html>")),
		"the answer is JSON":                    write(http.StatusOK, "application/json", []byte("{}")),
		"the answer is empty":                   write(http.StatusOK, "application/gzip", nil),
		"the answer is no gzip archive":         write(http.StatusOK, "application/gzip", []byte("hello")),
		"orders: archive_error":                 write(http.StatusOK, "application/gzip", cut(good)),
		"it leads elsewhere, and redirects": func(w http.ResponseWriter,
			r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		},
		"more than 5 redirects": func(w http.ResponseWriter,
			r *http.Request) {
			http.Redirect(w, r, "/again", http.StatusFound)
		},
		"closed before the answer was complete": func(w http.ResponseWriter, _ *http.Request) { // before its length
			w.Header().Set("Content-Length", strconv.Itoa(len(good)))
			_, _ = w.Write(cut(good))
		},
		"(max_bytes)": func(w http.ResponseWriter, r *http.Request) { // a body without end
			for r.Context().Err() == nil {
				if _, err := w.Write(append([]byte{0x1f, 0x8b}, make([]byte, 1<<16)...)); err != nil {
					return
				}
			}
		},
		"no answer in time": func(w http.ResponseWriter, r *http.Request) { // a hang in the middle
			_, _ = w.Write(cut(good))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	}
}

func TestServer_ThatFailsLeavesTheLastGoodArchiveAndASaidReason(t *testing.T) {
	for want, fault := range failures(t) {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			srv := bundleserver.Start(t)
			srv.Serve(orders(t, "1", "one"))
			s := open(t, configured(srv.URL, func(c *source.Config) {
				c.MaxBytes = 1 << 20
				if want == "no answer in time" {
					c.Timeout = 3 * time.Second
				}
			})).run(t)
			srv.Fail(fault)
			testkit.Eventually(t, "the status has an error", func() bool { return s.errs() != "" })
			if !strings.Contains(s.errs(), want) || s.holds() != "one" || s.Status()[0].Healthy {
				t.Errorf("holds %s, and the status says %q", s.holds(), s.errs())
			}
			if !s.log.Has("its last good archive stays") {
				t.Errorf("log:\n%s", s.log)
			}
			srv.Serve(orders(t, "2", "two"))
			s.becomes(t, "two")
			testkit.Eventually(t, "the source is healthy again", func() bool { return s.Status()[0].Healthy })
		})
	}
}

func TestServer_RefusedArchiveIsFetchedAgainAndHidesNoLaterOne(t *testing.T) {
	srv := bundleserver.Start(t)
	srv.Serve(orders(t, "1", "one"))
	s := open(t, configured(srv.URL, nil)).run(t)
	srv.Serve(cut(orders(t, "2", "two")))
	s.fails(t, "archive_error")
	for _, h := range srv.Requests()[1:] {
		if tag := h.Get("If-None-Match"); tag != `"v1"` {
			t.Errorf("the server is asked about %s", tag)
		}
	}
	srv.Serve(orders(t, "3", "three"))
	s.becomes(t, "three")
}

func TestServer_RedirectsOnItselfAreFollowed(t *testing.T) {
	srv := bundleserver.Start(t)
	raw := orders(t, "1", "one")
	srv.Fail(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/there" {
			http.Redirect(w, r, "/there", http.StatusFound)
			return
		}
		_, _ = w.Write(raw)
	})
	open(t, configured(srv.URL+"/here", nil)).becomes(t, "one")
}

func TestServer_ThatIsGoneAtTheStartIsSaid(t *testing.T) {
	srv := bundleserver.Start(t)
	url := srv.URL
	srv.Close()
	s := open(t, configured(url, nil))
	if got := s.holds(); !strings.HasPrefix(got, "orders: download_error: ") ||
		!strings.Contains(got, "refused") {
		t.Errorf("problems %s", got)
	}
}

func TestServer_ThatFailsAtTheStartIsAskedAgain(t *testing.T) {
	srv, raw := bundleserver.Start(t), orders(t, "1", "one")
	var asked atomic.Int64
	srv.Fail(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = w.Write(raw)
	})
	openWith(t, configured(srv.URL, nil), source.Deps{}).becomes(t, "one")
}

func TestServer_AnArchiveThatIsStoredCompressedComesAsItIs(t *testing.T) {
	srv := bundleserver.Start(t)
	raw := orders(t, "1", "one")
	srv.Fail(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(raw)
	})
	open(t, configured(srv.URL, nil)).becomes(t, "one")
}
