package dir

import (
	"os"
	"testing"
)

func TestWatch_SeesAConfigMapSwap(t *testing.T) {
	inside(t, map[string]string{"policies/..1/a.rego": "one"})
	must(t, os.Symlink("..1", "policies/..data"))
	must(t, os.Symlink("..data/a.rego", "policies/a.rego"))
	s := started(t, watched("policies"))
	for _, text := range []string{"two", "three"} {
		dir := ".." + text
		write(t, map[string]string{"policies/" + dir + "/a.rego": text})
		must(t, os.Symlink(dir, "policies/..data_tmp"))
		must(t, os.Rename("policies/..data_tmp", "policies/..data"))
		s.expect(text)
	}
	must(t, os.RemoveAll("policies/..1"))
	s.quiet()
}

func TestWatch_SeesALinkOnTheWaySwapped(t *testing.T) {
	inside(t, map[string]string{"releases/1/policies/a.rego": "one", "releases/2/policies/a.rego": "two"})
	must(t, os.Symlink("1", "releases/current"))
	must(t, os.Symlink("releases/current/policies", "policies"))
	s := started(t, watched("policies"))
	must(t, os.Symlink("2", "releases/next"))
	must(t, os.Rename("releases/next", "releases/current"))
	s.expect("two")
	write(t, map[string]string{"releases/2/policies/a.rego": "three"})
	s.expect("three")
}

func TestWatch_SeesTheTargetOfALinkChange(t *testing.T) {
	inside(t, map[string]string{"policies/a.rego": "one", "else/b.rego": "two"})
	must(t, os.Symlink("../else/b.rego", "policies/b.rego"))
	s := started(t, watched("policies"))
	write(t, map[string]string{"else/b.rego": "three"})
	s.expect("onethree")
}
