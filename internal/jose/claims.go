package jose

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/jsonbound"
)

// Claims is a JSON object whose values are not read yet: the claims of a JWT (RFC 7519 section 4), the members of an
// answer (RFC 7662 section 2.2), of a header or of a key. A member that is null is absent, to every method. The values
// are parts of the text that was read, and must not be written.
//
// The errors of the methods name the member and quote nothing of its value.
type Claims map[string]jsontext.Value

// ReadClaims reads one JSON object of valid UTF-8 in which, at any depth, no name comes twice (RFC 8725bis section
// 3.10), which is nested no deeper than policies can read. Numbers may have any size: most decide nothing.
//
// An escape that is half of a character (a lone surrogate, RFC 8259 section 8.2) may stand in it: a display name that
// was cut inside an emoji decides nothing. The methods refuse to read a text with one, for two such texts must not
// become one.
func ReadClaims(raw []byte) (Claims, bool) {
	v := jsontext.Value(raw)
	if v.Kind() != '{' {
		return nil, false
	}
	if jsonbound.Deep(v) {
		return nil, false
	}
	if c, ok := membersOf(v); ok {
		return c, true
	}
	if !utf8.Valid(v) {
		return nil, false
	}
	return membersOf(v, jsontext.AllowInvalidUTF8(true))
}

// membersOf are the members of an object with nothing after it, as parts of v.
func membersOf(v jsontext.Value, options ...jsontext.Options) (Claims, bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(v), options...)
	if t, err := dec.ReadToken(); err != nil || t.Kind() != jsontext.KindBeginObject {
		return nil, false
	}
	c := Claims{}
	for dec.PeekKind() != jsontext.KindEndObject {
		t, err := dec.ReadToken()
		if err != nil {
			return nil, false
		}
		name := t.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, false
		}
		end := dec.InputOffset()
		c[name] = v[end-int64(len(value)) : end : end]
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, false
	}
	_, err := dec.ReadToken()
	return c, errors.Is(err, io.EOF)
}

// Value is a member that is not read yet; nil when it is absent.
func (c Claims) Value(name string) jsontext.Value {
	if v := c[name]; v.Kind() != 'n' {
		return v
	}
	return nil
}

// Has reports whether one of the members is there.
func (c Claims) Has(names ...string) bool {
	for _, n := range names {
		if c.Value(n) != nil {
			return true
		}
	}
	return false
}

// Text reads a text; "" when it is absent.
func (c Claims) Text(name string) (string, error) {
	v := c.Value(name)
	if v == nil {
		return "", nil
	}
	if s, ok := Text(v); ok {
		return s, nil
	}
	return "", unreadable(name, "a text")
}

// Name reads an identifier: a text, or a whole number in the digits that it is written with; "" when it is absent.
func (c Claims) Name(name string) (string, error) {
	v := c.Value(name)
	if v == nil {
		return "", nil
	}
	if s, ok := Name(v); ok {
		return s, nil
	}
	return "", unreadable(name, "a text")
}

// Names reads a list of identifiers, or one as a list of one, as "aud" is (RFC 7519 section 4.1.3); nil when it is
// absent. In a list, null is nothing.
func (c Claims) Names(name string) ([]string, error) {
	v := c.Value(name)
	if v == nil {
		return nil, nil
	}
	if s, ok := Name(v); ok {
		return []string{s}, nil
	}
	all, ok := List(v)
	if !ok {
		return nil, unreadable(name, "a text or a list of texts")
	}
	out := make([]string, 0, len(all))
	for _, e := range all {
		s, ok := Name(e)
		if !ok && e.Kind() != 'n' {
			return nil, unreadable(name, "a text or a list of texts")
		}
		if ok {
			out = append(out, s)
		}
	}
	return out, nil
}

// Object reads a member that is an object; nil when it is absent, or none.
func (c Claims) Object(name string) Claims {
	m, _ := ReadClaims(c.Value(name))
	return m
}

// Int reads a number without a fraction.
func (c Claims) Int(name string) (int64, bool) { return Int(c.Value(name)) }

// Number reads a number, as near as a float64 comes; an absent one is not ok.
func (c Claims) Number(name string) (n float64, ok bool) {
	v := c.Value(name)
	if v.Kind() != '0' {
		return 0, false
	}
	n, err := strconv.ParseFloat(string(v), 64)
	return n, err == nil
}

// Time reads a NumericDate, in seconds (RFC 7519 section 2): 0 when it is absent. A time with a fraction is rounded.
// One before -LastSecond is -LastSecond; one past LastSecond cannot be read.
func (c Claims) Time(name string, r Rounding) (int64, error) {
	v := c.Value(name)
	if v == nil {
		return 0, nil
	}
	n, err := Time(v, r)
	if err != nil {
		return 0, fmt.Errorf("member %q %w", name, err)
	}
	return n, nil
}

func unreadable(name, want string) error { return fmt.Errorf("member %q is not %s", name, want) }

// Text reads a text of whole characters.
func Text(v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	if bytes.IndexByte(v, '\\') < 0 && utf8.Valid(v) {
		return string(v[1 : len(v)-1]), true
	}
	s, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return "", false
	}
	return string(s), true
}

// Name reads an identifier: see Claims.Name.
func Name(v jsontext.Value) (string, bool) {
	if v.Kind() == '0' && !bytes.ContainsAny(v, ".eE") {
		return string(v), true
	}
	return Text(v)
}

// Int reads a number without a fraction, however it is written: 1, 1.0 and 1e0 are the same number.
func Int(v jsontext.Value) (int64, bool) {
	n, fraction, ok := whole(v)
	return n, ok && !fraction
}

// List reads an array, whose elements are not read yet.
func List(v jsontext.Value) ([]jsontext.Value, bool) {
	if v.Kind() != '[' {
		return nil, false
	}
	var all []jsontext.Value
	return all, json.Unmarshal(v, &all, jsontext.AllowInvalidUTF8(true)) == nil
}

// Rounding is how a time with a fraction becomes a whole second. A limit is moved so that the token is good for less.
type Rounding uint8

// The roundings.
const (
	Down Rounding = iota // for exp and iat
	Up                   // for nbf
)

// LastSecond is the end of the year 9999. A later time is no time: most often it is in milliseconds.
const LastSecond = 253402300799

// Time reads a NumericDate. The error says, as a predicate, what is wrong.
func Time(v jsontext.Value, r Rounding) (int64, error) {
	if v.Kind() != '0' {
		return 0, errNoTime
	}
	n, fraction, ok := whole(v)
	negative := v[0] == '-'
	switch {
	case !ok && !negative, n > LastSecond:
		return 0, errLateTime
	case !ok, n < -LastSecond:
		return -LastSecond, nil
	case fraction && negative && r == Down:
		return n - 1, nil
	case fraction && !negative && r == Up:
		return n + 1, nil
	}
	return n, nil
}

var (
	errNoTime   = errors.New("is not a time in seconds since 1970")
	errLateTime = errors.New("is a time after the year 9999: milliseconds, perhaps, where seconds are due")
)

// whole reads a number exactly, as the part before its point and whether anything but zeros is behind that.
// ok is false when v is not a number, or too large.
func whole(v jsontext.Value) (n int64, fraction, ok bool) {
	if v.Kind() != '0' {
		return 0, false, false
	}
	text, negative := strings.CutPrefix(string(v), "-")
	mantissa, exponent := text, "0"
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], text[i+1:]
	}
	before, after, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(before+after, "0")
	if digits == "" {
		return 0, false, true
	}
	// The number is 0.digits times ten to the power of point.
	shift, err := strconv.Atoi(exponent)
	point := len(digits) - len(after) + shift
	const mostDigits = 19 // of an int64
	switch {
	case err != nil && !strings.HasPrefix(exponent, "-"), err == nil && point > mostDigits:
		return 0, false, false
	case err != nil || point <= 0:
		return 0, true, true
	}
	if missing := point - len(digits); missing > 0 {
		digits += strings.Repeat("0", missing)
	}
	n, err = strconv.ParseInt(digits[:point], 10, 64)
	if negative {
		n = -n
	}
	return n, strings.Trim(digits[point:], "0") != "", err == nil
}
