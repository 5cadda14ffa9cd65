package app

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle/source"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/status"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/bundleserver"
)

// shop is a bundle with a policy of its own.
func shop(t *testing.T, revision, word string) []byte {
	t.Helper()
	return bundleserver.Packed(t, map[string]string{
		".manifest":      `{"revision": "` + revision + `", "roots": ["shop"]}`,
		"shop/shop.rego": "package shop\n\nimport rego.v1\n\nallow := data.shop.is == \"one\"\n",
		"shop/data.json": `{"is": "` + word + `"}`,
	})
}

// packedOrders is a source that is an archive on disk.
func packedOrders(t *testing.T) source.Config {
	c := conf.Default[source.Config]()
	c.Name = "shop"
	c.Path = filepath.Join(t.TempDir(), "shop.tar.gz")
	if err := os.WriteFile(c.Path, shop(t, "1", "one"), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// served is a source of a server that is asked often.
func served(url string) source.Config {
	c := conf.Default[source.Config]()
	c.Name, c.URL, c.AllowInsecureHTTP = "shop", url, true
	c.Poll.Min, c.Poll.Max, c.StartTimeout = 100*time.Millisecond, 150*time.Millisecond, time.Minute
	return c
}

// revision is that of a bundle that decides.
func (w *world) revision(t *testing.T, bundle string) string {
	t.Helper()
	return w.status(t).Policy.Bundles[bundle]
}

func TestSources_DecideTogetherWithDirectories(t *testing.T) {
	t.Parallel()
	srv := bundleserver.Start(t)
	srv.Serve(shop(t, "1", "one"))
	w := start(t, func(c *config.Config) { c.Policies.Sources = []source.Config{served(srv.URL)} })
	if got := w.revision(t, "shop"); got != "1" {
		t.Fatalf("revision %q", got)
	}
	srv.Serve(shop(t, "2", "two"))
	testkit.Eventually(t, "the new version decides", func() bool { return w.revision(t, "shop") == "2" })
	s := w.status(t).Sources[0]
	if s.Name != "shop" || !s.Active || !s.Healthy || s.Revision != "2" {
		t.Errorf("status %+v", s)
	}
}

func TestSources_ArchiveThatDoesNotLoadIsRefusedAsAWholeAndTheNextOneIsUsed(t *testing.T) {
	t.Parallel()
	srv := bundleserver.Start(t)
	srv.Serve(shop(t, "1", "one"))
	w := start(t, func(c *config.Config) { c.Policies.Sources = []source.Config{served(srv.URL)} })
	srv.Serve(bundleserver.Packed(t, map[string]string{
		".manifest":      `{"revision": "2", "roots": ["shop"]}`,
		"shop/shop.rego": "package shop\n\nword := undefined_function(1)\n",
	}))
	failing := func() bool {
		s := w.status(t)
		return !s.Policy.Healthy && strings.Contains(s.Policy.Errors[0].Text, "shop/shop/shop.rego:3:")
	}
	testkit.Eventually(t, "the policies do not load", failing)
	if s := w.status(t); s.Policy.Bundles["shop"] != "1" || s.Sources[0].Active || s.Sources[0].Revision != "2" {
		t.Errorf("status %+v", s)
	}
	srv.Serve(shop(t, "3", "three"))
	testkit.Eventually(t, "the next version decides", func() bool { return w.revision(t, "shop") == "3" })
}

func TestSources_WhoseRootsOverlapAreRefusedAndTheLastGoodOnesDecide(t *testing.T) {
	t.Parallel()
	one, two := bundleserver.Start(t), bundleserver.Start(t)
	one.Serve(shop(t, "1", "one"))
	other := func(revision, roots string) []byte {
		return bundleserver.Packed(t, map[string]string{
			".manifest":        `{"revision": "` + revision + `", "roots": [` + roots + `]}`,
			"depot/depot.rego": "package depot\n\nimport rego.v1\n\nallow := false\n",
		})
	}
	two.Serve(other("1", `"depot"`))
	w := start(t, func(c *config.Config) {
		depot := served(two.URL)
		depot.Name = "depot"
		c.Policies.Sources = []source.Config{served(one.URL), depot}
	})
	two.Serve(other("2", `"depot", "shop/prices"`))
	const want = `depot/.manifest: roots_error: root "shop/prices" overlaps root "shop" of bundle shop`
	testkit.Eventually(t, "the policies do not load", func() bool {
		s := w.status(t)
		return len(s.Policy.Errors) == 1 && s.Policy.Errors[0].Text == want
	})
	if got := w.revision(t, "depot"); got != "1" {
		t.Errorf("revision %q decides", got)
	}
	two.Serve(other("3", `"depot"`))
	testkit.Eventually(t, "the next version decides", func() bool { return w.revision(t, "depot") == "3" })
}

func TestSources_StartFailsWithTheLastAnswerOfAServerThatThenHangs(t *testing.T) {
	t.Parallel()
	srv := bundleserver.Start(t)
	var answered atomic.Bool
	srv.Fail(func(w http.ResponseWriter, r *http.Request) {
		if answered.Swap(true) {
			<-r.Context().Done()
			return
		}
		http.NotFound(w, r)
	})
	cfg := configuration(t, "https://issuer.example")
	c := served(srv.URL)
	c.StartTimeout, c.Timeout = 10*time.Second, time.Minute
	cfg.Policies.Sources = []source.Config{c}
	_, err := New(t.Context(), cfg, (&world{stdout: &testkit.LogBuffer{}, logger: &testkit.LogBuffer{}}).deps())
	if err == nil || !strings.Contains(err.Error(), "shop: download_error: ") ||
		!strings.Contains(err.Error(), "status 404, there is no archive at this URL") {
		t.Errorf("error %v", err)
	}
}

func TestSources_StartUsesWhatIsPersistedWithoutTheServer(t *testing.T) {
	t.Parallel()
	srv := bundleserver.Start(t)
	srv.Serve(shop(t, "1", "one"))
	kept := t.TempDir()
	c := served(srv.URL)
	c.Persist = kept
	use := func(cfg *config.Config) { cfg.Policies.Sources = []source.Config{c} }
	w := start(t, use)
	testkit.Eventually(t, "it is persisted", func() bool { return w.status(t).Sources[0].Persisted })
	if err := w.stopped(t); err != nil {
		t.Fatal(err)
	}
	srv.Fail(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusBadGateway) })
	w = start(t, use)
	if got := w.revision(t, "shop"); got != "1" {
		t.Errorf("revision %q", got)
	}
	srv.Serve(shop(t, "2", "two"))
	testkit.Eventually(t, "the server's version decides", func() bool { return w.revision(t, "shop") == "2" })
}

func TestSources_StaleArchivesMakeUnreadyOrDeny(t *testing.T) {
	t.Parallel()
	for _, effect := range []string{"warn", "unready", "deny"} {
		t.Run(effect, func(t *testing.T) {
			t.Parallel()
			srv := bundleserver.Start(t)
			srv.Serve(shop(t, "1", "one"))
			c := served(srv.URL)
			c.MaxAge, c.WhenStale = time.Second, effect
			w := start(t, func(cfg *config.Config) { cfg.Policies.Sources = []source.Config{c} })
			srv.Fail(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusBadGateway) })
			testkit.Eventually(t, "the archive is stale", func() bool { return w.status(t).Sources[0].Stale })
			testkit.Eventually(t, "staleness has its effect", func() bool { return w.staleEffect(t) == effect })
			srv.Serve(shop(t, "2", "two"))
			testkit.Eventually(t, "the archive is confirmed", func() bool {
				return w.staleEffect(t) == "warn" && w.status(t).Ready
			})
		})
	}
}

// staleEffect is what a stale archive does, as callers see it.
func (w *world) staleEffect(t *testing.T) string {
	t.Helper()
	a := w.ask(t, "no-token")
	switch s := w.status(t); {
	case a.Kind == "unavailable" && a.Reasons[0].Code == "policy_stale" && s.Because == status.BecauseStale:
		return "deny"
	case s.Because == status.BecauseStale:
		return "unready"
	}
	return "warn"
}
