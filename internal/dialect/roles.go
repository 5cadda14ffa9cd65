package dialect

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// rolesOf is what the dialect calls roles, and what the configured pointers find.
func (n *Reader) rolesOf(m members, raw jsontext.Value) []string {
	out := union(m, n.dialect.roles)
	switch n.dialect.roleForm {
	case realmAndResource:
		out = append(out, realmAndResourceRoles(m)...)
	case projectAndOrganisation:
		out = append(out, projectRoles(m)...)
	}
	for _, p := range n.roles {
		out = append(out, texts(find(raw, p))...)
	}
	return set(out)
}

// realmAndResourceRoles reads realm_access.roles as plain names and resource_access.<client>.roles as "<client>:<role>". The
// client is kept in the name because the same role of two clients means two different things.
func realmAndResourceRoles(m members) []string {
	out := texts(object(m["realm_access"])["roles"])
	for client, access := range object(m["resource_access"]) {
		for _, role := range texts(object(access)["roles"]) {
			out = append(out, client+":"+role)
		}
	}
	return out
}

const (
	projectPrefix = "urn:zitadel:iam:org:project:"
	rolesSuffix   = "roles"
)

// projectRoles reads {"<role>": {"<organisation>": "<its domain>"}}. The roles of the project that was asked for are "<role>",
// and "<organisation>:<role>" for who looks after tenants; those of a project that is named are both behind
// "<project>:". A role in no organisation is none.
func projectRoles(m members) []string {
	var out []string
	for name, roles := range m {
		project, ok := strings.CutPrefix(name, projectPrefix)
		project, ok2 := strings.CutSuffix(project, rolesSuffix) // "" or "<project>:"
		if !ok || !ok2 || project != "" && (project == ":" || !strings.HasSuffix(project, ":")) {
			continue
		}
		for role, organisations := range object(roles) {
			in := object(organisations)
			if role == "" || len(in) == 0 {
				continue
			}
			out = append(out, project+role)
			for organisation := range in {
				out = append(out, project+organisation+":"+role)
			}
		}
	}
	return out
}
