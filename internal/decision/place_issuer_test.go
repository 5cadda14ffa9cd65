package decision_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/resource"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// placedIssuers are three issuers, told apart by the prefix of their tokens: of the first they come in the cookie
// session, of the second in x-partner-token, and the third names no place.
func placedIssuers(t *testing.T) (*world, []*atomic.Int64) {
	t.Helper()
	of := func(prefix string, at token.Carrier) func(*issuer.Config) {
		return func(c *issuer.Config) { c.Match.Prefixes, c.Credential = []string{prefix}, at }
	}
	cookie, header := token.Carrier{Cookie: "session"}, token.Carrier{Header: "X-Partner-Token"}
	issuers, calls := servers(t, of("cookie-", cookie), of("partner-", header), of("any-", token.Carrier{}))
	return build(t, plan{rego: tellsClient, places: []authz.Place{cookie.Place(), header.Place()},
		wrap: func(introspect.Introspector) introspect.Introspector { return issuers }}), calls
}

func TestATokenIsTakenFromThePlaceOfItsIssuerOnly(t *testing.T) {
	w, calls := placedIssuers(t)
	type fields = map[string][]string
	const partner, bearer = "x-partner-token", "authorization"
	for what, c := range map[string]struct {
		at      authz.Place
		headers fields
		want    string
	}{
		"of the first, in its cookie":    {headers: fields{"cookie": {"session=cookie-1"}}, want: "of-0"},
		"of the second, in its header":   {headers: fields{partner: {"partner-1"}}, want: "of-1"},
		"of the third, in Authorization": {headers: fields{bearer: {"Bearer any-1"}}, want: "of-2"},
		"an empty cookie, and Authorization": {headers: fields{"cookie": {"session="}, bearer: {"Bearer any-1"}},
			want: "of-2"},
		"of the first, in Authorization":    {headers: fields{bearer: {"Bearer cookie-1"}}, want: "invalid_token"},
		"of the first, in another's header": {headers: fields{partner: {"cookie-1"}}, want: "invalid_token"},
		"of the second, in another's cookie": {headers: fields{"cookie": {"session=partner-1"}},
			want: "invalid_token"},
		"of the third, in a cookie": {headers: fields{"cookie": {"session=any-1"}}, want: "invalid_token"},
		"of the third, in a header": {headers: fields{partner: {"any-1"}}, want: "invalid_token"},
		"in a header of no issuer":  {headers: fields{"x-other": {"any-1"}}, want: "no_credential"},
		"in a cookie and Authorization": {headers: fields{"cookie": {"session=cookie-1"}, bearer: {"Bearer any-1"}},
			want: "invalid_request"},
		"in a cookie and a header": {headers: fields{"cookie": {"session=cookie-1"}, partner: {"partner-1"}},
			want: "invalid_request"},
		"in two fields": {headers: fields{partner: {"partner-1", "partner-2"}},
			want: "invalid_request"},
		"in another spelling": {headers: fields{"x_partner_token": {"partner-1"}},
			want: "invalid_request"},
		"where the listener says": {authz.Place{Header: "x-proxied"}, fields{"x-proxied": {"cookie-1"}},
			"of-0"},
		"where only the issuer says": {authz.Place{Header: "x-proxied"}, fields{partner: {"partner-1"}},
			"no_credential"},
		"where the listener says as well": {authz.Place{Header: "X-Partner-Token"}, fields{partner: {"any-1"}},
			"of-2"},
	} {
		before := calls[0].Load() + calls[1].Load() + calls[2].Load()
		d := w.point.Decide(t.Context(), placed("GET", c.at, c.headers))
		asked := calls[0].Load() + calls[1].Load() + calls[2].Load() - before
		if allowed := strings.HasPrefix(c.want, "of-"); allowed && string(d.Context) != `{"client":"`+c.want+`"}` ||
			!allowed && (d.Kind == authz.Allow || d.Reasons[0].Code != c.want || asked != 0) {
			t.Errorf("%s: %d %v %s %v, want %s; %d questions", what, d.Status, d.Reasons, d.Context, d.Cause, c.want,
				asked)
		}
	}
}

func TestACookieOfAnIssuerIsNoCredentialForAnotherOrigin(t *testing.T) {
	w, _ := placedIssuers(t)
	q := placed("POST", authz.Place{}, map[string][]string{"cookie": {"session=cookie-1"},
		"origin": {"https://evil.example"}})
	q.Caller = "127.0.0.1:9"
	w.expect(t, w.point.Decide(t.Context(), q), authz.Malformed, http.StatusForbidden, "cross_origin")
	q.Request.Headers = map[string][]string{"authorization": {"Bearer any-1"}, "origin": {"https://evil.example"}}
	w.expect(t, w.point.Decide(t.Context(), q), authz.Allow, http.StatusOK)
}

func TestATokenBesideTheRequestIsOfAnyIssuer(t *testing.T) {
	w, _ := placedIssuers(t)
	for name, of := range map[string]string{"cookie-1": "of-0", "partner-1": "of-1", "any-1": "of-2"} {
		q := placed("GET", authz.Place{}, nil)
		q.Token = secret.New(name)
		if d := w.point.Decide(t.Context(), q); string(d.Context) != `{"client":"`+of+`"}` {
			t.Errorf("%s: %d %v %s", name, d.Status, d.Cause, d.Context)
		}
	}
}

func TestABatchTellsPlacesOfOneTokenApart(t *testing.T) {
	w, _ := placedIssuers(t)
	right, wrong := map[string][]string{"x-partner-token": {"partner-1"}},
		map[string][]string{"authorization": {"Bearer partner-1"}}
	var queries []authz.Query
	for range 8 {
		queries = append(queries, placed("GET", authz.Place{}, right), placed("GET", authz.Place{}, wrong))
	}
	for i, d := range w.point.DecideAll(t.Context(), queries) {
		if want := []int{http.StatusOK, http.StatusUnauthorized}[i%2]; d.Status != want {
			t.Errorf("item %d: %d %v, want %d", i, d.Status, d.Cause, want)
		}
	}
}

func TestMCP25_TheTokenOfAMessageIsInAuthorization(t *testing.T) {
	for name, c := range map[string]struct {
		plan plan
		at   authz.Place
	}{
		"beside another default":     {plan{carrier: token.Carrier{Header: "x-proxied"}}, authz.Place{}},
		"beside that of an issuer":   {plan{places: []authz.Place{{Header: "x-proxied"}}}, authz.Place{}},
		"beside that of a listener":  {plan{}, authz.Place{Header: "x-proxied"}},
		"beside a cookie of a login": {plan{}, authz.Place{Cookie: "session"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.plan.rego, c.plan.resources = byTool, []resource.Config{notes()}
			w := build(t, c.plan)
			tok := w.grant(t, devissuer.Grant{})
			elsewhere := map[string][]string{"x-proxied": {tok}, "cookie": {"session=" + tok}}
			for _, r := range []struct {
				bearer, proxied bool
				status          int
			}{{true, false, 200}, {false, true, 401}, {true, true, 400}} {
				q := message(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
				q.Place = c.at
				if r.bearer {
					q.Request.Headers["authorization"] = []string{"Bearer " + tok}
				}
				if r.proxied {
					for name, values := range elsewhere {
						q.Request.Headers[name] = values
					}
				}
				if d := w.point.Decide(t.Context(), q); d.Status != r.status {
					t.Errorf("%+v: %d %v %v", r, d.Status, d.Reasons, d.Cause)
				}
			}
		})
	}
}
