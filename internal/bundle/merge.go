package bundle

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Document returns the data of all bundles as one document. It is a new map down to where only one file writes; below
// that it shares the values of the files.
func (s *Set) Document() map[string]any {
	doc := map[string]any{}
	for _, b := range s.Bundles {
		for _, d := range b.Data {
			if v, ok := wrap(d.At, d.Value()).(map[string]any); ok {
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

// dataNode is a path in the data document that at least one file writes.
type dataNode struct {
	first parsedData // the file that wrote here first
	value any        // what it wrote, for membersOf
	// members are filled once a second file writes below this node. Until then value is everything.
	members map[string]*dataNode
}

// checkConflicts adds a problem for each path that two files write. Objects merge; anything else is a conflict, even
// between equal values, because one of the two would be forgotten when the other is edited. Each bundle is checked by
// itself: checkRoots compares bundles. Plain directories are checked together.
func checkConflicts(parts []part, ps *Problems) {
	var plain []parsedData
	for _, p := range parts {
		if p.src.Layout == Bundled {
			checkTogether(p.data, ps)
			continue
		}
		plain = append(plain, p.data...)
	}
	checkTogether(plain, ps)
}

func checkTogether(data []parsedData, ps *Problems) {
	if len(data) < 2 {
		return
	}
	top := &dataNode{value: map[string]any{}}
	for _, d := range data {
		top.write(d, nil, d.document(), ps)
	}
}

func (n *dataNode) write(d parsedData, at []string, value any, ps *Problems) {
	old, isObject := membersOf(n.value)
	m, object := membersOf(value)
	if !isObject || !object {
		ps.addAt(d, at, CodeConflict, "data.%s is also written by %s", strings.Join(at, "."), n.first.Path)
		return
	}
	if n.members == nil {
		n.members = make(map[string]*dataNode, len(old)+len(m))
		for k, v := range old {
			n.members[k] = &dataNode{first: n.first, value: v}
		}
	}
	for _, k := range sortedKeys(m) {
		if member := n.members[k]; member != nil {
			member.write(d, below(at, k), m[k], ps)
			continue
		}
		n.members[k] = &dataNode{first: d, value: m[k]}
	}
}

// addAt appends a problem with one path of a data file. The position is looked up only now, because nearly all files
// need none.
func (ps *Problems) addAt(d parsedData, at []string, code, format string, args ...any) {
	row, col := 0, 0
	if len(at) > len(d.Dirs) {
		row, col = d.locate(at[len(d.Dirs):])
	}
	*ps = append(*ps, problemAt(row, col, fmt.Sprintf(format, args...)).in(d.Path, code))
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
