package cache

import (
	"bytes"
	"iter"
	"slices"
	"strings"
	"unsafe"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// compact makes the texts of claims parts of their raw answer wherever they occur in it, so that they take no memory
// beside it. It must be called before anyone else sees c.
func compact(c *authz.Claims) {
	if len(c.Raw) == 0 {
		return
	}
	if spare := cap(c.Raw) - len(c.Raw); spare > len(c.Raw)/8+16 { // more than allocation in classes of sizes adds
		c.Raw = bytes.Clone(c.Raw)
	}
	if c.Actor != nil {
		actor := *c.Actor
		c.Actor = &actor
	}
	for _, list := range listsOf(c) {
		*list = slices.Clone(*list) // it may be part of a larger one
	}
	// Claims are immutable from here on, their answer included.
	part := partsOf(unsafe.String(unsafe.SliceData(c.Raw), len(c.Raw)), listed(c))
	for s := range textsOf(c) {
		if same := part(*s); same != "" {
			*s = same
		}
	}
}

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

func listsOf(c *authz.Claims) [6]*[]string {
	return [...]*[]string{&c.Scopes, &c.Audiences, &c.Roles, &c.Groups, &c.Permissions, &c.Auth.AMR}
}

// listed is how many texts the lists of claims have.
func listed(c *authz.Claims) (n int) {
	for _, list := range listsOf(c) {
		n += len(*list)
	}
	return n
}

// textsOf is each text of claims, those of lists included.
func textsOf(c *authz.Claims) iter.Seq[*string] {
	return func(yield func(*string) bool) {
		for _, s := range [...]*string{&c.Issuer, &c.ID, &c.Subject.ID, &c.Subject.Username, &c.ClientID, &c.SessionID,
			&c.Tenant, &c.Auth.ACR, &c.Confirmation.JKT, &c.Confirmation.X5T, &c.Confirmation.Unknown} {
			if !yield(s) {
				return
			}
		}
		if c.Actor != nil && (!yield(&c.Actor.Subject) || !yield(&c.Actor.ClientID)) {
			return
		}
		for _, list := range listsOf(c) {
			for i := range *list {
				if !yield(&(*list)[i]) {
					return
				}
			}
		}
	}
}

// costOf estimates the memory that an entry holds, in bytes: the claims with their answer, their lists and their texts
// that are no part of it, and the places by which the entry is found.
func costOf(c *authz.Claims, marks int) int64 {
	n := fixedCost + markCost*marks + textCost*listed(c) + cap(c.Raw) + cap(c.AuthorizationDetails)
	if c.Actor != nil {
		n += actorCost
	}
	for s := range textsOf(c) {
		if !inside(*s, c.Raw) {
			n += len(*s)
		}
	}
	return int64(n)
}

// inside reports whether a text is a part of raw in memory.
func inside(s string, raw []byte) bool {
	at, from := uintptr(unsafe.Pointer(unsafe.StringData(s))), uintptr(unsafe.Pointer(unsafe.SliceData(raw)))
	return at >= from && at < from+uintptr(len(raw))
}

const (
	// fixedCost is what each entry takes: itself and its key, its claims, its place in go-cache's map, the handle in
	// its slot, and what allocation in classes of sizes wastes.
	fixedCost = int(unsafe.Sizeof(entry{})+unsafe.Sizeof(authz.Claims{})) + 256
	// markCost is a node and a place in the map of the index.
	markCost  = int(unsafe.Sizeof(node{})) + 24
	textCost  = int(unsafe.Sizeof(""))
	actorCost = int(unsafe.Sizeof(authz.Actor{}))
)
