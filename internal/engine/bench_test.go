package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/input"
)

const scopeAudienceTenant = `package authz

# METADATA
# entrypoint: true
default decision := {"allow": false, "reasons": [{"code": "no_route", "message": "nothing allows this"}]}

decision := {"allow": count(reasons) == 0, "reasons": reasons, "upstream_headers": {"X-Tenant": input.token.tenant}} if route

route := data.routes[input.request.method][input.request.segments[0]]

reasons contains {"code": "insufficient_scope", "message": "the token lacks a scope"} if not route.scope in input.token.scopes

reasons contains {"code": "wrong_audience", "message": "the token is for another service"} if not route.audience in input.token.audiences

reasons contains {"code": "wrong_tenant", "message": "the tenant is another one"} if {
	some tenant in input.request.headers["x-tenant"]
	tenant != input.token.tenant
}
`

// BenchmarkEval decides with a cached token: the way of nearly every request.
func BenchmarkEval(b *testing.B) {
	p, err := compiled(b, patient, map[string]string{
		"policies/authz.rego":       scopeAudienceTenant,
		"policies/routes/data.json": `{"GET": {"orders": {"scope": "orders:read", "audience": "https://api.example"}}, "POST": {"orders": {"scope": "orders:write", "audience": "https://api.example"}}}`,
	})
	if err != nil {
		b.Fatal(err)
	}
	claims := question("").Document.Claims
	for _, method := range []string{"GET", "POST"} {
		req := input.Request{
			Method: method, Scheme: "https", Host: "api.example", Port: 443, Path: "/orders/42", RawPath: "/orders/42",
			Segments: []string{"orders", "42"},
			Query:    map[string][]string{"expand": {"items"}},
			Headers:  map[string][]string{"x-tenant": {"acme"}, "accept": {"application/json"}},
			SourceIP: "10.1.2.3",
		}
		q := Question{Entrypoint: decisionPath, Time: start, Seed: "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
		b.Run(fmt.Sprintf("method=%s", method), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				q.Document = input.Build(input.Query{Request: req}, claims, input.Presented{Scheme: "bearer"}, start)
				if a, err := evaluated(b.Context(), p, q); err != nil || !a.Verdict.Allow {
					b.Fatal(a.Verdict, err)
				}
			}
		})
	}
}

// BenchmarkManyRules has five thousand rules that the index tells apart, alone and beside one that it does not.
func BenchmarkManyRules(b *testing.B) {
	for _, many := range []string{`input.request.path == "/p%d"`, `startswith(input.request.path, "/p%d/")`} {
		var rules strings.Builder
		rules.WriteString("default decision := false\nother if input.context.reason == \"none\"\n")
		for i := range 5000 {
			fmt.Fprintf(&rules, "decision if {\n\t"+many+"\n\t\"orders:read\" in input.token.scopes\n}\n", i)
		}
		for _, more := range []struct{ name, rule string }{
			{"alone", ""},
			{"startswith", `decision if startswith(input.context.reason, "break-glass")`},
			{"glob", `decision if glob.match("/admin/*", ["/"], input.context.reason)`},
			{"with", `decision if { input.request.path == "/a"; other with input.request.path as input.request.raw_path }`},
		} {
			b.Run(fmt.Sprintf("%.5s/%s", many, more.name), func(b *testing.B) {
				p := policy(b, patient, rules.String()+more.rule+"\n")
				for _, path := range []string{"/none", "/p4000", "/p4000/x"} {
					q := question(`{"reason":"none"}`)
					q.Document.Request.Path = path
					b.Run("path="+path[1:], func(b *testing.B) {
						b.ReportAllocs()
						for b.Loop() {
							if _, err := evaluated(b.Context(), p, q); err != nil {
								b.Fatal(err)
							}
						}
					})
				}
			})
		}
	}
}
