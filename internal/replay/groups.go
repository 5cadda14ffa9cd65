package replay

import (
	"slices"
	"strings"
)

// groups keep some of many decisions, a few of each that are alike. Which ones follows from the order of the log.
type groups struct {
	// ofGroup and all are how many are kept of one group, and of all; each group keeps one.
	ofGroup, all int

	byKey map[string]*group
	order []*group
	// kept is how many decisions are kept, and bytes the size of their events.
	kept, bytes int
}

// group is decisions that are alike.
type group struct {
	class Class
	count int
	some  []*outcome
}

const (
	maxGroups = 2000
	// maxKeptOfGroup bounds the changed decisions of one group that are kept.
	maxKeptOfGroup = 20
	// maxKeptBytes bounds the events of all decisions that are kept.
	maxKeptBytes = 128 << 20
)

func newGroups(ofGroup, all int) *groups {
	return &groups{ofGroup: ofGroup, all: all, byKey: map[string]*group{}}
}

func (f *groups) add(o *outcome, key string) {
	g := f.byKey[key]
	if g == nil {
		if len(f.byKey) >= maxGroups {
			key = string(o.class)
		}
		if g = f.byKey[key]; g == nil {
			g = &group{class: o.class}
			f.byKey[key] = g
			f.order = append(f.order, g)
		}
	}
	g.count++
	room := len(g.some) == 0 || len(g.some) < f.ofGroup && f.kept < f.all
	if room && f.bytes+o.size <= maxKeptBytes {
		own := *o // o keeps the outcomes beside it in memory
		g.some = append(g.some, &own)
		f.kept++
		f.bytes += o.size
	}
}

func codes(reasons []Reason) string {
	var out []string
	for _, r := range reasons {
		out = append(out, r.Code)
	}
	return strings.Join(out, " ")
}

// chosen are decisions of a class, so many at most: one of each group, the largest groups first, then further ones.
func (f *groups) chosen(class Class, most int) []*outcome {
	return f.round(most, func(g *group) bool { return g.class == class })
}

func anyGroup(*group) bool { return true }

// round goes round the groups until there are enough decisions: one of each group, the gravest classes and the largest
// groups first, then further ones.
func (f *groups) round(most int, wanted func(*group) bool) (out []*outcome) {
	var list []*group
	for _, g := range f.order {
		if wanted(g) {
			list = append(list, g)
		}
	}
	slices.SortStableFunc(list, func(a, b *group) int {
		if n := slices.Index(Classes[:], a.class) - slices.Index(Classes[:], b.class); n != 0 {
			return n
		}
		return b.count - a.count
	})
	for n, more := 0, true; more; n++ {
		more = false
		for _, g := range list {
			if n < len(g.some) && len(out) < most {
				out = append(out, g.some[n])
				more = true
			}
		}
	}
	return out
}
