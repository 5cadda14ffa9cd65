package dialect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
)

// wordlist is a member, and what its words say about the subject.
type wordlist struct {
	member string
	types  map[string]authz.SubjectType
}

func (w wordlist) read(m *members) authz.SubjectType { return w.types[m.text(w.member)] }

// account is how servers that give clients an account of their own call it: the client id between before and after, as
// subject or as user name. The zero account is none.
type account struct{ before, after string }

// of reports whether s is the account of a client.
func (a account) of(s authz.Subject, clientID string) bool {
	name := a.before + clientID + a.after
	return a != account{} && clientID != "" && (s.ID == name || s.Username == name)
}

// ofAny recognises the account of another client, which is no person either.
func (a account) ofAny(s authz.Subject) bool {
	return a != account{} && slices.ContainsFunc([]string{s.ID, s.Username}, func(name string) bool {
		return strings.HasPrefix(name, a.before) && strings.HasSuffix(name, a.after)
	})
}

// subjectOf finds the subject of a token. "user" needs evidence of a person, and "client" that nothing speaks of
// one: a bare sub may name anything, and a person may be called like a client (RFC 9068 section 5, RFC 9700 section
// 4.15). A type that the server or the configuration says goes before the names; where the two differ, neither is
// taken.
func (d dialect) subjectOf(m *members, clientID string, told authz.SubjectType) authz.Subject {
	id, said := d.identify(m)
	s := authz.Subject{ID: id, Username: m.name(d.username...), Type: authz.UnknownType}
	said = joined(joined(said, d.subjectTypes.read(m)), told)
	if s.ID != "" {
		s.Type = d.withSubject
	}
	switch {
	case said == authz.Client && !m.has("sub") && clientID != "":
		s.ID, s.Type = clientID, authz.Client
	case said == authz.User && s.ID == "":
		s.Type = authz.UnknownType
	case said != "":
		s.Type = said
	case clientID != "" && s.ID == clientID:
		s.Type = authz.Client
		if !d.assigned && (!d.tellsAll(m) || slices.ContainsFunc(d.personal(), m.says)) {
			s.Type = authz.UnknownType
		}
	case d.account.of(s, clientID):
		s.Type = authz.Client
		if m.says("sid") {
			s.Type = authz.UnknownType // programs have no sessions, and people choose their names (JAT-6)
		}
	case !slices.ContainsFunc(d.subject, m.has) && clientID != "" && d.withoutSubject == authz.Client &&
		!slices.ContainsFunc(d.personal(), m.says):
		s.ID, s.Type = clientID, authz.Client
	case d.account.ofAny(s):
		s.Type = authz.UnknownType
	case s.ID != "" && slices.ContainsFunc(d.person, m.says):
		s.Type = authz.User
	}
	return s
}

// joined is what two sources say together: one of them may be silent, and two that differ say nothing.
func joined(a, b authz.SubjectType) authz.SubjectType {
	switch {
	case a == "" || a == b:
		return b
	case b == "":
		return a
	}
	return authz.UnknownType
}

// personal are members that a program's token does not have: beside one of them, a sub that equals the client's id may
// be that of a person. The names are those of OpenID Connect Core section 5.1.
func (d dialect) personal() []string {
	return slices.Concat(d.username, d.person, []string{"sid", "preferred_username", "given_name", "family_name",
		"email"})
}

// tellsAll reports whether the answer can be trusted to name a person where there is one: a server that withholds the
// user's name withholds the other members of d.toldWith, too.
func (d dialect) tellsAll(m *members) bool { return !slices.ContainsFunc(d.toldWith, m.lacks) }

// identify reads the identifier of the subject, and its type where the one says the other.
func (d dialect) identify(m *members) (id string, said authz.SubjectType) {
	switch d.subjectForm {
	case wholeNumber:
		return m.number(d.subject...), ""
	case typedText:
		return untype(m.name(d.subject...))
	}
	return m.name(d.subject...), ""
}

// number returns the first of the named members that is there. It must be a whole number.
func (m *members) number(names ...string) string {
	for _, n := range names {
		v := m.at(n)
		if v == nil {
			continue
		}
		i, ok := jose.Int(v)
		if !ok {
			m.fail(fmt.Errorf("member %q is not a whole number", n))
		}
		return strconv.FormatInt(i, 10)
	}
	return ""
}

// untype splits "(usr!alice)": a user, or an agent ("age"), which is a client. Another prefix stays with the name.
func untype(sub string) (id string, said authz.SubjectType) {
	inner, opened := strings.CutPrefix(sub, "(")
	inner, closed := strings.CutSuffix(inner, ")")
	kind, name, split := strings.Cut(inner, "!")
	if !opened || !closed || !split || name == "" {
		return sub, ""
	}
	switch kind {
	case "usr":
		return name, authz.User
	case "age":
		return name, authz.Client
	}
	return sub, authz.UnknownType
}
