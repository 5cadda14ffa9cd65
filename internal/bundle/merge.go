package bundle

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Document returns the data of all bundles as one document. It is a new map down to the places where only one file
// writes; below them it shares the values of the files.
func (s *Set) Document() map[string]any {
	doc := map[string]any{}
	for _, b := range s.Bundles {
		for _, d := range b.Data {
			if v, ok := wrap(d.At, d.Value).(map[string]any); ok {
				doc = overlay(doc, v)
			}
		}
	}
	return doc
}

// wrap puts a value at a path.
func wrap(at []string, value any) any {
	for _, k := range slices.Backward(at) {
		value = map[string]any{k: value}
	}
	return value
}

// overlay joins two objects that do not contradict each other, and changes neither.
func overlay(a, b map[string]any) map[string]any {
	out := maps.Clone(a)
	for k, v := range b {
		x, both := out[k].(map[string]any)
		y, object := v.(map[string]any)
		if both && object {
			v = overlay(x, y)
		}
		out[k] = v
	}
	return out
}

// place is a spot in the data document that at least one file writes.
type place struct {
	first datum // the file that wrote here first
	value any   // what it wrote
	// kids are the members, once a second file came this way. Until then value says it all.
	kids map[string]*place
}

// checkConflicts adds a problem for each place that two files write. Objects merge; anything else is a conflict, even
// between equals, because one of the two would be forgotten when the other is edited. Bundles are looked at one by
// one: what happens between them is said by checkRoots. Plain directories are looked at together.
func checkConflicts(parts []part, ps *Problems) {
	var plain []datum
	for _, p := range parts {
		if p.src.kind == folder {
			checkTogether(p.data, ps)
			continue
		}
		plain = append(plain, p.data...)
	}
	checkTogether(plain, ps)
}

func checkTogether(data []datum, ps *Problems) {
	top := &place{value: map[string]any{}}
	for _, d := range data {
		top.write(d, nil, wrap(d.at, d.value), ps)
	}
}

func (p *place) write(d datum, at []string, value any, ps *Problems) {
	old, isObject := p.value.(map[string]any)
	m, object := value.(map[string]any)
	if !isObject || !object {
		ps.addAt(d, at, CodeConflict, "data.%s is also written by %s", strings.Join(at, "."), p.first.path)
		return
	}
	if p.kids == nil {
		p.kids = make(map[string]*place, len(old)+len(m))
		for k, v := range old {
			p.kids[k] = &place{first: p.first, value: v}
		}
	}
	for _, k := range sortedKeys(m) {
		if kid := p.kids[k]; kid != nil {
			kid.write(d, below(at, k), m[k], ps)
			continue
		}
		p.kids[k] = &place{first: d, value: m[k]}
	}
}

// addAt appends a problem with one place of a data file. The position is looked for only now: nearly all files are
// read without anybody asking for one.
func (ps *Problems) addAt(d datum, at []string, code, format string, args ...any) {
	row, col := 0, 0
	if len(at) > len(d.at) {
		row, col = locate(d.entry, at[len(d.at):])
	}
	*ps = append(*ps, Problem{File: d.path, Row: row, Col: col, Code: code, Message: fmt.Sprintf(format, args...)})
}

// below returns the path one step further down, in memory of its own.
func below(at []string, key string) []string { return append(slices.Clone(at), key) }

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

func quoted(roots []string) string {
	if len(roots) == 0 {
		return "none"
	}
	out := make([]string, len(roots))
	for i, r := range roots {
		out[i] = strconv.Quote(r)
	}
	return strings.Join(out, ", ")
}
