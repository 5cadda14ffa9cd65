package access_test

import (
	"strings"
	"testing"
)

// toldAs is what is told of a request under the policies of a shape, without the first and the last line.
var toldAs = map[string]string{
	"roles GET /orders/1": `
  roles contains boss
or all of
  roles contains clerk
`,
	"attributes POST /orders?amount=50": `
  login level is at least 2
  client is given, and is not context owner
  tenant = value 1 of the header x-tenant
`,
	"attributes POST /orders?amount=500": `
  scopes contains large
  login level is at least 2
  client is given, and is not context owner
  tenant = value 1 of the header x-tenant
`,
	"clock GET /": `
  the login less than 600 s ago
or all of
  groups contains night
  expires in more than 60 s
`,
	// The policy has a hole: a rule that denies with "not" is undefined where what it reads is absent.
	"sets GET /": `
  scopes contains orders
  tenant is absent
  address of the client is absent
or all of
  scopes contains orders
  tenant is one of acme, globex
  address of the client is absent
or all of
  scopes contains orders
  tenant is absent
  the condition net.cidr_contains("10.0.0.0/8", input.request.source_ip) (p.rego:13)
or all of
  scopes contains orders
  tenant is one of acme, globex
  the condition net.cidr_contains("10.0.0.0/8", input.request.source_ip) (p.rego:13)
`,
	"negation GET /": `
  scopes contains orders
  the header x-country has no element but de, fr
and not for client evil (p.rego:11)
and not for subject type client (p.rego:14)
or all of
  scopes contains orders
  client is batch
  the header x-country has no element but de, fr
and not for client evil (p.rego:11)
`,
	"functions GET /users/u1": `
  roles contains root
or all of
  roles contains staff
or all of
  subject = segment 1 (u1)
`,
	"patterns GET /staff/x": `
  the condition glob.match(input.token.permissions[_], [":"], "get:staff") (p.rego:7)
or all of
  username ends with @acme.example
`,
	"every GET /": `
  scopes contains a
  scopes contains b
  the condition every group in input.token.groups { not startswith(group, "ext-") } (p.rego:10)
`,
	"every PUT /": `
  the condition count({"a", "b"} - {x1 | x1 = input.token.scopes[_]}) == 0 (p.rego:16) (not verified)
`,
	"else PUT /": `
  scopes contains orders
  login level is above 5
and not for tenant initech (p.rego:4)
or all of
  scopes contains orders
  acr is mfa
and not for tenant initech (p.rego:4)
`,
	"answer GET /": `
  scopes contains orders
  subject is given
  tenant is not empty
`,
	"walk GET /": `
  the condition walk(input.token.claims, [x1, "admin"]); x1[minus(count(x1), 1)] == "role" (p.rego:6) (not verified)
`,
	"with GET /": `
  whatever data.authz.base (p.rego:7) says (not verified)
`,
	"reference GET /": `
  issuer is https://id.example
`,
	"several files GET /": `
  scopes contains orders
or all of
  nothing but a usable token
and not where tenant is given, and is not acme (q.rego:9)
`,
	"tiers GET /": `
  client is web
or all of
  client is app
or all of
  login level is above 3
  login level is at most 5
`,
}

func TestPoliciesOfOtherStylesAreToldInWords(t *testing.T) {
	for name, want := range toldAs {
		i := strings.LastIndexByte(name[:strings.LastIndexByte(name, ' ')], ' ')
		shape, request := name[:i], name[i+1:]
		cfg := written(t, shapes[shape])
		cfg.Input.Headers = append(cfg.Input.Headers, "x-country")
		got := text(t, requires(t, analyst(t, cfg), request), cfg.Policies.Paths[0])
		_, got, _ = strings.Cut(got, "\n")
		got, _, _ = strings.Cut(got, "the policies ask for no token here")
		got, _, _ = strings.Cut(got, asksFor)
		if "\n"+got != want {
			t.Errorf("%s: got\n%s\nwant%s", name, got, want)
		}
	}
}
