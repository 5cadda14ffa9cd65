package dialect

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// rolesOf is what the dialect calls roles, and what the configured pointers find.
func (r *Reader) rolesOf(m *members) []string {
	out := union(m, r.dialect.roles)
	switch r.dialect.roleForm {
	case realmAndResource:
		out = append(out, realmAndResourceRoles(m)...)
	case projectAndOrganisation:
		out = append(out, projectRoles(m)...)
	}
	for _, p := range r.roles {
		out = append(out, m.list(p, m.at(p))...)
	}
	return set(out)
}

// realmAndResourceRoles reads realm_access.roles as plain names and resource_access.<client>.roles as
// "<client>:<role>". The client is kept in the name because the same role of two clients means two different things.
func realmAndResourceRoles(m *members) []string {
	const realm, resource = "realm_access", "resource_access"
	out := m.list(realm, m.Object(realm).Value("roles"))
	clients := m.Object(resource)
	for client := range clients {
		for _, role := range m.list(resource, clients.Object(client).Value("roles")) {
			out = append(out, m.whole(resource, client)+":"+role)
		}
	}
	return out
}

// whole is a name inside a member, which must be of whole characters.
func (m *members) whole(member, name string) string {
	if strings.ContainsRune(name, utf8.RuneError) {
		m.fail(fmt.Errorf("member %q holds a text of broken characters", member))
	}
	return name
}

const (
	projectPrefix = "urn:zitadel:iam:org:project:"
	rolesSuffix   = "roles"
)

// projectRoles reads {"<role>": {"<organisation>": "<its domain>"}}. The roles of the project that was asked for are
// "<role>", and "<organisation>:<role>" for who looks after tenants; those of a project that is named are both behind
// "<project>:". A role in no organisation is none.
func projectRoles(m *members) []string {
	var out []string
	for name := range m.Claims {
		project, ok := strings.CutPrefix(name, projectPrefix)
		project, ok2 := strings.CutSuffix(project, rolesSuffix) // "" or "<project>:"
		if !ok || !ok2 || project != "" && (project == ":" || !strings.HasSuffix(project, ":")) {
			continue
		}
		roles := m.Object(name)
		for role := range roles {
			in := roles.Object(role)
			if role == "" || len(in) == 0 {
				continue
			}
			out = append(out, m.whole(name, project+role))
			for organisation := range in {
				out = append(out, m.whole(name, project+organisation+":"+role))
			}
		}
	}
	return out
}
