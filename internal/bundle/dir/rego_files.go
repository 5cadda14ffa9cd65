package dir

import (
	"slices"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// RegoFile is a file of Rego, a policy or a test.
type RegoFile struct {
	// Path is as in bundle.File.
	Path string
	// Name is what the file is opened by.
	Name string
}

// RegoFiles lists the Rego that LoadWithTests would read, sorted by path. The problems are those with directories, and
// with names that cannot be looked at.
func RegoFiles(cfg Config) ([]RegoFile, bundle.Problems) {
	l := walked(cfg, policiesAndTests, usual())
	var files []RegoFile
	for _, e := range l.entries {
		if e.kind == bundle.Module || e.kind == bundle.Test {
			files = append(files, RegoFile{e.path, e.file})
		}
	}
	problems := slices.DeleteFunc(l.problems, func(p bundle.Problem) bool {
		return p.Code != bundle.CodeDirectory && p.Code != bundle.CodeRead && p.Code != bundle.CodeLimit
	})
	return files, problems.Sorted()
}
