package replay

import (
	"slices"
	"strings"
)

// flips keeps some of the changed decisions, for examples and explanations: a few of each group, where a group has one
// class, route, and reasons before and now. Which ones follows from the order of the log.
type flips struct {
	examples, explain int

	groups map[string]*flipGroup
	order  []*flipGroup
	// kept is how many decisions are kept, and bytes the size of their events.
	kept, bytes int
}

// flipGroup is the changed decisions that are alike.
type flipGroup struct {
	class Class
	count int
	some  []*outcome
}

const (
	maxGroups = 2000
	// maxKeptOfGroup bounds the decisions of one group that are kept.
	maxKeptOfGroup = 20
	// maxKeptBytes bounds the events of all decisions that are kept.
	maxKeptBytes = 256 << 20
)

func newFlips(o *Options) *flips {
	return &flips{examples: o.Examples, explain: o.Explain, groups: map[string]*flipGroup{}}
}

func (f *flips) add(o *outcome) {
	key := strings.Join([]string{string(o.class), o.entrypoint, o.route, codes(o.was.Reasons), codes(o.now.Reasons),
		strings.Join(o.differs, " ")}, "\x00")
	g := f.groups[key]
	if g == nil {
		if len(f.groups) >= maxGroups {
			key = string(o.class)
		}
		if g = f.groups[key]; g == nil {
			g = &flipGroup{class: o.class}
			f.groups[key] = g
			f.order = append(f.order, g)
		}
	}
	g.count++
	// Every group keeps one; more are kept while there is room for the explanations.
	room := len(g.some) == 0 ||
		len(g.some) < max(maxKeptOfGroup, f.examples) && f.kept < 4*max(f.explain, f.examples)
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

// chosen are the decisions of a class to show: one of each group, the largest groups first, then further ones.
func (f *flips) chosen(class Class) (out []*outcome) {
	return f.round(f.examples, func(g *flipGroup) bool { return g.class == class })
}

// explained are the decisions to explain: one of each group, the gravest classes and the largest groups first, then
// further ones.
func (f *flips) explained() []*outcome {
	return f.round(f.explain, func(*flipGroup) bool { return true })
}

// round goes round the groups until there are enough.
func (f *flips) round(most int, wanted func(*flipGroup) bool) (out []*outcome) {
	var groups []*flipGroup
	for _, g := range f.order {
		if wanted(g) {
			groups = append(groups, g)
		}
	}
	slices.SortStableFunc(groups, func(a, b *flipGroup) int {
		if n := slices.Index(Classes[:], a.class) - slices.Index(Classes[:], b.class); n != 0 {
			return n
		}
		return b.count - a.count
	})
	for n, more := 0, true; more; n++ {
		more = false
		for _, g := range groups {
			if n < len(g.some) && len(out) < most {
				out = append(out, g.some[n])
				more = true
			}
		}
	}
	return out
}
