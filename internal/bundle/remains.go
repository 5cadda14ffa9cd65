package bundle

import (
	"path"
	"slices"
	"strings"
)

// Remains is what can be read of files that Build refuses, so that all problems can be reported at once. It must never
// decide: a part of a policy may allow what the whole denies.
type Remains struct {
	Set *Set
	// Problems are those of Build.
	Problems Problems
	// Lost are the paths under data of the files with problems: what is there is unknown.
	Lost [][]string
}

// Remaining parses what can be parsed.
func Remaining(c Contents) Remains {
	parts, problems := c.parts()
	out := Remains{Set: c.set(parts), Problems: problems.Sorted()}
	for _, p := range out.Problems {
		at, lost := c.lostBy(p)
		if lost && !slices.ContainsFunc(out.Lost, func(l []string) bool { return slices.Equal(l, at) }) {
			out.Lost = append(out.Lost, at)
		}
	}
	return out
}

// lostBy is the path under data that a problem makes unknown: that of a data file, else everything.
func (c Contents) lostBy(p Problem) (at []string, lost bool) {
	if p.Code == CodeManifest {
		return nil, false // the files beside it are read all the same
	}
	if name := strings.ToLower(path.Base(p.File)); !strings.HasPrefix(name, "data.") {
		return nil, true
	}
	for _, s := range c.Sources {
		if rel, ok := strings.CutPrefix(path.Dir(p.File)+"/", s.Name+"/"); ok {
			return strings.FieldsFunc(rel, func(r rune) bool { return r == '/' }), true
		}
	}
	return nil, true
}
