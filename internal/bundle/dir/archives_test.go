package dir

import (
	"os"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/testkit/bundleserver"
)

// orders is an archive whose module says a word.
func orders(t *testing.T, word string) string {
	t.Helper()
	return string(bundleserver.Packed(t, map[string]string{
		".manifest": `{"roots": ["orders"]}`, "orders/a.rego": word, "orders/a_test.rego": "test " + word,
	}))
}

func packed() Config {
	cfg := onlyPolicies
	cfg.Paths, cfg.Bundles = nil, []string{"b/orders.tar.gz"}
	return cfg
}

func TestLoad_ReadsAnArchiveAmongTheBundles(t *testing.T) {
	inside(t, map[string]string{"b/orders.tar.gz": orders(t, "one")})
	set, err := Load(packed())
	if err != nil {
		t.Fatal(err)
	}
	b := set.Bundles[0]
	if b.Name != "b/orders.tar.gz" || paths(b.Modules) != "b/orders.tar.gz/orders/a.rego" || len(b.Tests) != 0 ||
		b.Digest == "" {
		t.Errorf("bundle %+v", b)
	}
	if set, err = LoadWithTests(packed()); err != nil || len(set.Bundles[0].Tests) != 1 {
		t.Errorf("with tests: %v %v", set, err)
	}
}

func TestLoad_SaysWhatIsWrongWithAnArchive(t *testing.T) {
	inside(t, map[string]string{"b/orders.tar.gz": orders(t, "one")[:100]})
	if _, err := Load(packed()); err == nil || !strings.HasPrefix(err.Error(), "b/orders.tar.gz: archive_error: ") {
		t.Errorf("error %v", err)
	}
	cfg := onlyPolicies
	cfg.Paths = []string{"b/orders.tar.gz"}
	refused(t, cfg, "b/orders.tar.gz: directory_error: is an archive of a bundle: name it under policies.bundles")
}

func TestWatch_SeesAnArchiveThatIsReplacedAndOneThatIsWrittenInPlace(t *testing.T) {
	inside(t, map[string]string{"b/orders.tar.gz": orders(t, "one")})
	cfg := watched()
	cfg.Bundles = packed().Bundles
	s := started(t, cfg)
	write(t, map[string]string{"b/new": orders(t, "two")})
	must(t, os.Rename("b/new", "b/orders.tar.gz"))
	s.expect("two")
	write(t, map[string]string{"b/orders.tar.gz": orders(t, "three")})
	s.expect("three")
	s.quiet()
}

func TestLoad_PutsBundlesFromElsewhereBesideTheDirectories(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego})
	a, err := archive.Read("shop", strings.NewReader(orders(t, "one")), archive.Limits{})
	must(t, err)
	cfg := onlyPolicies
	cfg.Beside = func() ([]Held, bundle.Problems) {
		return []Held{{Archive: a, Signed: bundle.Signed{Reviewed: "sha256:0"}}}, nil
	}
	set, err := Load(cfg)
	must(t, err)
	if b := set.Bundles[1]; b.Name != "shop" || b.Signed.Reviewed != "sha256:0" || len(b.Tests) != 0 {
		t.Errorf("bundle %+v", b)
	}
	cfg.Beside = func() ([]Held, bundle.Problems) {
		return nil, bundle.Problems{{File: "shop", Code: "download_error", Message: "no answer"}}
	}
	refused(t, cfg, "shop: download_error: no answer")
}
