package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/door/forwardauth"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// throughEachDoor asks about /orders/42 with headers, and returns the outcomes that the client gets.
func (w *world) throughEachDoor(
	t *testing.T, envoy authv3.AuthorizationClient, method string, headers map[string]string,
) map[string]string {
	t.Helper()
	fields := &corev3.HeaderMap{}
	check, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+w.app.Addr("forward_auth.a").String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Method": method, "URI": "/orders/42", "Host": "api.example",
		"Scheme": "https", "For": "192.0.2.1"} {
		check.Header.Set("X-Original-"+name, value)
	}
	lists := map[string][]string{}
	for name, value := range headers {
		fields.Headers = append(fields.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
		check.Header.Set(name, value)
		lists[name] = []string{value}
	}
	body, err := json.Marshal(map[string]any{"request": map[string]any{"method": method,
		"url": "https://api.example/orders/42", "headers": lists}})
	if err != nil {
		t.Fatal(err)
	}
	native, err := w.send(t.Context(), "POST", w.api+"/v1/decisions", string(body))
	if err != nil {
		t.Fatal(err)
	}
	status, told := w.do(t, check)
	out, err := envoy.Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Method: method,
			Scheme: "https", Host: "api.example", Path: "/orders/42", HeaderMap: fields}}}})
	if err != nil {
		t.Fatal(err)
	}
	if (status == 200) != (told == "") || (out.GetOkResponse() != nil) != (out.GetDeniedResponse() == nil) {
		t.Errorf("neither an allow nor a refusal: %d %q, %v", status, told, out)
	}
	return map[string]string{"native": outcome(t, native), "forward auth": outcome(t, told),
		"gRPC": outcome(t, out.GetDeniedResponse().GetBody())}
}

// outcome is the status of an answer, and its first reason; that of an allow, which may have no body, is empty.
func outcome(t *testing.T, body string) string {
	t.Helper()
	var a struct {
		Allow   bool
		Status  int
		Reasons []struct{ Code string }
	}
	if body == "" {
		return ""
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatal(err)
	}
	if a.Allow {
		return ""
	}
	return fmt.Sprint(a.Status, a.Reasons)
}

func TestEachDoorFindsTheTokenInTheConfiguredPlaceAlone(t *testing.T) {
	const header, forwarded = "authorization", "x-forwarded-access-token"
	for place, carry := range map[token.Carrier]func(string) (string, string){
		{Header: "X-Forwarded-Access-Token"}: func(tok string) (string, string) { return forwarded, tok },
		{Cookie: "access_token"}: func(tok string) (string, string) {
			return "cookie",
				"access_token=" + tok
		},
	} {
		w := start(t, func(c *config.Config) {
			c.Listen.GRPC.Address, c.Decision.Credential = "127.0.0.1:0", place
			gateway := forNginx("a")
			gateway.Profile = forwardauth.HAProxy // nginx cannot pass on a 400
			c.Listen.ForwardAuth = []forwardauth.Config{gateway}
		})
		envoy, tok := w.envoy(t), w.token(t, good())
		name, value := carry(tok)
		bearer := "Bearer " + tok
		foreign := "403 [{cross_origin}]"
		if place.Header != "" {
			foreign = "403 [{insufficient_scope} {insufficient_user_authentication} {missing_role}]" // of the policy
		}
		for what, c := range map[string]struct {
			method  string
			headers map[string]string
			outcome string
		}{
			"the place":           {"GET", map[string]string{name: value}, ""},
			"Authorization alone": {"GET", map[string]string{header: bearer}, "401 [{no_credential}]"},
			"both":                {"GET", map[string]string{name: value, header: bearer}, "400 [{invalid_request}]"},
			"another origin": {"DELETE", map[string]string{name: value, "sec-fetch-site": "cross-site",
				"origin": "https://evil.example"}, foreign},
		} {
			c.headers["x-tenant"] = "acme"
			got := w.throughEachDoor(t, envoy, c.method, c.headers)
			want := fmt.Sprint(map[string]string{"native": c.outcome, "forward auth": c.outcome, "gRPC": c.outcome})
			if fmt.Sprint(got) != want {
				t.Errorf("%+v, %s: %v, want %s", place, what, got, want)
			}
		}

	}
}
