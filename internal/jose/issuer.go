package jose

import (
	"bytes"
	"encoding/base64"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jsonbound"
)

// Issuer returns the "iss" of a compact JWS without verifying it: it may only choose the issuer that is asked. It
// is empty for a JWE, for text that is not compact JOSE, and for a payload that is too large or not a JSON object.
//
// It is called for every request with a JWT, also when the answer is cached, and so it skips over the members of the
// token in a pooled decoder: 6 to 9 us and 4 allocations. With json.Unmarshal (split, and a struct with the one
// member) it is 9 to 11 us and 13 allocations, which is 3 to 8 % of a decision. What Peek and Verify refuse for its
// form has no issuer here either: a fuzz test compares the two readings.
func Issuer(s string) (string, bool) {
	if dotsOf(s) != partsOfJWS-1 {
		return "", false
	}
	header, rest, _ := strings.Cut(s, ".")
	payload, _, _ := strings.Cut(rest, ".")
	if len(header) > base64.RawURLEncoding.EncodedLen(maxHeaderBytes) ||
		len(payload) > base64.RawURLEncoding.EncodedLen(maxIssuerBytes) {
		return "", false
	}
	w := walkers.Get().(*walker)
	defer walkers.Put(w)
	var alg string
	signed := w.walk(header, func(name []byte) bool {
		switch string(name) {
		case `"typ"`, `"alg"`, `"kid"`:
			isAlg, mayBeEmpty := name[1] == 'a', name[1] == 'k'
			if w.null() {
				return w.dec.SkipValue() == nil
			}
			v, ok := w.text()
			if isAlg {
				alg = v
			}
			return ok && isName(v) && (v != "" || mayBeEmpty)
		case `"enc"`:
			return w.null() && w.dec.SkipValue() == nil
		}
		return w.dec.SkipValue() == nil
	})
	if !signed || alg == "" {
		return "", false
	}
	iss, named := "", false
	whole := w.walk(payload, func(name []byte) bool {
		if string(name) == `"iss"` && !w.null() {
			iss, named = w.text()
			return named
		}
		return w.dec.SkipValue() == nil
	})
	if !whole || !named {
		return "", false
	}
	return iss, true
}

// walker walks over the members of the object that is a part of a token. It is used again and again.
type walker struct {
	raw []byte
	in  bytes.Reader
	dec *jsontext.Decoder
}

var walkers = sync.Pool{New: func() any {
	w := &walker{}
	w.dec = jsontext.NewDecoder(&w.in)
	return w
}}

// walk calls member with each name, in quotes and spelled the shortest way; it reads the value, and ends the walk with
// false. The result is whether the part was walked over as a whole, and is nothing but one object of valid UTF-8 in
// which, at any depth, no name comes twice.
func (w *walker) walk(part string, member func(name []byte) bool) bool {
	var err error
	if w.raw, err = base64.RawURLEncoding.Strict().AppendDecode(w.raw[:0], []byte(part)); err != nil {
		return false
	}
	if !utf8.Valid(w.raw) || jsonbound.Deep(w.raw) {
		return false
	}
	w.in.Reset(w.raw)
	// half a character is no fault in what is not read: see ReadClaims
	w.dec.Reset(&w.in, jsontext.AllowInvalidUTF8(true))
	if t, err := w.dec.ReadToken(); err != nil || t.Kind() != '{' {
		return false
	}
	for w.dec.PeekKind() == '"' {
		name, err := w.dec.ReadValue()
		if err != nil {
			return false
		}
		if bytes.IndexByte(name, '\\') >= 0 {
			plain, _ := jsontext.AppendUnquote(nil, name) // it was read, so it is valid but for halves of characters
			name, _ = jsontext.AppendQuote(nil, plain)
		}
		if !member(name) {
			return false
		}
	}
	if t, err := w.dec.ReadToken(); err != nil || t.Kind() != '}' {
		return false
	}
	return w.dec.PeekKind() == 0 && w.in.Len() == 0 &&
		w.dec.InputOffset() == int64(len(bytes.TrimRight(w.raw, " \t\r\n")))
}

// null reports whether the next value is null: such a member is absent.
func (w *walker) null() bool { return w.dec.PeekKind() == 'n' }

// text reads a value that is a string.
func (w *walker) text() (string, bool) {
	v, err := w.dec.ReadValue()
	if err != nil {
		return "", false
	}
	return Text(v)
}
