package app

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/testkit"
	"github.com/authz-sidecar/sidecar/internal/testkit/authserver"
)

// TestNoCredentialLeavesTheProcess runs everything that can go right and wrong with tokens that are known, and then
// looks for them in all that the sidecar says: log, decision log, metrics, status, traces and answers.
func TestNoCredentialLeavesTheProcess(t *testing.T) {
	t.Parallel()
	traces := &testkit.LogBuffer{}
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = traces.Write(b)
	}))
	defer collector.Close()
	w := start(t, func(c *config.Config) {
		c.Telemetry.Traces.Endpoint, c.DecisionLog.Stdout = collector.URL, true
		c.Issuers[0].Cache.NegativeTTL = 0
		c.Listen.API.BearerKeysFile = testkit.TempFile(t, "keys", callerKey+"\n")
		printing(t, c)
	})
	said := &testkit.LogBuffer{}
	secrets := w.commotion(t, said)
	_, _ = fmt.Fprint(said, w.get(t, "/v1/status"), w.get(t, "/metrics"))
	if err := w.stopped(t); err != nil {
		t.Error(err)
	}
	file, err := os.ReadFile(w.cfg.DecisionLog.File)
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]string{
		"answers, status and metrics": said.String(), "logger": w.logger.String(),
		"standard output": w.stdout.String(),
		"decision log":    string(file), "traces": traces.String(),
	}
	sought(t, places, secrets)
	if n := strings.Count(string(file), "\n"); n != strings.Count(w.stdout.String(), "\n") || n < 20 {
		t.Errorf("%d events in the file, %d on standard output", n, strings.Count(w.stdout.String(), "\n"))
	}
}

// commotion asks everything there is to ask, writes all answers to said, and returns every credential that took part.
func (w *world) commotion(t *testing.T, said io.Writer) []string {
	t.Helper()
	tok, revoked := w.token(t, good()), w.token(t, good())
	w.issuer.Revoke(revoked)
	bound := good()
	bound.Claims = map[string]any{"cnf": map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}
	tokens := []string{tok, revoked, w.token(t, bound), "unheard-of-token-77aa",
		w.token(t, devissuer.Grant{ClientID: "web", Subject: "a", Audience: []string{"x"},
			TokenFormat: devissuer.JWT})}

	send := func(url, body, key string) {
		r, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + key}}
		resp, err := w.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		_, _ = fmt.Fprintln(said, resp.Status, resp.Header, string(b))
	}
	ask := func(path, body, key string) {
		send(w.api+path, body, key)
		if path == "/v1/decisions" {
			send(w.admin+"/v1/explain", body, key)
		}
	}
	everything := func() {
		for _, tok := range tokens {
			ask("/v1/decisions", call(tok), callerKey)
			ask("/v1/decisions", `{"request":{"method":"GET","url":"https://api.example/orders/42?access_token=`+tok+
				`"}}`, callerKey)
			ask("/v1/decisions", strings.Replace(call(tok), `"authorization":["`,
				`"authorization":["Bearer `+tok+`","`, 1), callerKey)
			ask("/v1/decisions", strings.Replace(call(tok), `"x-tenant"`,
				`"cookie":["s=`+tok+`"],"dpop":["`+tok+`"],"x-tenant"`, 1), callerKey)
			ask("/v1/decisions", strings.Replace(call(""), `{"request"`, `{"token":"`+tok+` `+tok+`","request"`, 1),
				callerKey)
			ask("/v1/decisions/batch", `{"items":[`+call(tok)+`,`+call(tok+" "+tok)+`]}`, callerKey)
			ask("/v1/decisions", `{"token":["`+tok+`"]}`, callerKey)
			ask("/v1/decisions", call(tok)+tok, callerKey)
			ask("/v1/decisions", call(tok), tok)
		}
	}
	everything()
	for _, f := range []*devissuer.Fault{
		authserver.Answer(401, "", `{"error":"`+tok+`"}`), authserver.Answer(500, "", tok),
		authserver.Answer(200, "", `{"active":true,"exp":"`+tok+`"}`), authserver.Answer(200, tok, tok),
		{Then: devissuer.Answer, Status: 302, Header: http.Header{"Location": {w.issuer.Issuer() + "/?token=" + tok}}},
	} {
		w.fault(f)
		everything()
	}
	w.issuer.SetFault(nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = w.try(ctx, tok)
	basic := base64.StdEncoding.EncodeToString([]byte("sidecar:" + clientSecret))
	return slices.Concat(tokens, []string{clientSecret, basic, callerKey})
}
