package app

import (
	"crypto/sha256"
	"net/url"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// check asks as Envoy does about GET https://api.example/orders/42, with headers given as names and values in turn. It
// returns the status that the client gets, 200 for what passes, and the body of a refusal.
func (w *world) check(
	t *testing.T, client authv3.AuthorizationClient, certificate string, headers ...string,
) (int, string) {
	t.Helper()
	fields := &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "x-tenant", RawValue: []byte("acme")}}}
	for i := 0; i < len(headers); i += 2 {
		fields.Headers = append(fields.Headers, &corev3.HeaderValue{Key: headers[i], RawValue: []byte(headers[i+1])})
	}
	out, err := client.Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Certificate: certificate},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Method: "GET",
			Scheme: "https", Host: "api.example", Path: "/orders/42", HeaderMap: fields}}}})
	if err != nil {
		t.Fatal(err)
	}
	if out.GetStatus() != nil && out.GetStatus().GetCode() == 0 && out.GetOkResponse() != nil {
		return 200, ""
	}
	return int(out.GetDeniedResponse().GetStatus().GetCode()), out.GetDeniedResponse().GetBody()
}

func TestAProofOfAClientPassesThroughEnvoyOnce(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *config.Config) { c.Listen.GRPC.Address = "127.0.0.1:0" })
	envoy, key := w.envoy(t), testkit.NewProofKey(t)
	tok := w.token(t, boundTo(key, good()))
	shown := prove(t, key, tok, nil)
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"the proof", []string{"authorization", "DPoP " + tok, "dpop", shown}, 200},
		{"the same again", []string{"authorization", "DPoP " + tok, "dpop", shown}, 401},
		{"none", []string{"authorization", "DPoP " + tok}, 401},
		{"two", []string{"authorization", "DPoP " + tok, "dpop", prove(t, key, tok, nil), "dpop",
			prove(t, key, tok, nil)}, 401},
		{"two, joined", []string{"authorization", "DPoP " + tok, "dpop", prove(t, key, tok, nil) + "," +
			prove(t, key, tok, nil)}, 401},
		{"one for another path", []string{"authorization", "DPoP " + tok, "dpop", prove(t, key, tok,
			map[string]any{"htu": "https://api.example/orders/43"})}, 401},
		{"as a bearer token", []string{"authorization", "Bearer " + tok}, 401},
	} {
		if got, body := w.check(t, envoy, "", c.headers...); got != c.status {
			t.Errorf("%s: got %d %s, want %d", c.name, got, body, c.status)
		}
	}
}

func TestTheCertificateOfAClientComesFromEnvoyAndFromNoHeader(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *config.Config) {
		c.Listen.GRPC.Address = "127.0.0.1:0"
		c.Proof.MTLS.From = "request"
	})
	authority := testkit.NewAuthority(t)
	own, other := authority.Client(t, "client"), authority.Client(t, "other")
	grant := good()
	digest := sha256.Sum256(own.Leaf.Raw)
	grant.Claims = map[string]any{"cnf": map[string]any{"x5t#S256": testkit.Base64URL(digest[:])}}
	envoy, bearer := w.envoy(t), "Bearer "+w.token(t, grant)
	encoded := func(c testkit.Certificate) string {
		return strings.ReplaceAll(url.QueryEscape(c.PEM()), "+", "%20")
	}
	if got, body := w.check(t, envoy, encoded(own), "authorization", bearer); got != 200 {
		t.Errorf("with its certificate: %d %s", got, body)
	}
	for name, certificate := range map[string]string{"none": "", "another": encoded(other)} {
		if got, _ := w.check(t, envoy, certificate, "authorization", bearer, "x-forwarded-client-cert",
			encoded(own), "client-cert", encoded(own)); got != 401 {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// TestAHeaderThatIsNotUTF8IsNoWayPastAPolicy: Envoy hands on the bytes that the client sent.
func TestAHeaderThatIsNotUTF8IsNoWayPastAPolicy(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *config.Config) {
		c.Listen.GRPC.Address = "127.0.0.1:0"
		c.Input.Headers = append(c.Input.Headers, "x-name")
	})
	envoy, bearer := w.envoy(t), "Bearer "+w.token(t, good())
	for name, want := range map[string]int{"x-name": 400, "x-unseen": 200} {
		if got, body := w.check(t, envoy, "", "authorization", bearer, name, "caf\xe9"); got != want {
			t.Errorf("%s: %d %s, want %d", name, got, body, want)
		}
	}
}
