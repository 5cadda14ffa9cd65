package app

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestARequestThatRepeatsItsSecretsLeavesThemNowhere: a client puts its token, and other secrets under their usual
// names, into all places of a request that a policy reads and the decision log writes.
func TestARequestThatRepeatsItsSecretsLeavesThemNowhere(t *testing.T) {
	w := start(t, func(c *config.Config) {
		c.Input.BodyBytes, c.DecisionLog.Stdout = 10_000, true
		printing(t, c)
	})
	tok := w.token(t, good())
	every := ""
	for i := range len(tok) {
		every += fmt.Sprintf("%%%02x", tok[i])
	}
	forms := map[string]string{
		"plain": tok, "percent-encoded": every, "twice": url.QueryEscape(every),
		"base64":    base64.StdEncoding.EncodeToString([]byte("user:" + tok)),
		"base64url": base64.RawURLEncoding.EncodeToString([]byte(tok)), "hexadecimal": hex.EncodeToString([]byte(tok)),
	}
	said := &testkit.LogBuffer{}
	ask := func(url, headers, more string) string {
		body := fmt.Sprintf(`{"request":{"method":"GET","url":%q,"headers":{"authorization":["Bearer %s"]%s}%s}`, url,
			tok, headers, more)
		if !strings.Contains(more, "}") {
			body += "}"
		}
		_, text, err := w.exchange(t.Context(), "POST", w.api+"/v1/decisions", body)
		if err != nil || !strings.Contains(text, `"decision_id"`) {
			t.Fatalf("%s: %s %v", body, text, err)
		}
		_, why, err := w.exchange(t.Context(), "POST", w.admin+"/v1/explain", body)
		if err != nil || !strings.Contains(why, `"explanation"`) {
			t.Fatalf("%s: %s %v", body, why, err)
		}
		_, _ = fmt.Fprintln(said, text, why)
		return text
	}
	const tenant = `,"x-tenant":["acme"]`
	for _, form := range forms {
		ask("/orders/"+form, tenant, "")
		ask("/orders/42?t="+form, tenant, "")
		ask("/orders/42?Access_Token="+form, tenant, "")
		ask("/orders/42?a=1;access_token="+form, tenant, "")
		ask("/orders/42?access_token="+form, tenant, "")
		ask("/orders/42?"+form+"=1", tenant, "")
		ask("https://"+form+".example/orders/42", tenant, "")
		ask("/orders/42", `,"x-tenant":["`+form+`"]`, "")
		ask("/orders/42", tenant+`,"x-request-id":["`+form+`"]`, "")
		ask("/orders/42", tenant+`,"user-agent":["curl `+form+`"]`, "")
		ask("/orders/42", tenant, `,"body":"access_token=`+form+`"`)
		ask("/orders/42", tenant, `,"source_ip":"`+form+`"`)
		ask("/orders/42", tenant, `},"context":{"jwt":"`+form+`","`+form+`":{"a":["x `+form+`"]}}`)
	}
	if text := ask("/orders/42?t="+tok, tenant+`,"x-request-id":["`+tok+`"]`, ""); !strings.Contains(text,
		`"allow":true`) {
		t.Errorf("a request is refused since it repeats its token: %s", text)
	}
	others := []string{"REFRESHS3CRET", "CLIENTS3CRET", "CODES3CRET", "IDS3CRET", "PWS3CRET", "APIS3CRET", "SIGS3CRET",
		"AMZS3CRET", "AMZTOKENS3CRET"}
	ask(fmt.Sprintf("/orders/42?refresh_token=%s&client_secret=%s&Code=%s&id_token=%s&password=%s&api-key=%s&sig=%s&X-Amz-Signature=%s&X-Amz-Security-Token=%s", toAny(others)...), tenant, "")
	ask("/orders/42", tenant+`,"user-agent":["\u001b[31mred\u0007\u009b31m\u202e"]`, "")
	if err := w.stopped(t); err != nil {
		t.Error(err)
	}
	file, err := os.ReadFile(w.cfg.DecisionLog.File)
	if err != nil {
		t.Fatal(err)
	}
	secrets := append(others, strings.ToLower(tok), strings.ToUpper(tok))
	for name, form := range forms {
		if name == "base64" {
			form = form[8:44] // what the token alone decides
		}
		secrets = append(secrets, form)
	}
	sought(t, map[string]string{"answers": said.String(), "logger": w.logger.String(),
		"standard output": w.stdout.String(), "decision log": string(file)}, secrets)
	if !strings.Contains(string(file), `"masked":["/input/request/query/Code"`) {
		t.Error("no event says what was masked in it")
	}
	for _, kept := range []string{`msg="policy prints"`, "msg=decision "} {
		if !strings.Contains(w.logger.String(), kept) {
			t.Errorf("the log has no %s", kept)
		}
	}
	if strings.ContainsAny(string(file), "\u009b\u202e\x1b") {
		t.Error("the decision log turns a terminal")
	}
}

// printing makes the policies print what they read before they decide; what print() writes is not masked, so that they
// leave out parameters.
func printing(t *testing.T, c *config.Config) {
	t.Helper()
	file := filepath.Join(c.Policies.Paths[0], "authz", "printing.rego")
	if err := os.WriteFile(file, []byte(`package authz

# METADATA
# entrypoint: true
printing := decision if {
	shown := {"headers": input.request.headers, "path": input.request.path, "segments": input.request.segments}
	print(shown, object.get(input.request, "body", ""), object.get(input, "context", {}), input.token)
}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Decision.Entrypoint = "authz/printing"
}

func toAny(texts []string) []any {
	out := make([]any, len(texts))
	for i, s := range texts {
		out[i] = s
	}
	return out
}
