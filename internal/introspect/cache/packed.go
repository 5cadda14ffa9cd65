package cache

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// packed is claims in one piece of memory: each field in the order of visit, and then the answer as it came. A text
// that occurs in the answer is a place in it. It is immutable.
type packed []byte

// visitor is called with each field of claims.
type visitor interface {
	flag(*bool)
	number(*int64)
	text(*string)
	list(*[]string)
	bytes(*[]byte)
}

// visit calls v with all fields of claims in one order, but for those that an entry has itself: Raw, Fetched, FreshFor
// and Slot.
func visit(v visitor, c *authz.Claims) {
	v.flag(&c.Active)
	v.text((*string)(&c.Inactive.Reason))
	v.text(&c.Inactive.Text)
	v.text((*string)(&c.Kind))
	v.text((*string)(&c.Source))
	v.text(&c.Issuer)
	v.text(&c.ID)
	v.text(&c.Subject.ID)
	v.text((*string)(&c.Subject.Type))
	v.text(&c.Subject.Username)
	v.text(&c.ClientID)
	v.text(&c.SessionID)
	v.text(&c.Tenant)
	for _, list := range listsOf(c) {
		v.list(list)
	}
	v.text(&c.Auth.ACR)
	v.number((*int64)(&c.Auth.Time))
	v.number(&c.Auth.Level)
	v.flag(&c.Auth.HasLevel)
	acts := c.Actor != nil
	if v.flag(&acts); acts {
		if c.Actor == nil {
			c.Actor = new(authz.Actor)
		}
		v.text(&c.Actor.Subject)
		v.text(&c.Actor.ClientID)
	}
	v.bytes(&c.AuthorizationDetails)
	v.text(&c.Confirmation.JKT)
	v.text(&c.Confirmation.X5T)
	v.text(&c.Confirmation.Unknown)
	v.number((*int64)(&c.IssuedAt))
	v.number((*int64)(&c.NotBefore))
	v.number((*int64)(&c.ExpiresAt))
	v.number((*int64)(&c.NotBeforeSkew))
	v.number((*int64)(&c.ExpirySkew))
}

func listsOf(c *authz.Claims) [6]*[]string {
	return [...]*[]string{&c.Scopes, &c.Audiences, &c.Roles, &c.Groups, &c.Permissions, &c.Auth.AMR}
}

// pack does not change c.
func pack(c *authz.Claims) packed {
	w := packers.Get().(*packer)
	w.whole = textAt(c.Raw)
	n := 0
	for _, list := range listsOf(c) {
		n += len(*list)
	}
	w.part = partsOf(w.whole, n)
	w.length(n)
	w.length(len(c.Raw))
	visit(w, c)
	p := slices.Grow(packed(nil), len(w.out)+len(w.whole))
	p = append(append(p, w.out...), w.whole...)
	if cap(w.out) <= maxPooled {
		*w = packer{out: w.out[:0]}
		packers.Put(w)
	}
	return p
}

var packers = sync.Pool{New: func() any { return new(packer) }}

// maxPooled bounds the memory that a packer keeps for the next claims.
const maxPooled = 4 << 10

// unpack returns new claims, whose texts are parts of p.
func (p packed) unpack() *authz.Claims {
	r := unpacker{rest: p}
	texts, raw := r.length(), r.length()
	if texts > 0 {
		r.texts = make([]string, texts)
	}
	from := len(p) - raw
	r.whole = textAt(p[from:])
	c := new(authz.Claims)
	visit(&r, c)
	if raw > 0 {
		c.Raw = p[from:len(p):len(p)]
	}
	return c
}

// packer writes fields.
type packer struct {
	out   []byte
	whole string // the answer
	part  func(string) string
}

func (w *packer) length(n int) { w.out = binary.AppendUvarint(w.out, uint64(n)) }

func (w *packer) flag(b *bool) {
	n := 0
	if *b {
		n = 1
	}
	w.length(n)
}

func (w *packer) number(n *int64) { w.out = binary.AppendVarint(w.out, *n) }

// text writes the length of a text, and whether it is a part of the answer: then its place follows, and else itself.
func (w *packer) text(s *string) {
	if *s == "" {
		w.length(0)
		return
	}
	if same := w.part(*s); same != "" {
		w.length(len(same)<<1 | 1)
		w.length(int(address(same) - address(w.whole)))
		return
	}
	w.length(len(*s) << 1)
	w.out = append(w.out, *s...)
}

func (w *packer) list(list *[]string) {
	if *list == nil {
		w.length(0)
		return
	}
	w.length(len(*list) + 1)
	for i := range *list {
		w.text(&(*list)[i])
	}
}

func (w *packer) bytes(b *[]byte) {
	there, s := *b != nil, textAt(*b)
	if w.flag(&there); there {
		w.text(&s)
	}
}

// unpacker reads what a packer wrote.
type unpacker struct {
	rest  []byte
	whole string
	texts []string // room for the texts of all lists that are still to be read
}

func (r *unpacker) length() int {
	n, size := binary.Uvarint(r.rest)
	r.rest = r.rest[size:]
	return int(n)
}

func (r *unpacker) flag(b *bool) { *b = r.length() == 1 }

func (r *unpacker) number(n *int64) {
	v, size := binary.Varint(r.rest)
	*n, r.rest = v, r.rest[size:]
}

func (r *unpacker) text(s *string) {
	switch n := r.length(); {
	case n == 0:
	case n&1 == 1:
		at := r.length()
		*s = r.whole[at : at+n>>1]
	default:
		*s, r.rest = textAt(r.rest[:n>>1]), r.rest[n>>1:]
	}
}

func (r *unpacker) list(list *[]string) {
	n := r.length()
	if n == 0 {
		return
	}
	n--
	*list, r.texts = r.texts[:n:n], r.texts[n:]
	if *list == nil {
		*list = []string{}
	}
	for i := range *list {
		r.text(&(*list)[i])
	}
}

func (r *unpacker) bytes(b *[]byte) {
	var there bool
	if r.flag(&there); !there {
		return
	}
	var s string
	r.text(&s)
	*b = unsafe.Slice(unsafe.StringData(s), len(s))
}

// textAt is bytes as a text. They must not be written any more.
func textAt(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func address(s string) uintptr { return uintptr(unsafe.Pointer(unsafe.StringData(s))) }

// searched is up to how many texts each are searched for in the whole answer.
const searched = 64

// partsOf returns a function that returns the part of whole that is equal to a text, or "". Where many texts are asked
// for, it knows the strings of JSON and their words only: a search for each would take the square of the answer.
func partsOf(whole string, texts int) func(string) string {
	if texts <= searched {
		return func(s string) string {
			if i := strings.Index(whole, s); i >= 0 {
				return whole[i : i+len(s)]
			}
			return ""
		}
	}
	known := map[string]string{}
	for s := range strings.SplitSeq(whole, `"`) {
		known[s] = s
		for word := range strings.FieldsSeq(s) {
			known[word] = word
		}
	}
	return func(s string) string { return known[s] }
}
