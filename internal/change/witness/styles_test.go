package witness_test

import (
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/change/witness"
)

// styles are policies of other styles than the shipped ones, each with edits and the classes that these must have.
var styles = []struct {
	name  string
	files map[string]string
	edits []edit
}{
	{"grants of roles in data", map[string]string{"p.rego": `package authz

default decision := false

decision if {
	some role in input.token.roles
	some grant in data.grants[role]
	grant.method == input.request.method
	startswith(input.request.path, grant.prefix)
}
`, "grants/data.yaml": "clerk:\n- {method: GET, prefix: /orders/}\nboss:\n- {method: GET, prefix: /}\n"}, []edit{
		{"prefix: /orders/", "prefix: /", "wider"},
		{"method: GET, prefix: /orders/", "method: PUT, prefix: /orders/", "wider narrower"},
		{"boss:", "chief:", "wider narrower"},
		{"startswith(input.request.path, grant.prefix)", "contains(input.request.path, grant.prefix)", "wider"},
	}},
	{"a set of denials", map[string]string{"p.rego": `package authz

decision := {"allow": allow, "reasons": deny}

default allow := false

allow if count(deny) == 0

deny contains "scope" if not "orders" in input.token.scopes

deny contains "tenant" if not input.token.tenant in data.tenants

deny contains "late" if input.token.auth.time < 1700000000
`, "tenants/data.yaml": "[acme, globex]\n"}, []edit{
		{"deny contains \"tenant\" if not input.token.tenant in data.tenants\n", "", "wider"},
		{"[acme, globex]", "[acme]", "narrower"},
		{"< 1700000000", "<= 1700000000", "narrower"},
		{"not \"orders\" in input.token.scopes", "not \"orders\" in input.token.roles", "wider narrower"},
		{"deny contains \"scope\"", "deny contains \"scopes\"", ""},
	}},
	{"functions", map[string]string{"p.rego": `package authz

default decision := false

decision if rank(input.token) >= 2

decision if {
	rank(input.token) == 1
	owns(input.token.subject.id, input.request.segments)
}

rank(token) := 3 if {
	"root" in token.roles
} else := 2 if {
	"staff" in token.roles
} else := 1 if {
	token.active
} else := 0

owns(who, segments) if {
	segments[0] == "users"
	segments[1] == who
}
`}, []edit{
		{"else := 0", "else := 1", "wider"},
		{">= 2", ">= 3", "narrower"},
		{"segments[1] == who", "count(segments) > 1\n\twho != \"\"", "wider"},
		{"\"staff\" in token.roles", "\"staff\" in token.groups", "wider narrower"},
		{"rank(input.token) >= 2", "rank(input.token) > 1", ""},
	}},
	{"every", map[string]string{"p.rego": `package authz

default decision := false

decision if {
	input.request.method == "GET"
	every scope in {"a", "b"} { scope in input.token.scopes }
	every group in input.token.groups { not startswith(group, "ext-") }
}
`}, []edit{
		{"{\"a\", \"b\"}", "{\"a\"}", "wider"},
		{"not startswith(group, \"ext-\")", "not startswith(group, \"ex\")", "narrower"},
		{"every group in input.token.groups { not startswith(group, \"ext-\") }\n", "", "wider"},
	}},
	{"with", map[string]string{"p.rego": `package authz

default decision := false

decision if base with input.token.scopes as input.token.permissions

base if "x" in input.token.scopes
`}, []edit{
		{"\"x\" in", "\"y\" in", "wider narrower"},
		{" with input.token.scopes as input.token.permissions", "", "wider narrower"},
	}},
	{"patterns of an else chain", map[string]string{"p.rego": `package authz

decision := {"allow": false, "reasons": ["frozen"]} if {
	input.token.tenant in {"initech"}
	input.request.method != "GET"
} else := {"allow": true} if {
	regex.match("^svc-[a-z]{3,8}$", input.token.client_id)
	level == "high"
} else := {"allow": false}

level := "high" if {
	input.token.auth.level > 5
} else := "high" if {
	input.token.auth.acr == "mfa"
} else := "low"
`}, []edit{
		{"{3,8}", "{2,8}", "wider"},
		{"> 5", "> 4", "wider"},
		{"input.request.method != \"GET\"", "not input.request.method in {\"GET\", \"OPTIONS\"}", "wider"},
		{"[\"frozen\"]", "[\"locked\"]", "answers_differently"},
		{"\"mfa\"", "\"pwd\"", "wider narrower"},
	}},
	{"subject, action and resource", map[string]string{"p.rego": `package authz

default decision := false

decision if {
	input.action.name == "read"
	input.resource.type == "document"
	input.subject.id == input.resource.properties.owner
}

decision if {
	input.action.name in {"read", "write"}
	input.resource.type == "document"
	"editor" in input.token.roles
}
`}, []edit{
		{"{\"read\", \"write\"}", "{\"read\", \"write\", \"delete\"}", "wider"},
		{"input.subject.id == input.resource.properties.owner", "input.subject.type == \"user\"", "wider narrower"},
	}},
	{"claims and a body", map[string]string{"p.rego": `package authz

default decision := false

decision if {
	walk(input.token.claims, [path, value])
	path[count(path) - 1] == "role"
	value == "admin"
}

decision if {
	input.token.claims.level >= 3
	object.get(input.context, "owner", "") == input.token.subject.id
}
`}, []edit{
		{"\"admin\"", "\"owner\"", "wider narrower"},
		{">= 3", ">= 2", "wider"},
		{"input.token.claims.level >= 3\n", "", "wider"},
	}},
}

// edit replaces a text; class are the classes of the findings that must be there, of wider and narrower all.
type edit struct{ from, to, class string }

func TestEditsOfPoliciesOfOtherStylesAreFound(t *testing.T) {
	for _, style := range styles {
		old := written(t, style.files)
		for _, e := range style.edits {
			edited := map[string]string{}
			changed := false
			for name, text := range style.files {
				edited[name] = strings.Replace(text, e.from, e.to, 1)
				changed = changed || edited[name] != text
			}
			if !changed {
				t.Fatalf("%s: %q is not there", style.name, e.from)
			}
			f := compared(t, old, written(t, edited))
			found := classes(f)
			if e.class == "answers_differently" && !found[witness.Different] ||
				found[witness.Wider] != strings.Contains(e.class, "wider") ||
				found[witness.Narrower] != strings.Contains(e.class, "narrower") {
				t.Errorf("%s: %q for %q: found %v, want %q: %+v", style.name, e.to, e.from, found, e.class,
					f.Entrypoints)
			}
		}
	}
}

func classes(f witness.Findings) map[witness.Class]bool {
	out := map[witness.Class]bool{}
	for _, x := range f.Findings {
		out[x.Class] = true
	}
	return out
}
