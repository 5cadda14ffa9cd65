package cache

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/jose"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// mark is one thing that a revocation can name about a token, such as its sid, as a keyed digest. Two things that
// share one, which is as good as impossible, cost a question that was not needed.
type mark uint64

// dimension is what kind of thing a mark stands for.
type dimension byte

const (
	byTokenID dimension = iota
	bySession
	bySubject
	byUsername
	byEmail
	byTenant
	byClient
)

// marker makes marks: EV-3. They hold for one issuer, which is the first part of every key of the standard.
type marker struct {
	seed         maphash.Seed
	fingerprints *secret.Fingerprinter
	issuer       string
}

func newMarker(issuer string, f *secret.Fingerprinter) marker {
	return marker{seed: maphash.MakeSeed(), fingerprints: f, issuer: issuer}
}

func (m marker) mark(d dimension, value string) mark {
	var h maphash.Hash
	h.SetSeed(m.seed)
	_ = h.WriteByte(byte(d))
	_, _ = h.WriteString(value)
	return mark(h.Sum64())
}

// token marks the token itself, whatever mode and endpoint it is kept under, and however its holder spells it.
func (m marker) token(tok secret.Text) mark {
	sum := m.fingerprints.Of(secret.New(withoutSpelling(tok.Reveal())), "mark", m.issuer)
	return mark(binary.LittleEndian.Uint64(sum[:]))
}

// session marks a session; 0 for none.
func (m marker) session(sid string) mark {
	if sid == "" {
		return 0
	}
	return m.mark(bySession, sid)
}

// of returns every mark of a token and of what is known about it, by each of the sources that is there. Both what the
// dialect and what the answer calls its subject are marked: who revokes may use either.
func (m marker) of(tok secret.Text, sources ...*authz.Claims) []mark {
	marks := append(make([]mark, 0, 9), m.token(tok))
	add := func(d dimension, value string) {
		if value == "" {
			return
		}
		if one := m.mark(d, value); !slices.Contains(marks, one) {
			marks = append(marks, one)
		}
	}
	for _, c := range sources {
		if c == nil {
			continue
		}
		sub, email := namesIn(c.Raw)
		add(byTokenID, c.ID)
		add(bySession, c.SessionID)
		add(bySubject, c.Subject.ID)
		add(bySubject, sub)
		add(byUsername, c.Subject.Username)
		add(byEmail, folded(email))
		add(byTenant, c.Tenant)
		add(byClient, c.ClientID)
	}
	return slices.Clip(marks)
}

// named returns the marks of all that r names. The first is the one that the fewest tokens share.
func (m marker) named(r authz.Revocation) []mark {
	var marks []mark
	if !r.Token.Empty() {
		marks = append(marks, m.token(r.Token))
	}
	for _, n := range []struct {
		d     dimension
		value string
	}{
		{byTokenID, r.TokenID}, {bySession, r.SessionID}, {bySubject, r.Subject}, {byUsername, r.Username},
		{byEmail, folded(r.Email)}, {byTenant, r.Tenant}, {byClient, r.ClientID},
	} {
		if n.value != "" {
			marks = append(marks, m.mark(n.d, n.value))
		}
	}
	return marks
}

// folded makes one address of all its spellings. Two people who differ in that alone are both asked about anew.
func folded(email string) string { return strings.ToLower(email) }

// namesIn finds the members sub and email of an answer. Raw has been parsed before: it is one object.
func namesIn(raw []byte) (sub, email string) {
	if len(raw) == 0 {
		return "", ""
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true)) // of which there are none
	if _, err := dec.ReadToken(); err != nil {
		return "", ""
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return sub, email
		}
		n := name.String()
		if n != "sub" && n != "email" {
			if dec.SkipValue() != nil {
				return sub, email
			}
			continue
		}
		value, err := dec.ReadValue()
		if err != nil {
			return sub, email
		}
		if said, _ := jose.Name(value); n == "sub" {
			sub = said
		} else {
			email = said
		}
	}
	return sub, email
}

// index finds the entries of a shard by their marks. It holds exactly the entries that are linked, each once under
// each of its marks, so that it is bounded as they are.
type index map[mark]*entry

// node is an entry's node among the entries that share a mark.
type node struct {
	mark       mark
	next, prev *entry
}

// node is that of a mark which e has.
func (e *entry) node(m mark) *node {
	for i := range e.nodes {
		if e.nodes[i].mark == m {
			return &e.nodes[i]
		}
	}
	return nil
}

// add links e under each of its marks, of which no two are equal.
func (x index) add(e *entry, marks []mark) {
	e.nodes = make([]node, len(marks))
	for i, m := range marks {
		first := x[m]
		e.nodes[i] = node{mark: m, next: first}
		if first != nil {
			first.node(m).prev = e
		}
		x[m] = e
	}
}

func (x index) remove(e *entry) {
	for i := range e.nodes {
		p := &e.nodes[i]
		if p.next != nil {
			p.next.node(p.mark).prev = p.prev
		}
		switch {
		case p.prev != nil:
			p.prev.node(p.mark).next = p.next
		case p.next != nil:
			x[p.mark] = p.next
		default:
			delete(x, p.mark)
		}
	}
	e.nodes = nil
}

// all returns the entries that have every one of marks, of which there is at least one.
func (x index) all(marks []mark) []*entry {
	var found []*entry
	for e := x[marks[0]]; e != nil; e = e.node(marks[0]).next {
		if e.has(marks[1:]) {
			found = append(found, e)
		}
	}
	return found
}

func (e *entry) has(marks []mark) bool {
	for _, m := range marks {
		if e.node(m) == nil {
			return false
		}
	}
	return true
}

// within reports whether every one of marks is among those of a token.
func within(marks, of []mark) bool {
	for _, m := range marks {
		if !slices.Contains(of, m) {
			return false
		}
	}
	return true
}
