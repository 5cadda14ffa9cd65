package dialect

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// members is a JSON object whose values are not read yet. Readers of optional facts leave out what has the wrong type:
// a fact that is not there gives nobody anything.
type members map[string]jsontext.Value

func object(v jsontext.Value) members {
	var m members
	if v.Kind() != '{' || json.Unmarshal(v, &m) != nil {
		return nil
	}
	return m
}

// has reports whether a member is there and not null. Several servers write null for "none".
func (m members) has(name string) bool {
	v, ok := m[name]
	return ok && v.Kind() != 'n'
}

func text(v jsontext.Value) (string, bool) {
	var s string
	if v.Kind() != '"' || json.Unmarshal(v, &s) != nil {
		return "", false
	}
	return s, true
}

// text returns the first of the named members that is a string and not empty.
func (m members) text(names ...string) string {
	for _, n := range names {
		if s, ok := text(m[n]); ok && s != "" {
			return s
		}
	}
	return ""
}

// texts reads a string as a list of one, and an array as the strings in it.
func texts(v jsontext.Value) []string {
	if s, ok := text(v); ok {
		return []string{s}
	}
	var all []jsontext.Value
	if v.Kind() != '[' || json.Unmarshal(v, &all) != nil {
		return nil
	}
	out := make([]string, 0, len(all))
	for _, e := range all {
		if s, ok := text(e); ok {
			out = append(out, s)
		}
	}
	return out
}

// set sorts and removes duplicates and empty strings, in place.
func set(s []string) []string {
	s = slices.DeleteFunc(s, func(e string) bool { return e == "" })
	slices.Sort(s)
	return slices.Clip(slices.Compact(s))
}

// words splits on spaces what RFC 6749 section 3.3 calls a scope, also inside an array: servers do both.
func words(v jsontext.Value) []string {
	out := []string{}
	for _, s := range texts(v) {
		out = append(out, strings.FieldsFunc(s, func(r rune) bool { return r == ' ' })...)
	}
	return set(out)
}

// lastSecond is the end of the year 9999. A later time is no time: most often it is milliseconds, which would make a
// token live for ever.
const lastSecond = 253402300799

// time reads a NumericDate that must be right when it is there: "no exp" is the most generous of all answers, so an exp
// that cannot be read must not become one. Null is such an exp too.
func (m members) time(name string) (authz.Time, error) {
	v, ok := m[name]
	if !ok {
		return 0, nil
	}
	n, ok := integer(v)
	if !ok || n > lastSecond || n < -lastSecond {
		return 0, fmt.Errorf("member %q is not a time in whole seconds", name)
	}
	return authz.Time(n), nil
}

// integer reads a number without a fraction, however it is written: 1, 1.0 and 1e0 are the same number.
func integer(v jsontext.Value) (int64, bool) {
	if v.Kind() != '0' {
		return 0, false
	}
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// find follows a JSON pointer (RFC 6901) and returns nil when it leads nowhere.
func find(v jsontext.Value, p jsontext.Pointer) jsontext.Value {
	for name := range p.Tokens() {
		switch v.Kind() {
		case '{':
			v = object(v)[name]
		case '[':
			v = element(v, name)
		default:
			return nil
		}
	}
	return v
}

func element(v jsontext.Value, index string) jsontext.Value {
	i, err := strconv.ParseUint(index, 10, 31)
	if err != nil || strconv.FormatUint(i, 10) != index { // no leading zeros
		return nil
	}
	var all []jsontext.Value
	if json.Unmarshal(v, &all) != nil || i >= uint64(len(all)) {
		return nil
	}
	return all[i]
}
