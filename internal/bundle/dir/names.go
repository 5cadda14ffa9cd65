package dir

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// ignored reports whether one of the patterns of Config.Ignore matches the name of a file or directory that is rel
// below a configured one.
func ignored(patterns, rel []string, name string) bool {
	for _, p := range patterns {
		at := name
		if strings.Contains(strings.TrimSuffix(p, "/"), "/") {
			at = path.Join(path.Join(rel...), name)
		}
		if ok, _ := path.Match(strings.Trim(p, "/"), at); ok {
			return true
		}
	}
	return false
}

// temporary reports whether a name is one that programs give to a file before they rename it to one that is read:
// rsync's ".authz.rego.Ab3xYz", "authz.rego.part". Swap files of editors, which stay open, have other names.
func temporary(name string) bool {
	base, end := strings.TrimPrefix(name, "."), filepath.Ext(name)
	kind, _, _ := bundle.Classify(strings.TrimSuffix(base, end))
	if kind == bundle.Other {
		return false
	}
	switch end {
	case ".tmp", ".temp", ".part", ".partial", ".filepart", ".new":
		return true
	}
	return len(end) == 7 // a dot and the six characters of mkstemp(3)
}

// IsArchive reports whether a name is that of an archive of a bundle.
func IsArchive(name string) bool {
	return strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")
}
