package source_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/authz-sidecar/sidecar/internal/bundle/source"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

const layerType = "application/vnd.oci.image.layer.v1.tar+gzip"

// images is an OCI registry, and what stands before it.
type images struct {
	*httptest.Server
	before atomic.Pointer[func(w http.ResponseWriter, r *http.Request) (done bool)]
}

func startRegistry(t *testing.T) *images {
	t.Helper()
	i := &images{}
	h := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before := i.before.Load(); before == nil || r.Header.Get("X-Push") != "" || !(*before)(w, r) {
			h.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(i.Close)
	return i
}

func digestOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (i *images) send(t *testing.T, method, path, kind string, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, i.URL+"/v2/policies/orders/"+path,
		bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("X-Push", "1")
	resp, err := i.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 300 {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
}

// push pushes an archive as an image, under a tag, and returns the digest of the image.
func (i *images) push(t *testing.T, tag, kind string, raw []byte) string {
	t.Helper()
	i.send(t, "POST", "blobs/uploads/?digest="+digestOf(raw), "application/octet-stream", raw)
	config := []byte("{}")
	i.send(t, "POST", "blobs/uploads/?digest="+digestOf(config), "application/octet-stream", config)
	const manifestType = "application/vnd.oci.image.manifest.v1+json"
	manifest := fmt.Appendf(nil, `{"schemaVersion": 2, "mediaType": %q,
		"config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": %q, "size": 2},
		"layers": [{"mediaType": %q, "digest": %q, "size": %d}]}`,
		manifestType, digestOf(config), kind, digestOf(raw), len(raw))
	i.send(t, "PUT", "manifests/"+tag, manifestType, manifest)
	return digestOf(manifest)
}

// from is a source of the registry.
func (i *images) from(tag string, change func(*source.Config)) source.Config {
	return configured(strings.Replace(i.URL, "http://", "oci://", 1)+"/policies/orders"+tag, change)
}

func TestRegistry_GivesEachNewVersionOfATag(t *testing.T) {
	i := startRegistry(t)
	raw := orders(t, "1", "one")
	i.push(t, "prod", layerType, raw)
	s := open(t, i.from(":prod", nil)).run(t)
	s.becomes(t, "one")
	if st := s.Status()[0]; st.Kind != "oci" || st.ETag != digestOf(raw) || !st.Healthy {
		t.Errorf("status %+v", st)
	}
	i.push(t, "prod", layerType, orders(t, "2", "two"))
	s.becomes(t, "two")
}

func TestRegistry_DownloadsAnArchiveOnce(t *testing.T) {
	i := startRegistry(t)
	i.push(t, "prod", layerType, orders(t, "1", "one"))
	var blobs atomic.Int64
	i.hook(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			blobs.Add(1)
		}
		return false
	})
	s := open(t, i.from(":prod", nil)).run(t)
	before := s.Status()[0].Confirmed
	testkit.Eventually(t, "it is confirmed", func() bool { return s.Status()[0].Confirmed.After(before) })
	if n := blobs.Load(); n != 1 {
		t.Errorf("%d downloads", n)
	}
}

func (i *images) hook(h func(w http.ResponseWriter, r *http.Request) bool) { i.before.Store(&h) }

func TestRegistry_GivesWhatADigestNamesAndWhatAnIndexLeadsTo(t *testing.T) {
	i := startRegistry(t)
	digest := i.push(t, "prod", layerType, orders(t, "1", "one"))
	open(t, i.from("@"+digest, nil)).becomes(t, "one")
	const indexType = "application/vnd.oci.image.index.v1+json"
	i.send(t, "PUT", "manifests/all", indexType, fmt.Appendf(nil, `{"schemaVersion": 2, "mediaType": %q,
		"manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": %q, "size": 1}]}`,
		indexType, digest))
	open(t, i.from(":all", nil)).becomes(t, "one")
}

func TestRegistry_ThatIsGoneLeavesTheLastGoodArchive(t *testing.T) {
	i := startRegistry(t)
	i.push(t, "prod", layerType, orders(t, "1", "one"))
	s := open(t, i.from(":prod", nil)).run(t)
	i.CloseClientConnections()
	i.Close()
	s.fails(t, "orders: download_error")
	if s.holds() != "one" {
		t.Errorf("holds %s", s.holds())
	}
	gone := open(t, i.from(":prod", nil))
	if got := gone.holds(); !strings.Contains(got, "orders: download_error: ") || !strings.Contains(got, "refused") {
		t.Errorf("problems %s", got)
	}
}

func TestRegistry_SaysWhatIsMissing(t *testing.T) {
	i := startRegistry(t)
	i.push(t, "chart", "application/vnd.cncf.helm.chart.content.v1.tar", orders(t, "1", "one"))
	for tag, want := range map[string]string{
		":none":                              "the registry has no such repository, tag or digest",
		":chart":                             "the image has no layer that is a gzip archive",
		"@sha256:" + strings.Repeat("0", 64): "the registry has no such repository, tag or digest",
	} {
		if got := open(t, i.from(tag, nil)).holds(); !strings.Contains(got, want) {
			t.Errorf("%s: problems %s, want %s", tag, got, want)
		}
	}
}

// TestRegistry_GetsATokenWithTheClientsPassword: https://distribution.github.io/distribution/spec/auth/token.
func TestRegistry_GetsATokenWithTheClientsPassword(t *testing.T) {
	i := startRegistry(t)
	i.push(t, "prod", layerType, orders(t, "1", "one"))
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, password, _ := r.BasicAuth()
		if id != "sidecar" || password != "the-password" || r.FormValue("service") != "images" ||
			r.FormValue("scope") != "repository:policies/orders:pull" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"token": "the-token"}`)
	}))
	t.Cleanup(tokens.Close)
	i.hook(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "Bearer the-token" {
			return false
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="images",scope="all"`,
			tokens.URL))
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	with := func(password string) source.Config {
		return i.from(":prod", func(c *source.Config) {
			c.Client.Auth, c.Client.ID = oauth.ClientSecretBasic, "sidecar"
			c.Client.Secret = secret.Source{File: testkit.TempFile(t, "password", password)}
		})
	}
	s := open(t, with("the-password"))
	s.becomes(t, "one")
	s = open(t, with("another-password"))
	if got := s.holds(); !strings.Contains(got, "no token for the registry") || s.log.Has("another-password") {
		t.Errorf("problems %s, log:\n%s", got, s.log)
	}
}

func TestRegistry_BlobsMayComeFromElsewhereWithoutCredentials(t *testing.T) {
	i := startRegistry(t)
	raw := orders(t, "1", "one")
	i.push(t, "prod", layerType, raw)
	content := atomic.Pointer[[]byte]{}
	content.Store(&raw)
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the storage gets credentials")
		}
		_, _ = w.Write(*content.Load())
	}))
	t.Cleanup(storage.Close)
	i.hook(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/blobs/") {
			return false
		}
		http.Redirect(w, r, storage.URL+"/blob", http.StatusTemporaryRedirect)
		return true
	})
	cfg := i.from(":prod", func(c *source.Config) {
		c.Client.Auth, c.Client.ID = oauth.ClientSecretBasic, "sidecar"
		c.Client.Secret = secret.Source{File: testkit.TempFile(t, "password", "the-password")}
	})
	open(t, cfg).becomes(t, "one")
	other := orders(t, "1", "forged")
	content.Store(&other)
	if got := open(t, cfg).holds(); !strings.Contains(got, "the archive is not that of its digest") {
		t.Errorf("problems %s", got)
	}
}

func TestCheck_SaysWhatIsWrongWithAReference(t *testing.T) {
	for url, want := range map[string]string{
		"oci://registry.example":                     "url: names no registry and repository",
		"oci://registry.example/orders":              "url: names no tag",
		"oci://registry.example/Orders:1":            `url: "Orders" is no name of a repository`,
		"oci://registry.example/orders@md5:0":        "url: names a digest that is not sha256",
		"oci://user:pw@registry.example/orders:prod": "url: names no registry and repository",
	} {
		c := conf.Default[source.Config]()
		c.Name, c.URL = "orders", url
		var got []string
		conf.Check(c, func(key, cause, _ string) { got = append(got, key+": "+cause) })
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %s", url, got, want)
		}
	}
}
