package lint

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
)

// sound are policies as careful authors write them.
var sound = map[string]string{
	"roles and scopes": `
allow if {
	input.request.method in {"GET", "HEAD"}
	input.request.segments[0] == "orders"
	"orders:read" in input.token.scopes
}

allow if {
	input.request.method == "POST"
	input.request.segments == ["orders"]
	"orders:write" in input.token.scopes
	some role in {"clerk", "owner"}
	role in input.token.roles
}`,
	"a tenant in a header and in the path": `
allow if {
	input.request.headers["x-tenant"] == [input.token.tenant]
	input.token.tenant != ""
}

allow if {
	input.request.segments = ["tenants", input.token.tenant, _]
}`,
	"deny by reasons, complete": `
decision := {"allow": count(reasons) == 0, "reasons": reasons}

reasons contains {"code": "no_tenant", "message": "a tenant is needed"} if not input.token.tenant

reasons contains {"code": "other_tenant", "message": "another tenant"} if {
	not input.request.segments[1] == input.token.tenant
}

reasons contains {"code": "no_scope", "message": "a scope is needed"} if {
	not "orders:read" in input.token.scopes
}`,
	"denied in an else": `
decision := {"allow": true} if {
	"orders:read" in input.token.scopes
} else := {"allow": false, "reasons": [sprintf("%s needs %v", [input.request.method, "orders:read"])]} if {
	input.request.method != "DELETE"
} else := {"allow": false}`,
	"a function and an alias": `
req := input.request

decision := {"allow": true, "upstream_headers": {"X-Subject": who}} if {
	reads(req)
	"orders:read" in input.token.scopes
}

default who := ""

who := input.token.subject.id

reads(request) if request.method == "GET"

reads(request) if request.method == "HEAD"`,
	"ages and times": `
allow if {
	now := time.now_ns() / 1000000000
	now - input.token.auth.time <= 300
	now < input.token.expires_at
	time.clock(time.now_ns())[0] >= 7
}`,
	"networks": `
allow if {
	net.cidr_contains("10.0.0.0/8", input.request.source_ip)
	some network in data.networks
	net.cidr_contains(network, input.request.source_ip)
}`,
	"limits from parameters": `
allow if {
	regex.match("^[0-9]{1,3}$", input.request.query.limit[0])
	to_number(input.request.query.limit[0]) <= 100
}

allow if {
	not input.request.query.limit
	input.token.active
}`,
	"the body": `
body := json.unmarshal(input.request.body) if json.is_valid(input.request.body)

allow if {
	body.amount <= 100
	"pay" in input.token.scopes
}`,
	"patterns": `
allow if regex.match("^/(orders|invoices)/[a-z0-9-]+$", input.request.path)

allow if regex.match("^/(?:a|b(c|d))/$|^/e/", input.request.path)

allow if glob.match("/docs/**", [], input.request.path)

allow if glob.match("/docs/*", ["/"], input.request.path)

allow if endswith(input.request.path, ".css")

allow if startswith(input.request.path, "/assets/")`,
	"grants as data": `
allow if {
	some grant in data.grants[input.token.client_id]
	grant.method == input.request.method
	grant.segments == input.request.segments
}

allow if {
	allowed := {scope | some role in input.token.roles; some scope in data.roles[role]}
	count(allowed & {"orders:read"}) > 0
}`,
	"a block list": `
blocked if input.token.client_id in data.blocked

blocked if not input.token.client_id

blocked if input.request.method == "TRACE"

allow if {
	not blocked
	"orders:read" in input.token.scopes
}`,
	"every scope that is needed": `
allow if {
	needed := data.needed[input.request.method]
	every scope in needed { scope in input.token.scopes }
}`,
	"step-up": `
decision := {"allow": true} if strong

decision := {"allow": false, "challenge": {"error": "insufficient_user_authentication", "acr_values": ["mfa"]}} if {
	not strong
}

strong if {
	input.token.auth.acr in {"mfa", "hwk"}
	is_number(input.token.auth.time)
}`,
	"anonymous health": `
allow if {
	input.request.method == "GET"
	input.request.path == "/healthz"
}

allow if input.token.present`,
	"the index of a list": `
allow if {
	some i, name in input.request.segments
	name == "public"
	i == 0
}`,
	"an array that must differ": `
allow if {
	some role in input.token.roles
	role != "guest"
	role in data.roles
}`,
	"a constant by name": `
limit := 100

allow if {
	limit > count(input.request.query)
	input.token.active
}`,
}

func TestSoundPolicies_HaveNoFindings(t *testing.T) {
	for name, text := range sound {
		t.Run(name, func(t *testing.T) {
			text = "# METADATA\n# title: Sound\npackage authz\n\n" + text +
				"\n\n# METADATA\n# entrypoint: true\nasked := 1\n"
			for _, f := range linted(t, text).Findings {
				t.Errorf("%s %s", f.Level, f)
			}
		})
	}
}

func TestShippedPolicies_HaveNoFindings(t *testing.T) {
	set, err := dir.LoadWithTests(dir.Config{
		Paths: []string{"../../policies", "../../policy_test"}, Bundles: []string{"../../bundles/example"},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := settings()
	cfg.Entrypoints = []string{"authz/decision"}
	report, failed := examined(t, set, cfg)
	if len(failed) > 0 {
		t.Errorf("%v", failed)
	}
	for _, f := range report.Findings {
		t.Errorf("%s %s", f.Level, f)
	}
}
