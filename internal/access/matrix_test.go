package access_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/access"
	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
)

// routes is the matrix of the policies of cfg.
func routes(t *testing.T, cfg *config.Config) access.Matrix {
	t.Helper()
	m, err := analyst(t, cfg).Routes(t.Context(), access.Principals{}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func matrixText(t *testing.T, m access.Matrix) string {
	t.Helper()
	var b strings.Builder
	if err := m.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheMatrixOfTheShippedPoliciesHasEachRouteOnce(t *testing.T) {
	t.Chdir("../..")
	const want = `method  path                route         scopes        audience    tenant           roles         login` +
		`                       anonymous  also
GET     /healthz            health                                                                                             closed
GET     /orders             list_orders   orders:read   orders-api  header x-tenant
POST    /orders             create_order  orders:write  orders-api  header x-tenant                                                       not tenant initech
DELETE  /orders/*           delete_order  orders:write  orders-api  header x-tenant  orders-admin  acr mfa, at most 300 s ago             not tenant initech
GET     /orders/*           read_order    orders:read   orders-api  header x-tenant
GET     /tenants/*/reports  list_reports  reports:read  orders-api  segment 1
DELETE  /orders/archive     delete_order                                                                                                  no token is enough

closed: the policies ask for no token there, and decision.token: required does
`
	if got := matrixText(t, routes(t, shipped("bundles/example"))); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestARouteThatIsAnonymousIsSaidToBeWhereTokensAreOptional(t *testing.T) {
	t.Chdir("../..")
	cfg := shipped()
	cfg.Decision.Token = "optional"
	if r := routes(t, cfg).Routes[0]; r.Route != "health" || r.Anonymous != "yes" {
		t.Errorf("%+v", r)
	}
}

func TestThePathsThatOtherPoliciesNameAreTheRoutesOfTheMatrix(t *testing.T) {
	for shape, want := range map[string]string{
		"roles": `method  path        roles
GET     /orders     boss or clerk
POST    /orders     boss
GET     /orders/**  boss or clerk
POST    /orders/**  boss
`,
		"functions": `method  path  roles
DELETE  /**   root or staff
GET     /**   root or staff
POST    /**   root or staff
PUT     /**   root or staff
`,
	} {
		got := matrixText(t, routes(t, written(t, shapes[shape])))
		if got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", shape, got, want)
		}
	}
}

func TestARequestOfASuiteThatNoRouteCoversHasARow(t *testing.T) {
	a := analyst(t, written(t, shapes["roles"]))
	m, err := a.Routes(t.Context(), access.Principals{Requests: []authz.Request{
		{Method: "GET", URL: "/orders/42?x=1"}, {Method: "PUT", URL: "/orders"}, {Method: "GET", URL: "/ordersx"},
	}}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, r := range m.Routes {
		paths = append(paths, r.Method+" "+r.Path)
	}
	want := []string{"GET /orders", "POST /orders", "GET /orders/**", "POST /orders/**", "GET /ordersx"}
	if !slices.Equal(paths, want) {
		t.Errorf("%q, want %q", paths, want)
	}
}

func TestOneOfSeveralAudiencesOrRolesIsOneRow(t *testing.T) {
	t.Chdir("../..")
	cfg := shipped()
	cfg.Policies.Paths = []string{"policies/authz", "policies/sidecar"}
	cfg = withRoutes(t, cfg, `/a:
  GET: {id: a, scopes: [x, y], audience: [one, two], tenant: none, roles: [r, s, t], acr_values: [low, high]}
`)
	want := `method  path  route  scopes  audience    roles        login
GET     /a    a      x, y    one or two  r or s or t  acr one of low, high
`
	if got := matrixText(t, routes(t, cfg)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// withRoutes adds routes to policies.
func withRoutes(t *testing.T, cfg *config.Config, routes string) *config.Config {
	t.Helper()
	more := written(t, map[string]string{"routes/data.yaml": routes})
	cfg.Policies.Paths = append(cfg.Policies.Paths, more.Policies.Paths...)
	return cfg
}

func TestRoutesThatAreNotLookedAtInTimeAreTold(t *testing.T) {
	t.Chdir("../..")
	m, err := analyst(t, shipped()).Routes(t.Context(), access.Principals{}, time.Nanosecond)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("6 of 6 routes were not looked at within %s", time.Nanosecond)
	if got := matrixText(t, m); m.Rest != want || !strings.Contains(got, "incomplete: "+want) {
		t.Errorf("%q\n%s", m.Rest, got)
	}
}

func TestTheMatrixIsTheSameEachTime(t *testing.T) {
	t.Chdir("../..")
	a := analyst(t, shipped("bundles/example"))
	var first []byte
	for range 5 {
		m, err := a.Routes(t.Context(), access.Principals{}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = raw
		}
		if string(raw) != string(first) {
			t.Fatalf("%s\nand then\n%s", first, raw)
		}
	}
}
