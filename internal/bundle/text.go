package bundle

import (
	"bytes"
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
	"weak"

	"github.com/go-json-experiment/json/jsontext"
)

// Text is the text of a large file of JSON. Single values are made of it without the others: large objects have tables
// of where their members are. It is immutable.
type Text struct {
	raw  jsonText
	seed maphash.Seed
	// large are the objects and arrays of minTabled bytes and more, by where they begin.
	large map[uint32]largeText
}

// largeText is a large object or array.
type largeText struct {
	end uint32
	// names is a hash table of where the names of an object begin; 0 is an empty place. A part of it is empty.
	names []uint32
	// wide are where those of its values begin that are not made at once.
	wide []uint32
}

const (
	minTabled = 4 << 10  // bytes of an object whose members have a table
	maxPart   = 64 << 10 // bytes of an object or array that is made at once
)

// Text is the text of a large file of JSON; nil for another. Files with the same content have one as long as it is
// used.
func (d *DataFile) Text() *Text {
	d.value.mu.Lock()
	text := d.value.text.Value()
	d.value.mu.Unlock()
	if text != nil {
		return text
	}
	raw := d.value.json()
	if raw == nil || len(raw) > math.MaxInt32 {
		return nil
	}
	text = newText(jsonTextOf(raw))
	d.value.mu.Lock()
	defer d.value.mu.Unlock()
	if first := d.value.text.Value(); first != nil { // of another caller
		return first
	}
	d.value.text = weak.Make(text)
	return text
}

// Keep makes t, which is that of the file, what Set.Settle keeps of it, in place of what is in Slot and of what Value
// is made of. With nil, those are kept.
func (d *DataFile) Keep(t *Text) {
	v := d.value
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kept != nil && v.raw == nil {
		v.raw = v.kept.raw
	}
	v.kept = t
}

// newText finds the large objects and arrays of well-formed text.
func newText(raw jsonText) *Text {
	x := &Text{raw: raw, seed: maphash.MakeSeed(), large: map[uint32]largeText{}}
	type open struct{ begin, names, wide int }
	var within []open
	var names, wide []uint32
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			end := endOfText(raw, i)
			if next := skipSpace(raw, end); next < len(raw) && raw[next] == ':' {
				names = append(names, uint32(i))
			}
			i = end - 1
		case '{', '[':
			within = append(within, open{i, len(names), len(wide)})
		case '}', ']':
			o := within[len(within)-1]
			within = within[:len(within)-1]
			if i+1-o.begin >= minTabled {
				x.large[uint32(o.begin)] = largeText{end: uint32(i + 1), names: x.tableOf(names[o.names:]),
					wide: slices.Clone(wide[o.wide:])}
			}
			names, wide = names[:o.names], wide[:o.wide]
			if i+1-o.begin > maxPart {
				wide = append(wide, uint32(o.begin))
			}
		}
	}
	return x
}

// tableOf is the hash table of names, no two alike, by where they begin.
func (x *Text) tableOf(names []uint32) []uint32 {
	table := make([]uint32, 1<<bits.Len(uint(len(names)+len(names)/3)))
	for _, at := range names {
		slot := x.slotOf(x.nameAt(at), table)
		for table[slot] != 0 {
			slot = (slot + 1) & (len(table) - 1)
		}
		table[slot] = at
	}
	return table
}

func (x *Text) slotOf(name []byte, table []uint32) int {
	return int(maphash.Bytes(x.seed, name) & uint64(len(table)-1))
}

// nameAt is the name that begins at a place.
func (x *Text) nameAt(at uint32) []byte {
	quoted := x.raw[at:endOfText(x.raw, int(at))]
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	name, _ := jsontext.AppendUnquote(nil, []byte(quoted)) // which was read before
	return name
}

// member is where the value of a member begins.
func (x *Text) member(of largeText, name string) (at uint32, ok bool) {
	for slot := x.slotOf([]byte(name), of.names); of.names[slot] != 0; slot = (slot + 1) & (len(of.names) - 1) {
		if begin := of.names[slot]; string(x.nameAt(begin)) == name {
			colon := skipSpace(x.raw, endOfText(x.raw, int(begin)))
			return uint32(skipSpace(x.raw, colon+1)), true
		}
	}
	return 0, false
}

// Find looks for the value at a path. Inside of a small value, or an array, it finds that one, and rest is the path in
// it, where nothing may be. ok is false when there is nothing.
func (x *Text) Find(path []string) (at uint32, rest []string, ok bool) {
	for {
		object, large := x.large[at]
		if len(path) == 0 || !large || x.raw[at] != '{' {
			return at, path, true
		}
		if at, ok = x.member(object, path[0]); !ok {
			return 0, nil, false
		}
		path = path[1:]
	}
}

// from is the text of the value that begins at a place; nil where it is not made at once.
func (x *Text) from(at uint32) []byte {
	end := x.end(int(at))
	if _, large := x.large[at]; large && end-int(at) > maxPart {
		return nil
	}
	return x.raw[at:end]
}

// end is where the value that begins at a place ends.
func (x *Text) end(at int) int {
	raw := x.raw[at:]
	switch raw[0] {
	case '"':
		return endOfText(x.raw, at)
	case '{', '[':
		if v, large := x.large[uint32(at)]; large {
			return int(v.end)
		}
		return at + len(extent(raw, minTabled))
	}
	if n := bytes.IndexAny(raw, ",]} \t\r\n"); n >= 0 {
		return at + n
	}
	return len(x.raw)
}

// PartOf makes the value that Find found. size is that of its text in bytes; 0 when the value is too large to be made
// without the others of its file.
func PartOf[V any](t *Text, at uint32, m Maker[V]) (v V, size int) {
	raw := t.from(at)
	if raw == nil {
		return v, 0
	}
	v, err := makeOfChecked(raw, m)
	if err != nil {
		return v, 0 // making all of it finds the error again
	}
	return v, len(raw)
}

// Step is one element of the paths that a policy may read.
type Step struct {
	Name string
	// Any is for a name that is known when the policy is evaluated.
	Any bool
}

// Large reports whether a value at a path is too large to be made without the others.
func (x *Text) Large(path []Step) bool {
	at := []uint32{0}
	for _, step := range path {
		var next []uint32
		for _, begin := range at {
			switch of, large := x.large[begin]; {
			case !large:
			case x.raw[begin] == '[':
				return true
			case step.Any:
				next = append(next, of.wide...)
			default:
				if member, ok := x.member(of, step.Name); ok {
					next = append(next, member)
				}
			}
		}
		at = next
	}
	return slices.ContainsFunc(at, func(begin uint32) bool { return x.large[begin].end > begin+maxPart })
}

// endOfText is the end of the string that begins at a place, behind its quotation mark.
func endOfText(raw []byte, at int) int {
	for at++; raw[at] != '"'; at++ {
		if raw[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// skipSpace is the first place from at on that is no white space.
func skipSpace(raw []byte, at int) int {
	for at < len(raw) && (raw[at] == ' ' || raw[at] == '\n' || raw[at] == '\r' || raw[at] == '\t') {
		at++
	}
	return at
}
