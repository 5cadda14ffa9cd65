package extauthz_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/extauthz"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// fields are headers as "name: value, ...", each with the action when it is not to append.
func fields(headers []*corev3.HeaderValueOption) string {
	var out []string
	for _, h := range headers {
		text := h.GetHeader().GetKey() + ": " + h.GetHeader().GetValue()
		if h.GetAppendAction() == corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
			text += " (overwrites)"
		}
		out = append(out, text)
	}
	return strings.Join(out, "\n")
}

func TestAnAllowSetsEachIdentityHeaderOnceAndRemovesTheUnknown(t *testing.T) {
	d := allowed()
	d.UpstreamHeaders = []authz.Header{{Name: "X-Subject", Values: []string{"alice"}},
		{Name: "X-Roles", Values: []string{"a", "b"}}, {Name: "X-Tenant", Values: []string{""}},
		{Name: "X-Groups", Values: []string{"", ""}}, {Name: "X-None"}}
	d.Headers = []authz.Header{{Name: "DPoP-Nonce", Values: []string{"n1"}},
		{Name: "Access-Control-Expose-Headers", Values: []string{"DPoP-Nonce"}}}
	ok := serve(t, listener(), extauthz.Deps{Point: says(d)}).check(t, get()).GetOkResponse()
	if got, want := fields(ok.GetHeaders()), "x-subject: alice (overwrites)\nx-roles: a, b (overwrites)"; got != want {
		t.Errorf("the upstream gets\n%s, want\n%s", got, want)
	}
	if got := fmt.Sprint(ok.GetHeadersToRemove()); got != "[x-tenant x-groups x-none]" {
		t.Errorf("removed are %s", got)
	}
	if got, want := fields(ok.GetResponseHeadersToAdd()),
		"dpop-nonce: n1 (overwrites)\naccess-control-expose-headers: DPoP-Nonce"; got != want {
		t.Errorf("the client gets\n%s, want\n%s", got, want)
	}
}

func TestARefusalReachesTheClientWithItsStatusHeadersAndReasons(t *testing.T) {
	d := authz.Decision{ID: "d2", Kind: authz.Deny, Status: 401, Headers: []authz.Header{
		{Name: "WWW-Authenticate", Values: []string{`Bearer realm="r"`, `DPoP realm="r"`}},
		{Name: "Content-Type", Values: []string{"text/html"}}, {Name: "X-Odd", Values: []string{"a\r\nb: c"}}},
		UpstreamHeaders: []authz.Header{{Name: "X-Subject", Values: []string{"alice"}}},
		Reasons:         []authz.Reason{{Code: "step_up", Message: "log in again"}}}
	out := serve(t, listener(), extauthz.Deps{Point: says(d)}).check(t, get())
	denied := out.GetDeniedResponse()
	if denied.GetStatus().GetCode() != 401 || out.GetStatus().GetCode() != 7 {
		t.Errorf("got %v", out)
	}
	if got, want := fields(denied.GetHeaders()), `www-authenticate: Bearer realm="r"`+"\n"+
		`www-authenticate: DPoP realm="r"`+
		"\ncache-control: no-store\ncontent-type: application/problem+json"; got != want {
		t.Errorf("the client gets\n%s, want\n%s", got, want)
	}
	const body = `{"title":"Unauthorized","status":401,"decision_id":"d2",` +
		`"reasons":[{"code":"step_up","message":"log in again"}]}` + "\n"
	if denied.GetBody() != body {
		t.Errorf("the body is %s", denied.GetBody())
	}
	if got := out.GetDynamicMetadata().AsMap()["decision_id"]; got != "d2" {
		t.Errorf("the access log gets %v", got)
	}
}

func TestADecisionMayHaveTheBodyOfItsRefusal(t *testing.T) {
	d := authz.Decision{Kind: authz.Malformed, Status: 400, Body: []byte(`{"jsonrpc":"2.0"}`)}
	denied := serve(t, listener(), extauthz.Deps{Point: says(d)}).check(t, get()).GetDeniedResponse()
	if got := fields(denied.GetHeaders()); denied.GetBody() != `{"jsonrpc":"2.0"}` ||
		got != "cache-control: no-store\ncontent-type: application/json" {
		t.Errorf("the client gets %s\n%s", got, denied.GetBody())
	}
}

func TestEachKindOfRefusalHasACodeAndNoneIsOK(t *testing.T) {
	seen := map[int32]authz.Kind{}
	for _, k := range authz.Kinds {
		if k == authz.Allow {
			continue
		}
		out := serve(t, listener(), extauthz.Deps{Point: says(authz.Decision{Kind: k, Status: 503})}).check(t, get())
		if other, taken := seen[out.GetStatus().GetCode()]; taken || out.GetDeniedResponse() == nil {
			t.Errorf("%s: %v, as %s", k, out, other)
		}
		seen[out.GetStatus().GetCode()] = k
	}
}

func TestWhatEnvoyCannotCarryOutIsRefused(t *testing.T) {
	header := func(name, value string) authz.Decision {
		d := allowed()
		d.UpstreamHeaders = []authz.Header{{Name: name, Values: []string{value}}}
		return d
	}
	context := func(json string) authz.Decision {
		d := allowed()
		d.Context = []byte(json)
		return d
	}
	obliged, half, wrong := allowed(), allowed(), allowed()
	obliged.Obligations = []byte(`[{"type": "audit"}]`)
	half.Status = 0
	wrong.Kind = authz.Deny
	for name, d := range map[string]authz.Decision{
		"no decision": {}, "no status": half, "a deny with 200": wrong, "an obligation": obliged,
		"a header of two lines": header("X-A", "a\r\nb: c"), "no name": header("", "a"),
		"a path":                         header(":path", "/x"),
		"a value that is not UTF-8":      header("X-A", "\xff"),
		"an unknown member":              context(`{"envoy": {"headers_to_set": {}}}`),
		"no object":                      context(`{"envoy": []}`),
		"no list":                        context(`{"envoy": {"headers_to_remove": "x"}}`),
		"a pseudo-header to remove":      context(`{"envoy": {"headers_to_remove": [":path"]}}`),
		"the host to remove":             context(`{"envoy": {"headers_to_remove": ["Host"]}}`),
		"a parameter of a number":        context(`{"envoy": {"query_parameters_to_set": {"a": 1}}}`),
		"dynamic metadata of no members": context(`{"envoy": {"dynamic_metadata": 1}}`),
	} {
		registry := testkit.NewRegistry()
		w := serve(t, listener(), extauthz.Deps{Point: says(d), Metrics: registry})
		out := w.check(t, get())
		if out.GetDeniedResponse().GetStatus().GetCode() != 500 {
			t.Errorf("%s: got %v", name, out)
		}
		if d.Kind == authz.Allow && registry.Value(t,
			`sidecar_door_extauthz_checks_total{outcome="unfulfilled"}`) != 1 {
			t.Errorf("%s is counted as %v", name, registry.Nonzero(t, "sidecar_door_extauthz_checks_total"))
		}
	}
}

func TestAPolicyTellsEnvoyMoreByItsContext(t *testing.T) {
	d := allowed()
	d.Context = []byte(`{"other": 1, "envoy": {"headers_to_remove": ["Authorization", "X-Debug"],
		"query_parameters_to_set": {"tenant": "a b&c=d"}, "query_parameters_to_remove": ["admin", "trace"],
		"dynamic_metadata": {"plan": "gold", "limits": {"rate": 5}}}}`)
	w := serve(t, listener(), extauthz.Deps{Point: says(d)})
	in := get()
	in.Attributes.Request.Http.Path = "/orders?admin=1&%61dmin=2&x=3&tenant=evil&ten%61nt=evil&adm%69n&%zz=1"
	out := w.check(t, in)
	ok := out.GetOkResponse()
	if got := fmt.Sprint(ok.GetHeadersToRemove()); got != "[authorization x-debug]" {
		t.Errorf("removed are %s", got)
	}
	set := ok.GetQueryParametersToSet()
	if len(set) != 1 || set[0].GetKey() != "tenant" || set[0].GetValue() != "a%20b%26c%3Dd" {
		t.Errorf("parameters %v are set", set)
	}
	removed := ok.GetQueryParametersToRemove()
	slices.Sort(removed)
	if got := strings.Join(removed, " "); got != "%61dmin adm%69n admin ten%61nt" {
		t.Errorf("parameters %s are removed", got)
	}
	if got := fmt.Sprint(out.GetDynamicMetadata().AsMap()); got !=
		"map[decision_id:d1 limits:map[rate:5] plan:gold]" {
		t.Errorf("dynamic metadata is %s", got)
	}
}
