package source_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle/signature"
	"github.com/authz-sidecar/sidecar/internal/bundle/source"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/bundleserver"
)

// keeping is a source that keeps its archive in a directory.
func keeping(url, dir string) source.Config {
	return configured(url, func(c *source.Config) { c.Persist = dir })
}

// kept is the one file in the directory.
func kept(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	return files[0]
}

func down(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusBadGateway) }

func TestPersist_WritesWhatIsActivatedForTheUserAlone(t *testing.T) {
	srv, dir := bundleserver.Start(t), t.TempDir()
	srv.Serve(orders(t, "1", "one"))
	s := open(t, keeping(srv.URL, dir))
	if s.Status()[0].Persisted {
		t.Error("it is persisted before it was activated")
	}
	s.activate(t)
	info, err := os.Stat(kept(t, dir))
	if err != nil || info.Mode().Perm() != 0o600 || !s.Status()[0].Persisted {
		t.Errorf("%v %v", info, err)
	}
	srv.Fail(down)
	open(t, keeping(srv.URL, dir)).becomes(t, "one")
}

func TestPersist_DoesNotKeepWhatWasNeverActivated(t *testing.T) {
	srv, dir := bundleserver.Start(t), t.TempDir()
	srv.Serve(orders(t, "1", "one"))
	s := open(t, keeping(srv.URL, dir)).run(t)
	srv.Serve(orders(t, "2", "two"))
	s.becomes(t, "two") // held, and not activated
	srv.Fail(down)
	open(t, keeping(srv.URL, dir)).becomes(t, "one")
}

func TestPersist_IsVerifiedAgainAtTheStart(t *testing.T) {
	srv, dir, ci := bundleserver.Start(t), t.TempDir(), newSigner(t)
	key := testkit.TempFile(t, "ci.pem", ci.public)
	cfg := keeping(srv.URL, dir)
	cfg.Signature.Keys = []signature.Key{{ID: "ci", File: key}}
	srv.Serve(ci.sign(t, orders(t, "1", "one")))
	open(t, cfg).activate(t)
	srv.Fail(down)
	open(t, cfg).becomes(t, "one")
	testkit.WriteFile(t, key, newSigner(t).public)
	s := open(t, cfg)
	if got := s.holds(); !strings.Contains(got, "orders: download_error") {
		t.Errorf("holds %s", got)
	}
	if !s.log.Has("the persisted archive of a policy source is not used") {
		t.Errorf("log:\n%s", s.log)
	}
}

func TestPersist_OfDamagedFilesIsPassedOver(t *testing.T) {
	srv, dir := bundleserver.Start(t), t.TempDir()
	srv.Serve(orders(t, "1", "one"))
	open(t, keeping(srv.URL, dir)).activate(t)
	testkit.WriteFile(t, kept(t, dir), "no archive")
	open(t, keeping(srv.URL, dir)).becomes(t, "one")
}

func TestPersist_OfAnotherURLIsNotUsed(t *testing.T) {
	srv, dir := bundleserver.Start(t), t.TempDir()
	srv.Serve(orders(t, "1", "one"))
	open(t, keeping(srv.URL+"/a", dir)).activate(t)
	srv.Fail(down)
	if got := open(t, keeping(srv.URL+"/b", dir)).holds(); !strings.Contains(got, "download_error") {
		t.Errorf("holds %s", got)
	}
}

func TestPersist_RemembersWhenTheServerLastConfirmed(t *testing.T) {
	srv, dir := bundleserver.Start(t), t.TempDir()
	srv.Serve(orders(t, "1", "one"))
	open(t, keeping(srv.URL, dir)).activate(t)
	old := time.Now().Add(-3 * time.Hour).Truncate(time.Second)
	if err := os.Chtimes(kept(t, dir), old, old); err != nil {
		t.Fatal(err)
	}
	srv.Fail(down)
	cfg := keeping(srv.URL, dir)
	cfg.MaxAge, cfg.WhenStale = time.Hour, "deny"
	s := open(t, cfg)
	if st := s.Status()[0]; !st.Confirmed.Equal(old) || !st.Stale || s.Stale(time.Now()).Deny != "orders" {
		t.Errorf("status %+v", st)
	}
}

func TestPersist_ByAClockThatWasAheadIsNotFreshForLonger(t *testing.T) {
	srv, dir := bundleserver.Start(t), t.TempDir()
	srv.Serve(orders(t, "1", "one"))
	open(t, keeping(srv.URL, dir)).activate(t)
	ahead := time.Now().Add(48 * time.Hour)
	if err := os.Chtimes(kept(t, dir), ahead, ahead); err != nil {
		t.Fatal(err)
	}
	srv.Fail(down)
	cfg := keeping(srv.URL, dir)
	cfg.MaxAge, cfg.WhenStale = time.Hour, "deny"
	s := open(t, cfg)
	if st := s.Status()[0]; st.Confirmed.After(time.Now()) || s.Stale(time.Now().Add(2*time.Hour)).Deny != "orders" {
		t.Errorf("status %+v", st)
	}
}

func TestDowngrade_IsRefusedUnlessAllowed(t *testing.T) {
	for _, allowed := range []string{"refuse", "allow"} {
		srv := bundleserver.Start(t)
		srv.Serve(orders(t, "2", "two"))
		cfg := configured(srv.URL, func(c *source.Config) { c.Downgrade = allowed })
		s := open(t, cfg).run(t)
		srv.Serve(orders(t, "1", "one"))
		if allowed == "allow" {
			s.becomes(t, "one")
			continue
		}
		s.fails(t, `orders: downgrade_error: revision "1" is older than "2", which is active`)
		if s.holds() != "two" {
			t.Errorf("holds %s", s.holds())
		}
		srv.Serve(orders(t, "3", "three"))
		s.becomes(t, "three")
	}
}

func TestDowngrade_IsRefusedOverARestart(t *testing.T) {
	srv, dir := bundleserver.Start(t), t.TempDir()
	srv.Serve(orders(t, "2", "two"))
	open(t, keeping(srv.URL, dir)).activate(t)
	srv.Serve(orders(t, "1", "one"))
	s := open(t, keeping(srv.URL, dir)).run(t)
	s.fails(t, "downgrade_error")
	if s.holds() != "two" {
		t.Errorf("holds %s", s.holds())
	}
}

func TestDowngrade_OfRevisionsWithoutAnOrderIsNoted(t *testing.T) {
	srv := bundleserver.Start(t)
	srv.Serve(orders(t, "e5861c9", "one"))
	s := open(t, configured(srv.URL, nil)).run(t)
	srv.Serve(orders(t, "0c71cca", "two"))
	s.becomes(t, "two")
	if note := s.Status()[0].Note; !strings.Contains(note, "cannot be compared") {
		t.Errorf("note %q", note)
	}
}
