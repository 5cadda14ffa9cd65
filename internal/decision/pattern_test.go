package decision

import "testing"

// What covers says of two patterns holds for every path of a few segments.
func TestAPatternThatCoversAnotherTakesAllThatItTakes(t *testing.T) {
	var patterns []pattern
	var paths [][]string
	words := []string{"a", "b", "*", ""}
	for _, one := range words {
		for _, two := range words {
			for _, end := range []string{"", "/**"} {
				if two != "" || end == "" {
					patterns = append(patterns, newPattern("/"+one+"/"+two+end))
				}
			}
			paths = append(paths, []string{one, two}, []string{one, two, "a"}, []string{one, two, ""})
		}
		patterns = append(patterns, newPattern("/"+one), newPattern("/**"))
		paths = append(paths, []string{one})
	}
	paths = append(paths, []string{})
	covered := 0
	for _, p := range patterns {
		for _, o := range patterns {
			if !p.covers(&o) {
				continue
			}
			covered++
			for _, path := range paths {
				if o.takes(path) && !p.takes(path) {
					t.Errorf("%+v covers %+v and does not take %q", p, o, path)
				}
			}
		}
	}
	if covered < len(patterns) {
		t.Errorf("%d pairs: a pattern does not cover itself", covered)
	}
}
