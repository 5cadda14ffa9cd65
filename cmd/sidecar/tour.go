package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle/dir"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
)

// tour is what "sidecar dev" prints once it is ready: lines that work when they are pasted.
type tour struct {
	out    io.Writer
	issuer string
	tokens map[string]string
	writer party
	// resourceServer is the API that tokens are for.
	resourceServer party
	api, admin     string
	policies       string // where they are, in words
	explain        string // a command
	token          string // decision.token
}

func (t tour) print() {
	var b strings.Builder
	fmt.Fprintf(&b, `
sidecar dev is ready; Ctrl-C stops it.

  decisions             %s/v1/decisions
  status, metrics       %s/v1/status  %[2]s/metrics
  authorization server  %s
  policies              %s

`, t.api, t.admin, t.issuer, t.policies)

	reader, writer := t.tokens["reader"], t.tokens["writer"]
	fmt.Fprintf(&b, "# allowed: the token has the scope, the audience and the tenant\n%s\n\n",
		t.ask("GET", "/orders/42", "acme", reader))
	if t.token == "optional" {
		fmt.Fprintf(&b, "# allowed without a token: the route is anonymous, and decision.token is optional here\n"+
			"%s\n\n", t.askAnonymously("/healthz"))
	}
	fmt.Fprintf(&b, "# denied for scope: reading is all this token is for\n%s\n\n",
		t.ask("POST", "/orders", "acme", reader))
	fmt.Fprintf(&b, "# denied for audience: the token was issued for another API\n%s\n\n",
		t.ask("GET", "/orders/42", "acme", t.tokens["stranger"]))
	fmt.Fprintf(&b, "# denied for tenant: the token belongs to globex, the request is about acme\n%s\n\n",
		t.ask("GET", "/orders/42", "acme", t.tokens["globex"]))
	fmt.Fprintf(&b, "# denied after revoking: allowed, revoked, and denied as soon as the cached answer is a second "+
		"old\n"+
		"%s; %s; sleep 2; %[1]s\n\n", t.ask("POST", "/orders", "acme", writer), t.revoke(writer))
	fmt.Fprintf(&b, "# why the last decision was made; in place of last, the id at the end of a line on standard "+
		"error\n"+
		"%s\n\n", t.explain)
	ask := fmt.Sprintf("curl -s -u '%s:%s' -d grant_type=client_credentials", t.writer.id, t.writer.secret.Reveal())
	fmt.Fprintf(&b, "# a token of your own\n%s %s/token\n\n", ask, t.issuer)
	fmt.Fprintf(&b, "# a token of a user whom you choose: claims are what the server answers about it\n"+
		`%s --data-urlencode 'claims={"sub":"alice","roles":["orders-admin"],"acr":"mfa","auth_time":'$(date +%%s)'}' `+
		"%s/token\n\n", ask, t.issuer)
	fmt.Fprintf(&b, "# a configuration of your own for this authorization server, in the new directory my-api\n"+
		"printf %%s '%[1]s' | sidecar init --issuer %[2]s --client-id %[3]s --audience %[3]s --dir my-api\n\n",
		t.resourceServer.secret.Reveal(), t.issuer, t.resourceServer.id)
	api, admin := t.otherPorts()
	fmt.Fprintf(&b, "# to serve it beside this sidecar: other ports\ncd my-api && SIDECAR_LISTEN_API_ADDRESS="+
		"127.0.0.1:%s SIDECAR_LISTEN_ADMIN_ADDRESS=127.0.0.1:%s sidecar serve\n\n", api, admin)
	_, _ = io.WriteString(t.out, b.String())
}

// otherPorts are ports for a second sidecar: the usual ones, where this one has been moved to 9181 or 9282.
func (t tour) otherPorts() (api, admin string) {
	if strings.HasSuffix(t.api, ":9181") || strings.HasSuffix(t.admin, ":9282") {
		return "8181", "8282"
	}
	return "9181", "9282"
}

// placesOf says where policies come from, and how to change them.
func placesOf(cfg dir.Config) string {
	if len(cfg.Embedded) > 0 {
		return "inside the binary; to change them, stop and run: sidecar dev --write DIRECTORY"
	}
	return strings.Join(slices.Concat(cfg.Paths, cfg.Bundles), ", ") + "  (edit, save, ask again)"
}

// issueTokens gives each client of the example a token: client id -> token.
func issueTokens(issuer *devissuer.Server, clients []devissuer.Client) (map[string]string, error) {
	tokens := map[string]string{}
	for _, c := range clients {
		token, err := issuer.Issue(devissuer.Grant{ClientID: c.ID, Subject: c.ID, Scopes: c.Scopes,
			Audience: c.Audiences, Tenant: c.Tenant})
		if err != nil {
			return nil, err
		}
		tokens[c.ID] = token
	}
	return tokens, nil
}

func (t tour) ask(method, path, tenant, token string) string {
	return fmt.Sprintf(`curl -s %s/v1/decisions -H 'Content-Type: application/json' -d '{"request":{"method":"%s",`+
		`"url":"https://api.acme.example%s","headers":{"authorization":["Bearer %s"],"x-tenant":["%s"]}}}'`,
		t.api, method, path, token, tenant)
}

func (t tour) askAnonymously(path string) string {
	return fmt.Sprintf(`curl -s %s/v1/decisions -H 'Content-Type: application/json' -d '{"request":{"method":"GET",`+
		`"url":"https://api.acme.example%s"}}'`, t.api, path)
}

func (t tour) revoke(token string) string {
	return fmt.Sprintf(`curl -s -u '%s:%s' -d token=%s %s/revoke`, t.writer.id, t.writer.secret.Reveal(), token,
		t.issuer)
}
