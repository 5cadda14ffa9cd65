//go:build real

package realtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// TestTheClientOfOPA asks the sidecar by the SDK of OPA for TypeScript.
func TestTheClientOfOPA(t *testing.T) {
	v := vault{}
	password := v.secret("secret of the sidecar")
	issuer := authserver.Start(t, devissuer.Config{
		ResourceServers: []devissuer.ResourceServer{{ID: "sidecar", Secret: secret.New(password)}}})
	sc := startSidecar(t, v, setup{secret: password, issuer: fmt.Sprintf(`
  - introspection_endpoint: %s/introspect
    allow_insecure_http: true
    client: {id: sidecar, secret: {env: CLIENT_SECRET}}
    tenant: [/tenant]`, issuer.Issuer()),
		more: "opa: {enabled: true, default_decision: authz/decision/allow}\n"})
	good := authserver.Issue(t, issuer, devissuer.Grant{ClientID: "reader", Subject: "ann", Tenant: "acme",
		Scopes: []string{"orders:read"}, Audience: []string{"orders-api"}})

	got := command(t, 5*time.Minute, withOPASDK(t, "client.mjs"), tool(t, "node",
		"install Node 20 or newer"), "client.mjs", sc.api, good, "a-token-that-is-not-known")
	sc.answers.WriteString(got)
	want := strings.Join([]string{
		`["evaluate",true]`,
		`["denied",false]`,
		`["bad token",null]`,
		`["claims","ClientError"]`,
		`["default",true]`,
		`["batch",{"a":true,"b":false}]`,
		`["no such path","SDKError"]`,
	}, "\n") + "\n"
	if got != want {
		t.Errorf("the client says\n%s\nwant\n%s", got, want)
	}
}
