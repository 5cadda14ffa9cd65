package change

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

const (
	// maxValues bounds the values of Data, maxValueBytes each of them.
	maxValues     = 200
	maxValueBytes = 2000
	// maxDifferences bounds how many differences are looked at.
	maxDifferences = 20_000
)

// data are the differences of the data. Objects are compared member by member, anything else as a whole.
func (x comparison) data() Data {
	d := differ{x: x}
	d.members(nil, x.from.Set.Document(), x.to.Set.Document())
	slices.SortStableFunc(d.found, func(a, b Value) int {
		return cmp.Compare(min(1, len(b.Readers)), min(1, len(a.Readers)))
	})
	out := Data{Values: d.found, Left: d.left}
	if len(out.Values) > maxValues {
		out.Left += len(out.Values) - maxValues
		out.Values = out.Values[:maxValues]
	}
	if out.Values == nil {
		out.Values = []Value{}
	}
	return out
}

type differ struct {
	x     comparison
	found []Value
	left  int
}

func (d *differ) members(at []string, before, after map[string]any) {
	all := maps.Clone(before)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, after)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a, was := before[name]
		b, is := after[name]
		here := append(slices.Clip(at), name)
		old, objectBefore := a.(map[string]any)
		now, objectAfter := b.(map[string]any)
		switch {
		case !is:
			d.add(here, Removed, a, nil)
		case !was:
			d.add(here, Added, nil, b)
		case objectBefore && objectAfter:
			d.members(here, old, now)
		case !reflect.DeepEqual(a, b):
			d.add(here, Changed, a, b)
		}
	}
}

func (d *differ) add(at []string, how How, before, after any) {
	if len(d.found) >= maxDifferences {
		d.left++
		return
	}
	v := Value{Path: dotted(at), How: how, Readers: union(d.x.old.Readers(at), d.x.new.Readers(at))}
	set := d.x.to.Set
	if how == Removed {
		set = d.x.from.Set
	} else {
		v.New = bounded(after)
	}
	if how != Added {
		v.Old = bounded(before)
	}
	if len(d.found) < maxValues { // a position costs reading the file again
		v.File, v.Row, _ = located(set, at)
	}
	d.found = append(d.found, v)
}

// located is where a value is, or the nearest value above it.
func located(set *bundle.Set, at []string) (file string, row, col int) {
	for n := len(at); n > 0; n-- {
		if file, row, col = set.Locate(at[:n]); file != "" {
			return file, row, col
		}
	}
	return "", 0, 0
}

// bounded is a value as JSON. One that is too large is a text that says so, with its beginning.
func bounded(v any) jsontext.Value {
	raw, err := json.Marshal(v)
	if err != nil {
		raw, _ = json.Marshal("cannot be shown: " + err.Error())
	}
	if len(raw) > maxValueBytes {
		cut := strings.ToValidUTF8(string(raw[:maxValueBytes/2]), "")
		raw, _ = json.Marshal(fmt.Sprintf("%d bytes of JSON, which begin with %s", len(raw), cut))
	}
	return raw
}

// plainName matches names that need no brackets.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// dotted is a path below data as Rego writes it.
func dotted(at []string) string {
	out := "data"
	for _, name := range at {
		if plainName.MatchString(name) {
			out += "." + name
		} else {
			out += "[" + strconv.Quote(name) + "]"
		}
	}
	return out
}
