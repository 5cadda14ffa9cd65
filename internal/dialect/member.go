package dialect

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

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

// at returns a member by its name, or by a JSON pointer without escapes. Nil is none.
func (m members) at(name string) jsontext.Value {
	path, pointer := strings.CutPrefix(name, "/")
	if !pointer {
		return m[name]
	}
	first, rest, deeper := strings.Cut(path, "/")
	if !deeper {
		return m[first]
	}
	return find(m[first], jsontext.Pointer("/"+rest))
}

// has reports whether a member is there and not null. Several servers write null for "none".
func (m members) has(name string) bool {
	v := m.at(name)
	return v != nil && v.Kind() != 'n'
}

// says reports whether a member is there and not empty text either, which is another way to write "none".
func (m members) says(name string) bool { return m.has(name) && string(m.at(name)) != `""` }

func (m members) lacks(name string) bool { return !m.says(name) }

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
		if s, ok := text(m.at(n)); ok && s != "" {
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

// time reads a time that must be right when it is there: "no exp" is the most generous of all answers, so an exp that
// cannot be read must not become one. Null is such an exp too, but where it is written for "never".
func (m members) time(name string, c clock) (authz.Time, error) {
	v, ok := m[name]
	if !ok || name == "" {
		return 0, nil
	}
	var n int64
	switch c {
	case seconds:
		n, ok = integer(v)
	case secondsInText:
		n, ok = integer(unquoted(v))
	case dates:
		if v.Kind() == 'n' {
			return 0, nil
		}
		n, ok = date(v)
	}
	if !ok || n > lastSecond || n < -lastSecond {
		return 0, fmt.Errorf("member %q is not a time in %s", name, [...]string{"whole seconds", "whole seconds", "the form of RFC 3339"}[c])
	}
	return authz.Time(n), nil
}

// unquoted is the number in a text of decimal digits. Anything else stays what it is.
func unquoted(v jsontext.Value) jsontext.Value {
	s, ok := text(v)
	if !ok || s == "" || strings.Trim(s, "0123456789") != "" {
		return v
	}
	return jsontext.Value(s)
}

func date(v jsontext.Value) (int64, bool) {
	s, _ := text(v)
	t, err := time.Parse(time.RFC3339, s)
	return t.Unix(), err == nil && t.Unix() != 0
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
