package dialect

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
)

// members reads what a server says about a token. A member that says who a subject is, or what a token is for, has to
// be readable when it is there: the first that is not is kept as err, and no fact comes of the rest. What only gives
// more (roles, groups, permissions) is left out where it is of another type: a fact that is absent gives nothing.
type members struct {
	jose.Claims
	err error
}

func (m *members) fail(err error) {
	if m.err == nil {
		m.err = err
	}
}

// at returns a member by its name, or by a JSON pointer. Nil is none.
func (m *members) at(name string) jsontext.Value {
	if !strings.HasPrefix(name, "/") {
		return m.Value(name)
	}
	first, rest, deeper := strings.Cut(name[1:], "/")
	v := m.Value(jsontext.Pointer("/" + first).LastToken())
	if !deeper {
		return v
	}
	return find(v, jsontext.Pointer("/"+rest))
}

// has reports whether a member is there. Several servers write null for "none".
func (m *members) has(name string) bool { return m.at(name) != nil }

// says reports whether a member is there and not empty text either, which is another way to write "none".
func (m *members) says(name string) bool { return m.has(name) && string(m.at(name)) != `""` }

func (m *members) lacks(name string) bool { return !m.says(name) }

// text returns the first of the named members that is a text and not empty.
func (m *members) text(names ...string) string {
	for _, n := range names {
		if s, ok := jose.Text(m.at(n)); ok && s != "" {
			return s
		}
	}
	return ""
}

// name returns the first of the named members that says something. It must be an identifier: jose.Claims.Name.
func (m *members) name(names ...string) string {
	for _, n := range names {
		if !m.says(n) {
			continue
		}
		s, ok := jose.Name(m.at(n))
		if !ok {
			m.fail(fmt.Errorf("member %q is not a text", n))
		}
		return s
	}
	return ""
}

// legible sees that those of the named members that are there are texts: what a token is for must not go unseen.
func (m *members) legible(names []string) {
	for _, n := range names {
		if _, err := m.Text(n); err != nil {
			m.fail(err)
		}
	}
}

// list reads a text as a list of one, and an array as the texts in it. name is that of the member that v is, or is in.
// A text of broken characters is refused: two that differ must not become one.
func (m *members) list(name string, v jsontext.Value) []string {
	all, many := jose.List(v)
	if !many {
		all = []jsontext.Value{v}
	}
	out := make([]string, 0, len(all))
	for _, e := range all {
		s, ok := jose.Name(e)
		if ok {
			out = append(out, s)
		} else if e.Kind() == '"' {
			m.fail(fmt.Errorf("member %q holds a text of broken characters", name))
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
func (m *members) words(name string) []string {
	out := []string{}
	for _, s := range m.list(name, m.at(name)) {
		out = append(out, strings.FieldsFunc(s, func(r rune) bool { return r == ' ' })...)
	}
	return set(out)
}

// never reports whether a time is what servers in Java write for "never": the greatest long as it is, divided into
// seconds (wso2/api-manager#114), or either of them as a double, however that is written.
func never(v jsontext.Value) bool {
	if v.Kind() != '0' {
		return false
	}
	n, err := strconv.ParseFloat(string(v), 64)
	return err == nil && (n == math.MaxInt64 || n == math.MaxInt64/1000)
}

// limit reads a time that bounds a token, and so must be right when it is there: "no exp" is the most generous of all
// answers, and an exp that cannot be read must not become one.
func (m *members) limit(name string, c clock, r jose.Rounding) authz.Time {
	t, err := m.time(name, c, r)
	if err != nil {
		m.fail(err)
	}
	return t
}

// event reads a time that no check depends on: an unreadable one is the zero Time.
func (m *members) event(name string, c clock) authz.Time {
	t, err := m.time(name, c, jose.Down)
	if err != nil {
		return 0
	}
	return t
}

func (m *members) time(name string, c clock, r jose.Rounding) (authz.Time, error) {
	v := m.Value(name)
	if v == nil {
		return 0, nil
	}
	switch c {
	case seconds:
	case secondsInText:
		v = unquoted(v)
	case dates:
		n, ok := date(v)
		if !ok {
			return 0, fmt.Errorf("member %q is not a time in the form of RFC 3339", name)
		}
		return authz.Time(n), nil
	}
	n, err := jose.Time(v, r)
	if err != nil {
		return 0, fmt.Errorf("member %q %w", name, err)
	}
	return authz.Time(n), nil
}

// unquoted is the number in a text of decimal digits. Anything else stays what it is.
func unquoted(v jsontext.Value) jsontext.Value {
	s, ok := jose.Text(v)
	if !ok || s == "" || strings.Trim(s, "0123456789") != "" {
		return v
	}
	return jsontext.Value(s)
}

func date(v jsontext.Value) (int64, bool) {
	s, _ := jose.Text(v)
	t, err := time.Parse(time.RFC3339, s)
	return t.Unix(), err == nil && t.Unix() != 0 && t.Unix() <= jose.LastSecond
}

// find follows a JSON pointer (RFC 6901) and returns nil when it leads nowhere, or to null.
func find(v jsontext.Value, p jsontext.Pointer) jsontext.Value {
	for name := range p.Tokens() {
		switch v.Kind() {
		case '{':
			m, _ := jose.ReadClaims(v)
			v = m.Value(name)
		case '[':
			v = element(v, name)
		default:
			return nil
		}
	}
	if v.Kind() == 'n' {
		return nil
	}
	return v
}

func element(v jsontext.Value, index string) jsontext.Value {
	i, err := strconv.ParseUint(index, 10, 31)
	if err != nil || strconv.FormatUint(i, 10) != index { // no leading zeros
		return nil
	}
	all, ok := jose.List(v)
	if !ok || i >= uint64(len(all)) {
		return nil
	}
	return all[i]
}
