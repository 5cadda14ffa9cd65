package bundle

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jsonbound"
)

// jsonReader makes values of JSON. Texts, and small objects and arrays, that are spelled alike are one value in
// memory: data mostly have few different ones.
type jsonReader struct {
	*jsontext.Decoder
	raw    []byte // all that is read
	texts  map[string]string
	values map[string]any // by their spelling
}

const (
	maxShared     = 512     // bytes of a value that may be shared
	maxSharedKept = 1 << 14 // values that are remembered; then others begin anew
)

func (r *jsonReader) value() (any, error) {
	tok, err := r.ReadToken()
	if err != nil {
		return nil, err
	}
	if r.StackDepth() > maxNesting {
		return nil, errors.New(tooDeep)
	}
	switch tok.Kind() {
	case jsontext.KindBeginObject:
		return r.shared(r.object)
	case jsontext.KindBeginArray:
		return r.shared(r.array)
	case jsontext.KindString:
		return r.text(tok.String()), nil
	case jsontext.KindNumber:
		text := tok.String()
		if !jsonbound.Number(text) {
			return nil, outOfRange{r.InputOffset() - int64(len(text))}
		}
		return json.Number(text), nil
	case jsontext.KindTrue, jsontext.KindFalse:
		return tok.Bool(), nil
	default:
		return nil, nil
	}
}

// shared returns the value that rest reads the rest of, or an earlier one that is spelled like it.
func (r *jsonReader) shared(rest func() (any, error)) (any, error) {
	begin := r.InputOffset() - 1
	v, err := rest()
	end := r.InputOffset()
	if err != nil || end-begin > maxShared {
		return v, err
	}
	spelling := r.raw[begin:end]
	if earlier, ok := r.values[string(spelling)]; ok {
		return earlier, nil
	}
	r.values = remember(r.values, string(spelling), v)
	return v, nil
}

// text returns a text that was read before in place of an equal one.
func (r *jsonReader) text(s string) string {
	if len(s) > maxShared {
		return s
	}
	if earlier, ok := r.texts[s]; ok {
		return earlier
	}
	s = strings.Clone(s)
	r.texts = remember(r.texts, s, s)
	return s
}

// remember adds an entry to one of the tables, whose size is bounded.
func remember[V any](table map[string]V, k string, v V) map[string]V {
	if table == nil || len(table) >= maxSharedKept {
		table = map[string]V{}
	}
	table[k] = v
	return table
}

func (r *jsonReader) object() (any, error) {
	m := map[string]any{}
	for r.PeekKind() != jsontext.KindEndObject {
		key, err := r.ReadToken()
		if err != nil {
			return nil, err
		}
		name := r.text(key.String()) // the token is only good until the next read
		if m[name], err = r.value(); err != nil {
			return nil, err
		}
	}
	_, err := r.ReadToken()
	return m, err
}

func (r *jsonReader) array() (any, error) {
	a := []any{}
	for r.PeekKind() != jsontext.KindEndArray {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	_, err := r.ReadToken()
	return slices.Clone(a), err
}
