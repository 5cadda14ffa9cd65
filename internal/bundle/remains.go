package bundle

import (
	"path"
	"slices"
	"strings"
)

// Remains is what can be read of files that Load refuses, so that all that is wrong with them can be told at once. It must not
// decide anything: a part of a policy may allow what the whole denies.
type Remains struct {
	Set *Set
	// Problems are those that Load tells.
	Problems Problems
	// Lost are the paths under data where the files with problems may have something, and of which nothing is known.
	Lost [][]string
}

// Remaining reads what can be read of everything that cfg names, except tests. Files may change between Load and this: then it
// says what is there now.
func Remaining(cfg Config) Remains {
	snap := take(cfg, policies, usual())
	parts, problems := snap.parts()
	out := Remains{Set: setOf(snap, parts), Problems: problems.Sorted()}
	for _, p := range out.Problems {
		if at, lost := lostBy(p, snap.sources); lost && !slices.ContainsFunc(out.Lost, func(l []string) bool { return slices.Equal(l, at) }) {
			out.Lost = append(out.Lost, at)
		}
	}
	return out
}

// lostBy is the path under data that a problem makes unknown: that of a data file, else everything.
func lostBy(p Problem, sources []source) (at []string, lost bool) {
	if p.Code == CodeManifest {
		return nil, false // the files beside it are read all the same
	}
	if name := strings.ToLower(path.Base(p.File)); !strings.HasPrefix(name, "data.") {
		return nil, true
	}
	for _, s := range sources {
		if rel, ok := strings.CutPrefix(path.Dir(p.File)+"/", s.name+"/"); ok {
			return strings.FieldsFunc(rel, func(r rune) bool { return r == '/' }), true
		}
	}
	return nil, true
}
