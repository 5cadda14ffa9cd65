package dir

import (
	"slices"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/library"
)

const refers = "package authz\n\nimport data.sidecar.scopes\n\nallow if scopes.granted([\"read\"])\n"

func hasLibrary(s *bundle.Set) bool {
	return slices.ContainsFunc(s.Bundles, func(b bundle.Bundle) bool {
		return b.Name == library.Name && b.Embedded && b.Revision == library.Version && len(b.Modules) > 5
	})
}

func TestEachWayToReadAddsTheLibrary(t *testing.T) {
	inside(t, map[string]string{"policies/authz.rego": refers})
	withTests, err := LoadWithTests(onlyPolicies)
	must(t, err)
	for name, set := range map[string]*bundle.Set{
		"Load": loaded(t, onlyPolicies), "LoadWithTests": withTests, "Remaining": Remaining(onlyPolicies).Set,
	} {
		if !hasLibrary(set) || set.Digest != withTests.Digest {
			t.Errorf("%s: the library is not there, or the digest is another: %s", name, set.Digest)
		}
	}
}

func TestAWatcherReportsTheLibraryAsItComesAndGoes(t *testing.T) {
	inside(t, map[string]string{"policies/authz.rego": rego})
	s := started(t, watched("policies"))
	write(t, map[string]string{"policies/authz.rego": refers})
	if set := s.next().set; !hasLibrary(set) {
		t.Error("the library is not there")
	}
	s.quiet()
	write(t, map[string]string{"policies/authz.rego": rego})
	if set := s.next().set; hasLibrary(set) {
		t.Error("the library is still there")
	}
}

func TestEmbeddedSourcesNeedNoDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	cfg := Config{Embedded: library.Example()}
	set := loaded(t, cfg)
	if !hasLibrary(set) || len(set.Bundles) != 3 {
		t.Errorf("there are %d sources", len(set.Bundles))
	}
	if file, row, _ := set.Locate([]string{"routes", "/orders"}); file != "policies/routes/data.yaml" || row == 0 {
		t.Errorf("data are in %s:%d", file, row)
	}
}
