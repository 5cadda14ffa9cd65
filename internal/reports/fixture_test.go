package reports_test

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/access"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/change"
	"github.com/authz-sidecar/sidecar/internal/change/witness"
	"github.com/authz-sidecar/sidecar/internal/engine/meaning"
)

// noon is when the fixed reports were made.
func noon() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }

const (
	oldDigest = "sha256:3b1c7a9f8d2e4c6a5b0f1e2d3c4b5a69788796a5b4c3d2e1f00112233445566a"
	newDigest = "sha256:f00d4be1a7c2935e8d6b1a0c9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c"
)

// widened is a change that calls http.send, reads a claim, widens a route, removes a deny and breaks a test.
func widened() *change.Change {
	entry := []string{"authz/decision"}
	authz := func(row int, rule string) meaning.Place {
		return meaning.Place{Rule: rule, File: "orders/authz.rego", Row: row}
	}
	seventy, sixty := 97.4, 91.25
	return &change.Change{
		Format: change.Format, Tool: "1.4.0", At: noon(), Now: noon(), Outcome: change.Wider, Seconds: 2.4,
		Digest: "sha256:9e107d9d372bb6826bd81d3542a419d6e277252c08de1a4e48cb1e5a3b9a7c11",
		Old: change.Version{Name: "orders-1.3.tar.gz", Revision: "1.3", Digest: oldDigest, Covers: "bundle",
			EmbeddedLibrary: "1.2", Entrypoints: entry,
			Modules: 4, Rules: 31, Sources: []change.Source{{Name: "orders",
				Kind: "bundle", Revision: "1.3", Digest: oldDigest, Roots: []string{"authz", "routes"},
				Signed: bundle.Signed{Signers: []bundle.Signer{
					{KeyID: "orders-team-2026", Role: "author", Algorithm: "ES256"},
					{KeyID: "security-2026", Role: "reviewer", Algorithm: "EdDSA"}}}}}},
		New: change.Version{Name: "orders-1.4.tar.gz", Revision: "1.4", Digest: newDigest, Covers: "bundle",
			EmbeddedLibrary: "1.2", Entrypoints: entry,
			Modules: 4, Rules: 32, Sources: []change.Source{{Name: "orders",
				Kind: "bundle", Revision: "1.4", Digest: newDigest, Roots: []string{"authz", "routes"},
				Signed: bundle.Signed{Signers: []bundle.Signer{
					{KeyID: "orders-team-2026", Role: "author", Algorithm: "ES256"}}}}}},
		Findings: []change.Finding{
			{ID: "wider-3f1c22a9b8d0", Kind: change.KindWider, Level: change.Grave,
				Title:   "DELETE /orders/* is allowed, and was denied: missing_role",
				Details: []string{"token: tenant acme, scopes orders:write, groups orders-admin, login 12 s ago"},
				Places:  []meaning.Place{authz(41, "data.authz.allowed")}},
			{ID: "wider-77aa01c4e5f6", Kind: change.KindWider, Level: change.Grave,
				Title:   "GET /orders, and one more request, are allowed, and were denied: frozen_tenant",
				Details: []string{"x-tenant: initech; token: tenant initech, scopes orders:read, audience orders-api"},
				Gone:    []meaning.Place{authz(52, "data.authz.deny")}},
			{ID: "reach-1b2c3d4e5f60", Kind: change.KindReach, Level: change.Grave,
				Title:  "authz/decision may call http.send, at risk.internal.example:8443",
				Places: []meaning.Place{authz(60, "data.authz.risky")}},
			{ID: "deny-removed-aa55aa55aa55", Kind: change.KindDeny, Level: change.Grave,
				Title: "a rule that denied is gone: data.authz.deny (frozen tenants)",
				Gone:  []meaning.Place{authz(52, "data.authz.deny")}},
			{ID: "test-0f0f0f0f0f0f", Kind: change.KindTest, Level: change.Grave,
				Title:  "test_a_frozen_tenant_is_denied passed before and fails now",
				Places: []meaning.Place{{File: "orders/authz_test.rego", Row: 88}}},
			{ID: "input-123123123123", Kind: change.KindInput, Level: change.Notable,
				Title:  "authz/decision now reads input.token.claims.email",
				Places: []meaning.Place{authz(61, "data.authz.risky")}},
			{ID: "data-456456456456", Kind: change.KindData, Level: change.Notable,
				Title:  `data.routes["/orders"].GET.scopes[0] is "orders:read", and was "orders:list"`,
				Places: []meaning.Place{{File: "orders/routes/data.yaml", Row: 12}}},
			{ID: "check-789789789789", Kind: change.KindCheck, Level: change.Notable, Allowed: true,
				Title:  "check warns: http-send-without-timeout",
				Places: []meaning.Place{authz(60, "")}},
			{ID: "rule-abcabcabcabc", Kind: change.KindRule, Level: change.Plain,
				Title: "data.authz.risky was added", Places: []meaning.Place{authz(59, "data.authz.risky")}},
		},
		Rules: rulesOf(entry),
		Builtins: []change.Builtin{{Name: "http.send", Class: "network", How: change.Added, Entrypoints: entry,
			Places: []meaning.Place{authz(60, "data.authz.risky")}}},
		Hosts: []change.Host{{Host: "risk.internal.example:8443", How: change.Added, Entrypoints: entry,
			Places: []meaning.Place{authz(60, "data.authz.risky")}}},
		Input: []change.Member{
			{Path: "input.token.claims.email", How: change.Added, Entrypoints: entry,
				Places: []meaning.Place{authz(61, "data.authz.risky")}},
			{Path: "input.token.groups", How: change.Added, Entrypoints: entry,
				Places: []meaning.Place{authz(43, "data.authz.allowed")}},
		},
		Reads: []change.Member{{Path: "data.authz.frozen", How: change.Removed, Entrypoints: entry,
			Places: []meaning.Place{authz(53, "data.authz.deny")}}},
		Data: change.Data{Left: 3, Values: []change.Value{
			{Path: `data.routes["/orders"].GET.scopes[0]`, How: change.Changed, Old: []byte(`"orders:list"`),
				New: []byte(`"orders:read"`), File: "orders/routes/data.yaml", Row: 12,
				Readers: []string{"data.sidecar.routes.route"}},
			{Path: "data.authz.frozen", How: change.Removed, Old: []byte(`["initech"]`),
				File: "orders/authz/data.yaml", Row: 3},
		}},
		Checks: []change.Check{{How: change.Added, File: "orders/authz.rego", Row: 60, Col: 10,
			Code: "http-send-without-timeout", Level: "warning", Message: "http.send without timeout waits 5 s"}},
		Tests: &change.Tests{
			Old: &change.Run{Passed: 42, Coverage: &seventy}, New: &change.Run{Passed: 41, Failed: 1,
				Coverage: &sixty},
			OldOnNew: &change.Run{Passed: 41, Failed: 1},
			Broken: []change.Test{{Group: "data.authz_test", Name: "test_a_frozen_tenant_is_denied",
				File: "orders/authz_test.rego", Row: 88, Output: []string{"expected allow false",
					"got      allow true"}}},
			Rewritten: []change.Test{{Group: "orders", Name: "an order is deleted by an administrator",
				File: "orders/orders_suite.yaml", Row: 31, Rules: []string{"data.authz.allowed"}}},
		},
		Access: &change.Access{Old: matrixOf("orders-admin"), New: matrixOf("orders-admin, as role or group"),
			Rows: []change.Row{{Method: "DELETE", Path: "/orders/*", Route: "delete_order", How: change.Changed,
				Direction: change.IsWider, Old: &matrixOf("orders-admin").Routes[1],
				New: &matrixOf("orders-admin, as role or group").Routes[1], Gained: []string{"orders/grouped"}}}},
		Decisions: witnesses(),
		Open:      []string{"the host of http.send in data.authz.risky is written; its answer is not known"},
	}
}

func rulesOf(entry []string) []change.Rule {
	return []change.Rule{
		{Path: "data.authz.allowed", How: change.Changed, Parts: []string{"conditions"}, Entrypoints: entry,
			Dropped: []string{`"orders-admin" in input.token.roles`},
			Gained:  []string{`"orders-admin" in array.concat(input.token.roles, input.token.groups)`},
			Old: &meaning.Text{File: "orders/authz.rego", Row: 41, Rego: "allowed if {\n\tinput.token.active\n" +
				"\tsome scope in route.scopes\n\tscope in input.token.scopes\n" +
				"\t\"orders-admin\" in input.token.roles\n\tcount(deny) == 0\n}\n"},
			New: &meaning.Text{File: "orders/authz.rego", Row: 41, Rego: "allowed if {\n\tinput.token.active\n" +
				"\tsome scope in route.scopes\n\tscope in input.token.scopes\n" +
				"\t\"orders-admin\" in array.concat(input.token.roles, input.token.groups)\n\tcount(deny) == 0\n}\n"}},
		{Path: "data.authz.deny", How: change.Removed, Denies: true, Entrypoints: entry,
			Old: &meaning.Text{File: "orders/authz.rego", Row: 52, Rego: "deny contains \"frozen_tenant\" if {\n" +
				"\tinput.token.tenant in data.authz.frozen\n}\n", Metadata: `{"title":"frozen tenants"}`}},
		{Path: "data.authz.risky", How: change.Added, Entrypoints: entry,
			New: &meaning.Text{File: "orders/authz.rego", Row: 59, Rego: "risky if {\n" +
				"\tanswer := http.send({\"method\": \"GET\", \"url\": concat(\"\", [\n" +
				"\t\t\"https://risk.internal.example:8443/score/\", input.token.claims.email,\n\t])})\n" +
				"\tanswer.body.score > 90\n}\n"}},
		{Path: "data.authz.reasons", How: change.Moved,
			New: &meaning.Text{File: "orders/reasons.rego", Row: 7, Rego: "reasons := deny\n"}},
	}
}

func matrixOf(role string) *access.Matrix {
	return &access.Matrix{Routes: []access.Row{
		{Method: "GET", Path: "/orders", Route: "list_orders", Needs: []access.Needs{{Scopes: "orders:read",
			Audience: "orders-api", Tenant: "that of x-tenant", Verified: true}}},
		{Method: "DELETE", Path: "/orders/*", Route: "delete_order", Needs: []access.Needs{{Scopes: "orders:write",
			Audience: "orders-api", Tenant: "that of x-tenant", Roles: role, Login: "acr mfa, at most 300 s ago",
			Verified: true}}},
		{Method: "GET", Path: "/healthz", Anonymous: "yes", Needs: []access.Needs{}},
	}}
}

func witnesses() *witness.Findings {
	return &witness.Findings{Result: witness.Wider, Old: "orders-1.3.tar.gz", New: "orders-1.4.tar.gz", Now: noon(),
		Took: 1.9,
		Findings: []witness.Finding{
			{Class: witness.Wider, Entrypoint: "authz/decision", Summary: "allowed now, was denied (missing_role)",
				Places:  []witness.Place{{Method: "DELETE", Path: "/orders/*", Route: "delete_order"}},
				OnlyOld: []string{`roles: "orders-admin"`}, OnlyNew: []string{`roles or groups: "orders-admin"`},
				Witness: witnessOf("DELETE", "/orders/s1", "t1", `"groups":["orders-admin"],"roles":[],`,
					"missing_role")},
			{Class: witness.Wider, Entrypoint: "authz/decision", Summary: "allowed now, was denied (frozen_tenant)",
				Places: []witness.Place{{Method: "GET", Path: "/orders", Route: "list_orders"},
					{Method: "GET", Path: "/orders/*", Route: "read_order"}},
				OnlyOld: []string{`tenant: not "initech"`}, OnlyNew: []string{},
				Witness: witnessOf("GET", "/orders", "initech", "", "frozen_tenant")},
			{Class: witness.Narrower, Entrypoint: "authz/decision", Summary: "denied now, was allowed (missing_scope)",
				Places: []witness.Place{{Method: "GET", Path: "/orders", Route: "list_orders"}}, OnlyOld: []string{},
				OnlyNew: []string{`scopes: "orders:read"`},
				Witness: witnessOf("GET", "/orders", "t1", "", "missing_scope")},
		},
		Entrypoints: []witness.Entrypoint{{Path: "authz/decision", Result: witness.Wider, Shapes: 105, Proved: 98,
			Differing: 3, Open: 4, Candidates: 8120, Opaque: []string{
				"data.authz.risky"}, Reasons: []witness.OpenReason{
				{Text: "depends on the answer of http.send", Shapes: 4, Example: "POST /orders"}}}},
	}
}

func witnessOf(method, path, tenant, more, reason string) witness.Witness {
	doc := `{"version":1,"request":{"method":"` + method + `","path":"` + path + `","raw_path":"` + path +
		`","segments":["orders"],"headers":{"x-tenant":["` + tenant + `"]},"query":{}},"token":{"present":true,` +
		`"active":true,"kind":"access","tenant":"` + tenant + `","scopes":["orders:read","orders:write"],` +
		`"audiences":["orders-api"],` + more + `"auth":{"acr":"mfa","time":1772452788}}}`
	w := witness.Witness{Document: []byte(doc), Words: []string{"x-tenant: " + tenant},
		Old: witness.Outcome{Reasons: []string{reason}}, New: witness.Outcome{Allow: true},
		Event: []byte(`{"decision_id":"witness","path":"authz/decision","input":` + doc + `}`),
		Commands: []string{"sidecar explain FILE --policies orders-1.3.tar.gz",
			"sidecar explain FILE --policies orders-1.4.tar.gz"}}
	if reason == "missing_scope" {
		w.Old, w.New = w.New, w.Old
	}
	return w
}
