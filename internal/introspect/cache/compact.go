package cache

import (
	"bytes"
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
	c.Raw = bytes.Clone(c.Raw) // as large as it is
	// Claims are immutable from here on, their answer included.
	t := texts{whole: unsafe.String(unsafe.SliceData(c.Raw), len(c.Raw))}
	t.share(&c.Issuer, &c.ID, &c.Subject.ID, &c.Subject.Username, &c.ClientID, &c.SessionID, &c.Tenant, &c.Auth.ACR,
		&c.Confirmation.JKT, &c.Confirmation.X5T, &c.Confirmation.Unknown)
	if c.Actor != nil {
		actor := *c.Actor
		t.share(&actor.Subject, &actor.ClientID)
		c.Actor = &actor
	}
	for _, list := range []*[]string{&c.Scopes, &c.Audiences, &c.Roles, &c.Groups, &c.Permissions, &c.Auth.AMR} {
		*list = slices.Clone(*list) // it may be part of a larger one
		for i := range *list {
			t.share(&(*list)[i])
		}
	}
}

// texts are the parts of a text.
type texts struct{ whole string }

// share replaces texts by equal parts of the whole. Where there is none, a text stays as it is.
func (t texts) share(all ...*string) {
	for _, s := range all {
		if i := strings.Index(t.whole, *s); i >= 0 && *s != "" {
			*s = t.whole[i : i+len(*s)]
		}
	}
}

// costOf estimates the memory that an entry holds, in bytes: the claims with their answer and their lists, and the
// places by which the entry is found.
func costOf(c *authz.Claims, marks int) int64 {
	listed := len(c.Scopes) + len(c.Audiences) + len(c.Roles) + len(c.Groups) + len(c.Permissions) + len(c.Auth.AMR)
	n := fixedCost + markCost*marks + textCost*listed + cap(c.Raw) + cap(c.AuthorizationDetails)
	if c.Actor != nil {
		n += actorCost
	}
	return int64(n)
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
