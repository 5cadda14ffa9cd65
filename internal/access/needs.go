package access

import (
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/engine/partial"
)

// needsOf are alternatives by columns. Alternatives that differ in one member of one array only, such as one audience
// of several, become one.
func needsOf(alternatives []Alternative) []Needs {
	ways := make([]Alternative, 0, len(alternatives))
	for _, a := range alternatives {
		ways = append(ways, Alternative{All: slices.Clone(a.All), Verified: a.Verified})
	}
	for again := true; again; {
		again = false
		for i := 0; i < len(ways) && !again; i++ {
			for j := i + 1; j < len(ways) && !again; j++ {
				if both, ok := joined(ways[i], ways[j]); ok {
					ways[i] = both
					ways = slices.Delete(ways, j, j+1)
					again = true
				}
			}
		}
	}
	out := make([]Needs, 0, len(ways))
	for _, way := range ways {
		out = append(out, columns(way))
	}
	return out
}

// joined is two alternatives as one, where they differ in one contained value.
func joined(a, b Alternative) (Alternative, bool) {
	if len(a.All) != len(b.All) || a.Verified != b.Verified {
		return a, false
	}
	at := -1
	for i := range a.All {
		x, y := a.All[i], b.All[i]
		switch {
		case x.Text == y.Text:
		case at >= 0 || x.Member != y.Member || x.Op != string(partial.Contains) || y.Op != x.Op || x.Not || y.Not ||
			x.Other != "" || y.Other != "":
			return a, false
		default:
			at = i
		}
	}
	if at < 0 {
		return a, true
	}
	out := Alternative{All: slices.Clone(a.All), Verified: a.Verified}
	_, value, _ := strings.Cut(b.All[at].Text, " contains ")
	out.All[at].Text += " or " + value
	return out, true
}

// columns sorts conditions into columns.
func columns(way Alternative) Needs {
	var scopes, audience, tenant, roles, login, also []string
	for _, c := range way.All {
		_, value, _ := strings.Cut(c.Text, " contains ")
		contains := c.Op == string(partial.Contains) && !c.Not && c.Other == ""
		isTenant := c.Member == "input.token.tenant" || c.Other == "input.token.tenant"
		switch {
		case contains && c.Member == "input.token.scopes":
			scopes = append(scopes, value)
		case contains && c.Member == "input.token.audiences":
			audience = append(audience, value)
		case contains && c.Member == "input.token.roles":
			roles = append(roles, value)
		case isTenant && c.Op == string(partial.Differs) && string(c.Value) == `""` && len(tenant) > 0:
		case isTenant && !c.Not && c.Op != string(partial.Rego):
			tenant = append(tenant, tenantRule(c))
		case !c.Not && c.FromNow == nil && strings.HasPrefix(c.Member, "input.token.auth."):
			login = append(login, strings.Replace(c.Text, " is ", " ", 1))
		case !c.Not && c.Member == "input.token.auth.time":
			login = append(login, strings.TrimPrefix(c.Text, "the login "))
		case c.Not:
			also = append(also, "not "+strings.TrimPrefix(strings.TrimPrefix(c.denied(), "for "), "where "))
		default:
			also = append(also, c.Text)
		}
	}
	join := func(parts []string) string { return strings.Join(parts, ", ") }
	return Needs{Scopes: join(scopes), Audience: join(audience), Tenant: join(tenant), Roles: join(roles),
		Login: join(login), Also: strings.Join(also, "; "), Verified: way.Verified}
}

// tenantRule is a condition on the tenant as a column has it: header x-tenant, segment 1, or its words.
func tenantRule(c Condition) string {
	rule, ok := strings.CutPrefix(c.Text, "tenant = ")
	if !ok {
		return strings.TrimPrefix(c.Text, "tenant ")
	}
	rule = strings.TrimSuffix(strings.TrimPrefix(rule, "the "), ", given once")
	if strings.HasPrefix(rule, "segment ") {
		rule, _, _ = strings.Cut(rule, " (")
	}
	return rule
}
