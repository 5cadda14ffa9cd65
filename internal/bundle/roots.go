package bundle

import (
	"slices"
	"strings"
)

// RootsOverlap reports whether one of two roots, such as "a/b" and "a", holds the other or is the same. The empty
// root holds everything.
func RootsOverlap(a, b string) bool {
	x, y := segments(a), segments(b)
	return holds(x, y) || holds(y, x)
}

// UnderRoot reports whether a path under data, given element by element, is at or below one of the roots.
// Without roots nothing is: of a plain directory, whose Roots are nil, it says false.
func UnderRoot(roots []string, path []string) bool {
	return slices.ContainsFunc(roots, func(r string) bool { return holds(segments(r), path) })
}

// aboveRoot reports whether a path is a strict prefix of one of the roots.
func aboveRoot(roots []string, path []string) bool {
	return slices.ContainsFunc(roots, func(r string) bool {
		s := segments(r)
		return len(s) > len(path) && holds(path, s)
	})
}

// segments splits a root. The empty root has none.
func segments(root string) []string {
	root = strings.Trim(root, "/")
	if root == "" {
		return nil
	}
	return strings.Split(root, "/")
}

func holds(root, path []string) bool {
	return len(root) <= len(path) && slices.Equal(root, path[:len(root)])
}

// checkRoots adds the problems that bundles have with each other: overlapping roots, and files of one in the roots of
// another.
func checkRoots(parts []part, ps *Problems) {
	for i, a := range parts {
		for _, b := range parts[i+1:] {
			checkOverlap(a, b, ps)
		}
		for _, d := range a.data {
			if a.owner {
				checkOwn(a, d, nil, d.document(), ps)
			}
			for _, b := range parts {
				if b.owner && a.src.Layout == Plain {
					checkForeignRoots(b, d, nil, d.document(), ps)
				}
			}
		}
	}
}

func checkOverlap(a, b part, ps *Problems) {
	for _, x := range a.roots {
		for _, y := range b.roots {
			if RootsOverlap(x, y) {
				ps.Add(b.manifest, CodeRoots, "root %q overlaps root %q of bundle %s", y, x, a.src.Name)
			}
		}
	}
}

// checkOwn adds a problem for data that a bundle writes outside its own roots.
func checkOwn(p part, d parsedData, at []string, value any, ps *Problems) {
	if UnderRoot(p.roots, at) {
		return
	}
	above := aboveRoot(p.roots, at) || len(at) == 0
	if m, ok := membersOf(value); ok && above {
		for _, k := range sortedKeys(m) {
			checkOwn(p, d, below(at, k), m[k], ps)
		}
		return
	}
	ps.addAt(d, at, CodeRoots, "data.%s is outside the roots of its bundle: %s", strings.Join(at, "."),
		quoted(p.roots))
}

// checkForeignRoots adds a problem for data of a plain directory at, below or in place of a root of a bundle.
func checkForeignRoots(owner part, d parsedData, at []string, value any, ps *Problems) {
	under := UnderRoot(owner.roots, at)
	if !under && !aboveRoot(owner.roots, at) {
		return
	}
	switch m, object := membersOf(value); {
	case object && (!under || len(at) == 0):
		for _, k := range sortedKeys(m) {
			checkForeignRoots(owner, d, below(at, k), m[k], ps)
		}
	default:
		ps.addAt(d, at, CodeRoots, "data.%s belongs to bundle %s, whose roots are %s",
			strings.Join(at, "."), owner.src.Name, quoted(owner.roots))
	}
}
