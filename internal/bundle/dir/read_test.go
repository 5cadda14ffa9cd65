package dir

import (
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

func TestLoad_FilesThatKeepChangingAreAProblem(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego})
	must(t, os.Symlink("/proc/version", "policies/b.rego")) // says it is empty, and is not
	refused(t, onlyPolicies, "policies: changing_error: files change while they are read")
}

// mounted makes a ConfigMap of two versions of four files, and returns what changes the version.
func mounted(t *testing.T) (swap func(to string) error) {
	t.Helper()
	inside(t, map[string]string{"policies/README": ""})
	for _, f := range []string{"a", "b", "c", "d"} {
		write(t, map[string]string{"policies/..v1/" + f + ".rego": "v1", "policies/..v2/" + f + ".rego": "v2"})
		must(t, os.Symlink("..data/"+f+".rego", "policies/"+f+".rego"))
	}
	must(t, os.Symlink("..v1", "policies/..data"))
	return func(to string) error {
		return errors.Join(os.Symlink(to, "policies/..tmp"), os.Rename("policies/..tmp", "policies/..data"))
	}
}

func TestLoad_NeverMixesTwoVersions(t *testing.T) {
	swap := mounted(t)
	stop, done := make(chan struct{}), make(chan error, 1)
	var swaps atomic.Int64
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := swap([]string{"..v2", "..v1"}[i%2]); err != nil {
				done <- err
				return
			}
			swaps.Add(1)
		}
	}()
	deadline := time.Now().Add(20 * time.Second)
	for loads := 0; (loads < 40 || swaps.Load() < 1000) && time.Now().Before(deadline); loads++ {
		set, err := Load(onlyPolicies)
		if err != nil {
			if !strings.Contains(err.Error(), bundle.CodeChanging) {
				t.Fatal(err)
			}
			continue
		}
		for _, m := range set.Bundles[0].Modules {
			if string(m.Raw) != string(set.Bundles[0].Modules[0].Raw) {
				t.Fatal("two versions in one set")
			}
		}
	}
	close(stop)
	must(t, <-done)
}

func TestRead_NoticesASwapSinceTheListing(t *testing.T) {
	swap := mounted(t)
	before := list(onlyPolicies, policies, usual())
	must(t, swap("..v2"))
	if read(before, usual()).steady {
		t.Error("the read is steady")
	}
}

func TestSame_NoticesASwapSinceTheListing(t *testing.T) {
	swap := mounted(t)
	before := list(onlyPolicies, policies, usual())
	must(t, swap("..v2"))
	if before.same(list(onlyPolicies, policies, usual())) {
		t.Error("the listings are the same")
	}
}

func TestSame_NoticesAFileThatWasReplacedByOneOfTheSameSize(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": rego, "new": strings.ToUpper(rego)})
	before := list(onlyPolicies, policies, usual())
	must(t, os.Chtimes("new", before.entries[0].info.ModTime(), before.entries[0].info.ModTime()))
	must(t, os.Rename("new", "policies/a.rego"))
	if before.same(list(onlyPolicies, policies, usual())) {
		t.Error("the listings are the same")
	}
	if read(before, usual()).steady {
		t.Error("the read is steady")
	}
}
