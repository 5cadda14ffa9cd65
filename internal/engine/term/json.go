package term

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/jsonbound"
	"github.com/authz-sidecar/sidecar/internal/jsonquote"
)

// maxDepth is how deep the JSON of a document may nest. An event of the decision log holds a document and a result, a
// few levels down, so maxEventDepth is larger: no caller can make an event that a mask cannot read.
const (
	maxDepth      = jsonbound.MaxDepth
	maxEventDepth = 2 * maxDepth
)

// decoder reads JSON as terms. Duplicate members, invalid UTF-8, numbers that a policy cannot compare, and deeper
// nesting are errors.
type decoder struct {
	tokens *jsontext.Decoder
	depth  int
}

// ParseJSON reads one JSON value of a document.
func ParseJSON(b []byte) (*ast.Term, error) { return decode(b, maxDepth) }

// ParseEvent reads an event of the decision log. It reads everything that a document or a result may hold.
func ParseEvent(b []byte) (*ast.Term, error) { return decode(b, maxEventDepth) }

func decode(b []byte, depth int) (*ast.Term, error) {
	r := &decoder{tokens: jsontext.NewDecoder(bytes.NewBuffer(b)), depth: depth}
	t, err := r.term()
	if err != nil {
		return nil, err
	}
	if _, err := r.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read JSON: more than one value")
	}
	return t, nil
}

func (r *decoder) term() (*ast.Term, error) {
	tok, err := r.tokens.ReadToken()
	if err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	if r.tokens.StackDepth() > r.depth {
		return nil, fmt.Errorf("read JSON: nested deeper than %d", r.depth)
	}
	switch tok.Kind() {
	case 'n':
		return ast.InternedNullTerm, nil
	case 't', 'f':
		return ast.InternedTerm(tok.Bool()), nil
	case '"':
		return ast.StringTerm(tok.String()), nil
	case '0':
		n := tok.String()
		if !jsonbound.Number(n) {
			if r.depth == maxEventDepth {
				return ast.StringTerm(n), nil // a number of the issuer that no policy has read must not lose the event
			}
			return nil, fmt.Errorf("read JSON: a value %s", jsonbound.TooLarge)
		}
		return ast.NewTerm(ast.Number(n)), nil
	case '[':
		return r.array()
	}
	return r.object()
}

func (r *decoder) array() (*ast.Term, error) {
	var terms []*ast.Term
	for r.tokens.PeekKind() != ']' {
		t, err := r.term()
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
	}
	_, err := r.tokens.ReadToken()
	return ast.ArrayTerm(terms...), err
}

func (r *decoder) object() (*ast.Term, error) {
	var pairs [][2]*ast.Term
	for r.tokens.PeekKind() != '}' {
		k, err := r.term()
		if err != nil {
			return nil, err
		}
		v, err := r.term()
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]*ast.Term{k, v})
	}
	_, err := r.tokens.ReadToken()
	return ast.NewTerm(ast.NewObject(pairs...)), err
}

// AppendJSON appends the JSON form of v to dst: sets become sorted arrays, keys that are no strings their JSON text.
func AppendJSON(dst []byte, v ast.Value) ([]byte, error) {
	switch v := v.(type) {
	case ast.Null:
		return append(dst, "null"...), nil
	case ast.Boolean:
		if v {
			return append(dst, "true"...), nil
		}
		return append(dst, "false"...), nil
	case ast.Number:
		return append(dst, v...), nil
	case ast.String:
		return jsonquote.Append(dst, string(v))
	case *ast.Array:
		return appendList(dst, v.Len(), v.Foreach)
	case ast.Set:
		return appendList(dst, v.Len(), func(f func(*ast.Term)) {
			for _, t := range v.Slice() {
				f(t)
			}
		})
	case ast.Object:
		return appendObject(dst, v)
	}
	return dst, fmt.Errorf("write JSON: %s is no value", ast.ValueName(v))
}

func appendList(dst []byte, n int, each func(func(*ast.Term))) ([]byte, error) {
	dst = append(dst, '[')
	var failed error
	i := 0
	each(func(t *ast.Term) {
		if i++; failed == nil {
			dst, failed = AppendJSON(dst, t.Value)
		}
		if i < n {
			dst = append(dst, ',')
		}
	})
	return append(dst, ']'), failed
}

func appendObject(dst []byte, o ast.Object) ([]byte, error) {
	names, err := memberNames(o)
	if err != nil {
		return dst, err
	}
	dst = append(dst, '{')
	for i, k := range o.Keys() {
		if i > 0 {
			dst = append(dst, ',')
		}
		name, ok := k.Value.(ast.String)
		if !ok {
			name = ast.String(names[i])
		}
		if dst, err = jsonquote.Append(dst, string(name)); err != nil {
			return dst, err
		}
		dst = append(dst, ':')
		if dst, err = AppendJSON(dst, o.Get(k).Value); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// memberNames are the names of the members of o in JSON, or nil when all keys are strings. Two keys with one name,
// such as 1 and "1", are an error: readers of the JSON would differ on which one counts.
func memberNames(o ast.Object) ([]string, error) {
	keys := o.Keys()
	if !slices.ContainsFunc(keys, func(k *ast.Term) bool { _, ok := k.Value.(ast.String); return !ok }) {
		return nil, nil
	}
	names, seen := make([]string, len(keys)), make(map[string]bool, len(keys))
	for i, k := range keys {
		if s, ok := k.Value.(ast.String); ok {
			names[i] = string(s)
		} else if b, err := AppendJSON(nil, k.Value); err == nil {
			names[i] = string(b)
		} else {
			return nil, err
		}
		if seen[names[i]] {
			return nil, fmt.Errorf("write JSON: two members of an object have one name")
		}
		seen[names[i]] = true
	}
	return names, nil
}
