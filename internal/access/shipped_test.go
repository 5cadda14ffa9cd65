package access_test

import (
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"

	"github.com/authz-sidecar/sidecar/internal/access"
)

const asksFor = "the sidecar itself asks for a usable access token: active, not expired, for the configured audience\n"

// reads is what the routes with a tenant in a header ask for.
const withHeader = `  audiences contains orders-api
  tenant = the header x-tenant, given once; not empty
`

const stepUp = `  audiences contains orders-api
  roles contains orders-admin
  acr is mfa
  the login at most 300 s ago
  tenant = the header x-tenant, given once; not empty
`

func TestEachShippedRouteIsToldInWords(t *testing.T) {
	t.Chdir("../..")
	plain, bundled := analyst(t, shipped()), analyst(t, shipped("bundles/example"))
	const frozen = "and not for tenant initech (bundles/example/maintenance.rego:16)\n"
	for request, want := range map[string]struct{ head, list, bundle string }{
		"GET /orders": {"(route list_orders) is allowed for a token with all of",
			"  scopes contains orders:read\n" + withHeader, ""},
		"HEAD /orders": {"(route list_orders) is allowed for a token with all of",
			"  scopes contains orders:read\n" + withHeader, ""},
		"POST /orders": {"(route create_order) is allowed for a token with all of",
			"  scopes contains orders:write\n" + withHeader, frozen},
		"GET /orders/42": {"(route read_order) is allowed for a token with all of",
			"  scopes contains orders:read\n" + withHeader, ""},
		"DELETE /orders/42": {"(route delete_order) is allowed for a token with all of",
			"  scopes contains orders:write\n" + stepUp, frozen},
		"GET /tenants/acme/reports": {"(route list_reports) is allowed for a token with all of",
			"  scopes contains reports:read\n  audiences contains orders-api\n  tenant = segment 1 (acme)\n", ""},
	} {
		begin := request + " " + want.head + "\n" + want.list
		if got := text(t, requires(t, plain, request), ""); got != begin+asksFor {
			t.Errorf("without the bundle:\n%s\nwant\n%s", got, begin+asksFor)
		}
		if got := text(t, requires(t, bundled, request), ""); got != begin+want.bundle+asksFor {
			t.Errorf("with the bundle:\n%s\nwant\n%s", got, begin+want.bundle+asksFor)
		}
	}
}

func TestEachAlternativeOfTheShippedRoutesIsVerified(t *testing.T) {
	t.Chdir("../..")
	a := analyst(t, shipped("bundles/example"))
	for _, request := range []string{"GET /orders", "POST /orders", "GET /orders/42", "DELETE /orders/42",
		"GET /tenants/acme/reports", "GET /healthz"} {
		for _, alternative := range requires(t, a, request).Alternatives {
			if !alternative.Verified {
				t.Errorf("%s: not verified: %+v", request, alternative)
			}
		}
	}
}

func TestARouteThatNoTokenOpensIsToldWithTheReason(t *testing.T) {
	t.Chdir("../..")
	a := analyst(t, shipped("bundles/example"))
	for request, want := range map[string]string{
		"GET /nowhere": "GET /nowhere is allowed for no token\n" +
			"a token with every right that the policies name gets: no_route (there is no such route)\n",
		"DELETE /orders/archive": "DELETE /orders/archive (route delete_order) is allowed for no token\n" +
			"a token with every right that the policies name gets: maintenance (changes are not possible at the " +
			"moment)\n",
	} {
		if got := text(t, requires(t, a, request), ""); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

func TestAnAnonymousRouteNeedsATokenUnlessTheConfigurationMakesItOptional(t *testing.T) {
	t.Chdir("../..")
	cfg := shipped()
	required := requires(t, analyst(t, cfg), "GET /healthz")
	want := "GET /healthz (route health) is allowed for every usable token\n" +
		"the policies ask for no token here, and decision.token: required does\n" + asksFor
	if got := text(t, required, ""); got != want || !required.NeedsToken {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	cfg.Decision.Token = "optional"
	optional := requires(t, analyst(t, cfg), "GET /healthz")
	if got := text(t, optional, ""); got != "GET /healthz (route health) needs no token\n" || optional.NeedsToken {
		t.Errorf("got\n%s", got)
	}
	if protected := requires(t, analyst(t, cfg), "GET /orders"); !protected.NeedsToken {
		t.Errorf("GET /orders needs a token: %+v", protected)
	}
}

func TestAKnownHeaderTakesThePlaceOfTheTenantRule(t *testing.T) {
	t.Chdir("../..")
	a := analyst(t, shipped())
	ask := func(values ...string) access.Report {
		r, err := a.Requires(t.Context(), access.Query{Request: authz.Request{Method: "GET", URL: "/orders",
			Headers: map[string][]string{"x-tenant": values}}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	want := "GET /orders (route list_orders) is allowed for a token with all of\n" +
		"  scopes contains orders:read\n  audiences contains orders-api\n  tenant is acme\n" + asksFor
	if got := text(t, ask("acme"), ""); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if twice := ask("acme", "acme"); len(twice.Alternatives) != 0 {
		t.Errorf("a header that is given twice: %+v", twice)
	}
}
