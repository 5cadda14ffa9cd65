package witness

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/access"
	"github.com/authz-sidecar/sidecar/internal/engine/partial"
)

// changer makes documents in which a literal may hold, or not. Nothing here has to be right: literals are evaluated,
// and documents are decided by both policies.
type changer struct {
	form *form
	now  time.Time
	// constants are those of all literals of a search.
	constants []any
	// frozen reports whether a member must stay as it is.
	frozen func(path []any, v any) bool
}

// fresh are texts that no policy names.
var fresh = []string{"value-1", "value-2"}

// directed are the documents that the constraint of a literal suggests.
func (c *changer) directed(doc document, x partial.Constraint, want bool) (out []document) {
	emit := func(d document) {
		if d != nil {
			out = append(out, d)
		}
	}
	put := func(path []any, v any) { emit(c.set(doc, path, v)) }
	have, _ := get(doc, x.Path)
	list, _ := have.([]any)
	value := access.Plain(x.Value)
	if x.Other != "" {
		if v, ok := get(doc, x.OtherPath); ok {
			value = v
		}
	}
	if want {
		c.assert(doc, x, value, list, put, emit)
	} else {
		c.deny(doc, x, value, list, put, emit)
	}
	return out
}

// deny adds the documents in which x should not hold.
func (c *changer) deny(
	doc document, x partial.Constraint, value any, list []any, put func([]any, any), emit func(document),
) {
	emit(c.unset(doc, x.Path))
	switch x.Op {
	case partial.Differs:
		put(x.Path, value)
		if have, there := get(doc, x.Path); x.Other != "" && there {
			put(x.OtherPath, have)
		}
	case partial.Contains, partial.HasOther:
		put(x.Path, slices.DeleteFunc(slices.Clone(list), func(v any) bool { return v == value }))
		put(x.Path, []any{})
		if values, ok := value.([]any); ok {
			put(x.Path, slices.DeleteFunc(slices.Clone(list), func(v any) bool { return !slices.Contains(values, v) }))
		}
	case partial.OnlyValue:
		for _, other := range fresh {
			put(x.Path, []any{other})
			put(x.Path, []any{value, other})
			put(x.Path, []any{other, value})
		}
		put(x.Path, []any{value, value})
		put(x.Path, []any{})
		if x.Other != "" {
			emit(c.unset(doc, x.OtherPath))
		}
	case partial.Length:
		put(x.Path, append(slices.Clone(list), fresh[0]))
		put(x.Path, []any{})
	case partial.True:
		put(x.Path, false)
	case partial.Less, partial.AtMost, partial.More, partial.AtLeast:
		for _, d := range []float64{0, 1, -1} {
			if n, ok := value.(float64); ok {
				put(x.Path, n+d)
			}
		}
	default:
		for _, other := range fresh {
			put(x.Path, other)
		}
		if x.Other != "" {
			emit(c.unset(doc, x.OtherPath))
			put(x.OtherPath, fresh[1])
		}
	}
}

// assert adds the documents in which x should hold.
func (c *changer) assert(
	doc document, x partial.Constraint, value any, list []any, put func([]any, any), emit func(document),
) {
	if x.Other != "" && value == nil {
		c.share(doc, x, emit)
		return
	}
	switch x.Op {
	case partial.Is:
		put(x.Path, value)
		if v, ok := get(doc, x.Path); ok && x.Other != "" {
			put(x.OtherPath, v)
		}
	case partial.OneOf:
		values, _ := value.([]any)
		for _, v := range values {
			put(x.Path, v)
		}
	case partial.OnlyValue:
		put(x.Path, []any{value})
		if x.Other != "" && len(list) == 1 {
			put(x.OtherPath, list[0])
		}
	case partial.Contains:
		put(x.Path, append(slices.Clone(list), value))
	case partial.HasOther:
		put(x.Path, append(slices.Clone(list), fresh[0]))
	case partial.Length:
		n, _ := value.(float64)
		longer := slices.Clone(list)
		for i := len(longer); i < min(int(n), maxIndex); i++ {
			longer = append(longer, fmt.Sprintf("value-%d", i+1))
		}
		put(x.Path, longer[:min(len(longer), max(int(n), 0))])
	case partial.Less, partial.AtMost, partial.More, partial.AtLeast:
		if bound, ok := x.Value.(*big.Rat); ok {
			f, _ := new(big.Float).SetRat(bound).Float64()
			down := float64(int64(f))
			for _, v := range []float64{f, down, down + 1, down - 1} {
				put(x.Path, v)
			}
		}
	case partial.StartsWith:
		put(x.Path, fmt.Sprint(value, "x"))
		put(x.Path, value)
	case partial.EndsWith:
		put(x.Path, fmt.Sprint("x", value))
		put(x.Path, value)
	case partial.Includes:
		put(x.Path, value)
		put(x.Path, fmt.Sprint("x", value, "x"))
	case partial.Differs, partial.Present, partial.True:
		for _, v := range c.samples(x.Path, nil, nil) {
			put(x.Path, v)
		}
	}
}

// share gives two members a value in common.
func (c *changer) share(doc document, x partial.Constraint, emit func(document)) {
	values := []any{fresh[0]}
	if v, ok := get(doc, x.Path); ok {
		values = append([]any{v}, values...)
		if list, isList := v.([]any); isList && len(list) > 0 {
			values = append([]any{list[0]}, values...)
		}
	}
	for _, v := range values {
		d := c.set(doc, x.OtherPath, v)
		if d == nil {
			continue
		}
		switch x.Op {
		case partial.OnlyValue, partial.Contains:
			emit(c.set(d, x.Path, []any{v}))
		case partial.Differs:
			emit(c.set(d, x.Path, fresh[1]))
		default:
			emit(c.set(d, x.Path, v))
		}
	}
}

// sampled are documents with other values for each member that a literal reads.
func (c *changer) sampled(doc document, l *partial.Literal) (out []document) {
	emit := func(d document) {
		if d != nil && len(out) < maxSampled {
			out = append(out, d)
		}
	}
	for _, read := range l.Reads {
		for _, v := range c.samples(read.Path, l.Constants, l.Names) {
			if !read.Elements {
				emit(c.set(doc, read.Path, v))
				continue
			}
			c.element(doc, read, v, emit)
		}
		emit(c.unset(doc, read.Path))
	}
	return out
}

// maxSampled bounds the documents for one literal.
const maxSampled = 400

// element adds documents with another element of a collection.
func (c *changer) element(doc document, read partial.Read, v any, emit func(document)) {
	for i := len(read.Below) - 1; i >= 0; i-- {
		if name, ok := read.Below[i].(string); ok {
			v = map[string]any{name: v}
		}
	}
	have, _ := get(doc, read.Path)
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	before, _ := have.([]any)
	emit(c.set(doc, read.Path, append(slices.Clone(before), list...)))
	if len(before) > 0 {
		emit(c.set(doc, read.Path, list))
	}
	if c.form.member(read.Path).kind == mapKind {
		for _, name := range c.form.headers {
			emit(c.set(doc, append(slices.Clone(read.Path), name), list))
		}
	}
}

func (c *changer) set(doc document, path []any, v any) document {
	if len(path) == 0 || c.frozen != nil && c.frozen(path, v) {
		return nil
	}
	if text, ok := v.(string); ok && c.form.member(path).kind == listKind {
		v = []any{text}
	}
	return c.form.set(doc, path, v)
}

func (c *changer) unset(doc document, path []any) document {
	if len(path) == 0 || c.frozen != nil && c.frozen(path, nil) {
		return nil
	}
	return c.form.unset(doc, path)
}

// samples are values to try at a path: those that constants suggest.
func (c *changer) samples(path []any, own []any, names map[string]bool) (out []any) {
	m := c.form.member(path)
	constants := append(slices.Clone(own), c.constants...)
	switch {
	case len(m.enum) > 0:
		return m.enum
	case m.kind == truthKind:
		return []any{true, false}
	case m.kind == numberKind:
		return c.numbers(constants)
	case m.kind == textKind:
		out = c.texts(constants, names)
		if c.form.requests != nil && len(path) == 2 && path[0] == "request" {
			out = append(out, belowEachOther(constants)...)
		}
		return out
	case m.kind == listKind:
		if c.form.requests != nil && path[0] == "request" && path[1] == "segments" {
			out = segmentLists(constants)
		}
		for _, v := range c.texts(constants, names) {
			out = append(out, []any{v})
		}
		return append(out, []any{}, []any{fresh[0], fresh[1]})
	case m.kind == objectList:
		return c.objects(own)
	case m.kind == freeKind && c.form.isFreeObject(path):
		return append(c.objects(own), any(map[string]any{}))
	case m.kind == freeKind:
		out = append(c.texts(constants, names), true, false)
		out = append(out, c.numbers(constants)...)
		for _, v := range c.texts(own, names) {
			out = append(out, []any{v})
		}
		return append(out, c.objects(own)...)
	}
	return nil
}

// maxValues bounds the values of one kind.
const maxValues = 60

func (c *changer) texts(constants []any, names map[string]bool) (out []any) {
	seen := map[string]bool{}
	add := func(text string) {
		if !seen[text] && len(out) < maxValues {
			seen[text] = true
			out = append(out, text)
		}
	}
	for _, v := range constants {
		switch v := v.(type) {
		case string:
			for _, text := range textsNear(v, names) {
				add(text)
			}
		case float64:
			if names["to_number"] || names["json.unmarshal"] || names["parse_int"] {
				for _, d := range []float64{0, 1, -1} {
					add(number(v + d))
				}
			}
		}
	}
	if names["json.unmarshal"] {
		for _, v := range c.objects(constants) {
			add(textOf(v))
		}
	}
	for _, text := range fresh {
		add(text)
	}
	return out
}

func number(f float64) string { return strings.TrimSuffix(fmt.Sprintf("%.0f", f), ".") }

func (c *changer) numbers(constants []any) (out []any) {
	seen := map[float64]bool{}
	now := float64(c.now.Unix())
	add := func(f float64) {
		for _, d := range []float64{0, 1, -1} {
			if v := f + d; v == float64(int64(v)) && !seen[v] && len(out) < maxValues {
				seen[v] = true
				out = append(out, v)
			}
		}
	}
	for _, v := range constants {
		if f, ok := v.(float64); ok && f == float64(int64(f)) {
			add(f)
			if f < now && f > -now {
				add(now - f)
				add(now + f)
			}
		}
	}
	add(now)
	add(1)
	return out
}

// objects are objects with one member, of the constants beside a member that may be any object.
func (c *changer) objects(own []any) (out []any) {
	for _, name := range own {
		text, ok := name.(string)
		if !ok || text == "" {
			continue
		}
		for _, v := range append(slices.Clone(own), fresh[0], true) {
			if v != name && len(out) < maxValues {
				out = append(out, map[string]any{text: v})
			}
		}
	}
	return out
}
