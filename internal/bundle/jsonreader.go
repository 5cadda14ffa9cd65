package bundle

import (
	"encoding/json"
	"errors"
	"hash/maphash"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jsonbound"
)

// Maker makes one form of the values of JSON: that of DataFile.Value, or that of a policy engine.
type Maker[V any] interface {
	Null() V
	Bool(b bool) V
	// Number has the spelling of the file.
	Number(n json.Number) V
	Text(s string) V
	// Array and Object must copy what they keep of their arguments. Members are names and values: names are Texts,
	// no two alike.
	Array(elements []V) V
	Object(members [][2]V) V
}

// jsonReader makes values of JSON. Texts, numbers, and small objects and arrays, that are spelled alike are one value
// in memory, but in a few KB: data mostly have few different ones.
type jsonReader[V any] struct {
	*jsontext.Decoder
	raw     []byte // all that is read
	checked bool   // raw was read before without an error
	make    Maker[V]
	memory  textMemory
	texts   map[string]V
	numbers map[string]V
	seed    maphash.Seed
	values  map[uint64]spelled[V] // by the hash of their spelling
	// elements and members are those of the arrays and objects that are being read, the outermost first.
	elements []V
	members  [][2]V
}

// spelled is a value and where it is spelled.
type spelled[V any] struct {
	begin, end int64
	value      V
}

const (
	maxShared     = 512     // bytes of a value that may be shared
	maxSharedKept = 1 << 14 // values that are remembered; then others begin anew
)

func newJSONReader[V any](raw []byte, m Maker[V], options ...jsontext.Options) *jsonReader[V] {
	r := &jsonReader[V]{Decoder: decoderOf(raw, options...), raw: raw, make: m,
		memory: textMemory{most: len(raw)}}
	if len(raw) >= minTabled {
		r.seed = maphash.MakeSeed()
		r.texts, r.numbers, r.values = map[string]V{}, map[string]V{}, map[uint64]spelled[V]{}
	}
	return r
}

func (r *jsonReader[V]) value() (v V, err error) {
	k := r.PeekKind()
	if r.checked && r.values != nil && (k == jsontext.KindBeginObject || k == jsontext.KindBeginArray) {
		if earlier, ok := r.earlier(extent(r.raw[nextToken(r.raw, r.Decoder):], maxShared)); ok {
			return earlier, r.SkipValue()
		}
	}
	tok, err := checkedToken(r.Decoder)
	if err != nil {
		return v, err
	}
	switch tok.Kind() {
	case jsontext.KindBeginObject:
		return r.shared(r.object)
	case jsontext.KindBeginArray:
		return r.shared(r.array)
	case jsontext.KindString:
		return r.text(tok), nil
	case jsontext.KindNumber:
		if n, ok := r.numbers[tok.String()]; ok {
			return n, nil
		}
		text := r.memory.copy(tok.String())
		v = r.make.Number(json.Number(text))
		if len(text) <= maxShared {
			remember(r.numbers, text, v)
		}
		return v, nil
	case jsontext.KindTrue, jsontext.KindFalse:
		return r.make.Bool(tok.Bool()), nil
	default:
		return r.make.Null(), nil
	}
}

// checkedToken reads a token within the bounds on depth and on numbers.
func checkedToken(dec *jsontext.Decoder) (jsontext.Token, error) {
	tok, err := dec.ReadToken()
	if err != nil {
		return tok, err
	}
	if dec.StackDepth() > maxNesting {
		return tok, errors.New(tooDeep)
	}
	if tok.Kind() == jsontext.KindNumber {
		if text := tok.String(); !jsonbound.Number(text) {
			return tok, outOfRange{dec.InputOffset() - int64(len(text))}
		}
	}
	return tok, nil
}

// shared returns the value that rest reads the rest of, or an earlier one that is spelled like it.
func (r *jsonReader[V]) shared(rest func() (V, error)) (V, error) {
	begin := r.InputOffset() - 1
	v, err := rest()
	end := r.InputOffset()
	if err != nil || end-begin > maxShared || r.values == nil {
		return v, err
	}
	spelling := r.raw[begin:end]
	if earlier, ok := r.earlier(spelling); ok {
		return earlier, nil
	}
	remember(r.values, maphash.Bytes(r.seed, spelling), spelled[V]{begin, end, v})
	return v, nil
}

// earlier is a value that was spelled like this.
func (r *jsonReader[V]) earlier(spelling []byte) (v V, ok bool) {
	if len(spelling) == 0 {
		return v, false
	}
	at, ok := r.values[maphash.Bytes(r.seed, spelling)]
	return at.value, ok && string(r.raw[at.begin:at.end]) == string(spelling)
}

// extent is the spelling of the object or array at the beginning of well-formed text, where it takes at most so many
// bytes.
func extent(text []byte, most int) []byte {
	depth, inText := 0, false
	for i := 0; i < len(text) && i < most; i++ {
		switch c := text[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			if depth--; depth == 0 {
				return text[:i+1]
			}
		}
	}
	return nil
}

// text returns a text that was read before in place of an equal one. The token is good until the next read.
func (r *jsonReader[V]) text(tok jsontext.Token) V {
	if v, ok := r.texts[tok.String()]; ok {
		return v
	}
	s := r.memory.copy(tok.String())
	v := r.make.Text(s)
	if len(s) <= maxShared {
		remember(r.texts, s, v)
	}
	return v
}

// remember adds an entry to one of the tables, whose size is bounded. nil remembers nothing.
func remember[K comparable, V any](table map[K]V, k K, v V) {
	if len(table) >= maxSharedKept {
		clear(table)
	}
	if table != nil {
		table[k] = v
	}
}

func (r *jsonReader[V]) object() (v V, err error) {
	begin := len(r.members)
	for r.PeekKind() != jsontext.KindEndObject {
		name, err := r.ReadToken()
		if err != nil {
			return v, err
		}
		key := r.text(name)
		member, err := r.value()
		if err != nil {
			return v, err
		}
		r.members = append(r.members, [2]V{key, member})
	}
	if _, err = r.ReadToken(); err == nil {
		v = r.make.Object(r.members[begin:])
	}
	clear(r.members[begin:])
	r.members = r.members[:begin]
	return v, err
}

func (r *jsonReader[V]) array() (v V, err error) {
	begin := len(r.elements)
	for r.PeekKind() != jsontext.KindEndArray {
		element, err := r.value()
		if err != nil {
			return v, err
		}
		r.elements = append(r.elements, element)
	}
	if _, err = r.ReadToken(); err == nil {
		v = r.make.Array(r.elements[begin:])
	}
	clear(r.elements[begin:])
	r.elements = r.elements[:begin]
	return v, err
}

// textMemory keeps texts side by side: one by one they would take a quarter more.
type textMemory struct {
	most int // that all texts may take
	part strings.Builder
}

const textPart = 16 << 10

// copy returns a copy of s.
func (m *textMemory) copy(s string) string {
	if len(s) > textPart/16 {
		return strings.Clone(s)
	}
	if m.part.Cap()-m.part.Len() < len(s) {
		m.part = strings.Builder{}
		m.part.Grow(min(textPart, m.most))
	}
	at := m.part.Len()
	m.part.WriteString(s)
	return m.part.String()[at:]
}

// goValues makes values in the types of DataFile.Value.
type goValues struct{}

func (goValues) Null() any                { return nil }
func (goValues) Bool(b bool) any          { return b }
func (goValues) Number(n json.Number) any { return n }
func (goValues) Text(s string) any        { return s }

func (goValues) Array(elements []any) any { return append(make([]any, 0, len(elements)), elements...) }

func (goValues) Object(members [][2]any) any {
	object := make(map[string]any, len(members))
	for _, m := range members {
		name, _ := m[0].(string)
		object[name] = m[1]
	}
	return object
}
