package app

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/bundle/signature"
	"github.com/authz-sidecar/sidecar/internal/bundle/source"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/bundleserver"
)

// signedOf is a bundle of files, signed.
func signedOf(t *testing.T, how signature.Signing, files map[string]string) []byte {
	t.Helper()
	a, err := archive.Read("shop", bytes.NewReader(bundleserver.Packed(t, files)), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if a, err = signature.Sign(a, how); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := archive.Write(&out, a); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// verified is a source of a server that demands a signature of the key in a file.
func verified(url, public string) source.Config {
	c := served(url)
	c.Signature.Keys = []signature.Key{{ID: "release", File: public}}
	c.Signature.Signers = []signature.Role{{Role: "author", Keys: []string{"release"}}}
	return c
}

// bomb is an archive of a few MB whose one file has 1 GB.
func bomb(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	const size = 1 << 30
	if err := w.WriteHeader(&tar.Header{Name: "shop/data.json", Mode: 0o600, Size: size}); err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range size >> 20 {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestRefusals is the table of what must never decide: it is refused with a reason in status, log and metrics, the
// last good version goes on deciding, and the next good one is used.
func TestRefusals(t *testing.T) {
	how, public := release(t)
	other := how
	other.Key = secret.New(testkit.KeyPEM(t, testkit.FixedKey(t, "ES256")))
	srv := bundleserver.Start(t)
	version := func(revision string) []byte {
		raw, _ := signedShop(t, how, revision, "one")
		return raw
	}
	srv.Serve(version("100"))
	own := conf.Default[source.Config]()
	own.Name, own.Path = "own", filepath.Join(t.TempDir(), "own.tar.gz")
	testkit.WriteFile(t, own.Path, string(bundleserver.Packed(t, map[string]string{
		".manifest": `{"revision": "1", "roots": ["own"]}`, "own/own.rego": "package own\n\nx := 1\n"})))
	w := start(t, func(c *config.Config) {
		from := verified(srv.URL, public)
		from.Timeout = time.Second
		c.Policies.Sources = []source.Config{from, own}
	})
	tok := w.token(t, good())
	flipped := bytes.Clone(version("101"))
	flipped[len(flipped)/2] ^= 1
	old, _ := signedShop(t, how, "99", "one")
	wrong, _ := signedShop(t, other, "101", "one")
	overlapping := signedOf(t, how, map[string]string{".manifest": `{"revision": "900", "roots": ["shop", "own"]}`,
		"shop/shop.rego": "package shop\n\nallow := true\n"})
	for i, c := range []struct {
		name string
		raw  []byte
		fail http.HandlerFunc
		want string
	}{
		{name: "a bit flip", raw: flipped, want: `archive_error|signature_error|manifest_error`},
		{name: "unsigned", raw: shop(t, "101", "one"), want: "the bundle is not signed"},
		{name: "a wrong key", raw: wrong, want: "signature_error"},
		{name: "an older revision", raw: old, want: "is older than"},
		{name: "overlapping roots", raw: overlapping, want: "roots_error"},
		{name: "a bomb", raw: bomb(t), want: "archive_error|limit_error"},
		{name: "a server that hangs in the middle", fail: func(rw http.ResponseWriter, r *http.Request) {
			raw := version("900")
			rw.Header().Set("Content-Length", "100000")
			_, _ = rw.Write(raw[:len(raw)/2])
			rw.(http.Flusher).Flush()
			<-r.Context().Done()
		}, want: "timeout|not done|deadline|time"},
	} {
		before := w.revision(t, "shop")
		if c.fail != nil {
			srv.Fail(c.fail)
		} else {
			srv.Serve(c.raw)
		}
		why := regexp.MustCompile(c.want)
		testkit.Eventually(t, c.name+" is refused, with a reason in the status", func() bool {
			s := w.status(t)
			text := ""
			for _, p := range s.Policy.Errors {
				text += p.Text + "\n"
			}
			for _, from := range s.Sources {
				for _, p := range from.Errors {
					text += p.Text + "\n"
				}
			}
			return why.MatchString(text)
		})
		if got := w.revision(t, "shop"); got != before {
			t.Errorf("%s: %s decides", c.name, got)
		}
		if got := w.ask(t, tok); !got.Allow {
			t.Errorf("%s: the last good version answers %v", c.name, got)
		}
		if !why.MatchString(w.logger.String()) {
			t.Errorf("%s: the log does not say why", c.name)
		}
		failing := regexp.MustCompile(`(?m)^sidecar_(app_reload|\w*source)_failing(\{[^}]*\})? 1$`)
		if !failing.MatchString(w.get(t, "/metrics")) {
			t.Errorf("%s: no metric shows it", c.name)
		}
		next := strconv.Itoa(200 + i)
		srv.Serve(version(next))
		testkit.Eventually(t, "the next good version decides after "+c.name, func() bool {
			s := w.status(t)
			return s.Policy.Bundles["shop"] == next && s.Policy.Healthy && s.Sources[0].Healthy
		})
	}
}

// TestARegistryThatIsGoneAtAStartIsNamed: nothing decides then.
func TestARegistryThatIsGoneAtAStartIsNamed(t *testing.T) {
	gone := bundleserver.Start(t)
	gone.Fail(func(_ http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	cfg := configuration(t, "https://login.example")
	c := served(strings.Replace(gone.URL, "http://", "oci://", 1) + "/policies/shop:1")
	c.StartTimeout = 300 * time.Millisecond
	cfg.Policies.Sources = []source.Config{c}
	_, err := New(t.Context(), cfg, (&world{stdout: &testkit.LogBuffer{}, logger: &testkit.LogBuffer{}}).deps())
	if err == nil || !strings.Contains(err.Error(), "shop") {
		t.Errorf("error is %v", err)
	}
}
