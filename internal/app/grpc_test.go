package app

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/authz-sidecar/sidecar/internal/config"
)

// checkedByEnvoy is a request, and what Envoy asked about it.
type checkedByEnvoy struct {
	Case        string
	Sent        string
	SentHeaders []string `json:"sent_headers"`
	HTTP        json.RawMessage
}

func recordedChecks(t *testing.T) []checkedByEnvoy {
	t.Helper()
	text, err := os.ReadFile("../door/extauthz/testdata/envoy-1.40/checks.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []checkedByEnvoy
	if err := json.Unmarshal(text, &all); err != nil || len(all) < 50 {
		t.Fatal(len(all), err)
	}
	return all
}

// envoy is a client of the grpc listener.
func (w *world) envoy(t *testing.T) authv3.AuthorizationClient {
	t.Helper()
	conn, err := grpc.NewClient(w.app.Addr("grpc").String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return authv3.NewAuthorizationClient(conn)
}

// native asks the api listener about the request that a client sent to Envoy.
func (c checkedByEnvoy) native(t *testing.T, w *world, token string) answer {
	t.Helper()
	method, target, _ := strings.Cut(c.Sent, " ")
	if strings.HasPrefix(target, "/") {
		target = "http://app.example.test" + target
	}
	headers := map[string][]string{"X-Tenant": {"acme"}}
	if c.SentHeaders == nil {
		c.SentHeaders = []string{"Authorization: Bearer good-token"}
	}
	for _, h := range c.SentHeaders {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" && !strings.HasPrefix(c.Case, "absolute") {
			target = strings.Replace(target, "app.example.test", value, 1)
		}
		headers[name] = append(headers[name], strings.ReplaceAll(value, "good-token", token))
	}
	// Envoy takes away what Connection names, from the application too: that request is the one to compare with.
	for _, value := range headers["Connection"] {
		for option := range strings.SplitSeq(value, ", ") {
			delete(headers, headerOf(strings.ToLower(option)))
		}
	}
	delete(headers, "Connection")
	body, err := json.Marshal(map[string]any{"request": map[string]any{"method": method, "url": target,
		"headers": headers}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := w.send(t.Context(), "POST", w.api+"/v1/decisions", string(body))
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return a
}

// TestEveryRequestThatEnvoyWasSeenToCheckIsDecidedAsByTheNativeAPI: what Envoy makes of a request on its way to the
// sidecar turns no decision into another.
func TestEveryRequestThatEnvoyWasSeenToCheckIsDecidedAsByTheNativeAPI(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *config.Config) { c.Listen.GRPC.Address = "127.0.0.1:0" })
	token, envoy := w.token(t, good()), w.envoy(t)
	allowed := 0
	for _, c := range recordedChecks(t) {
		in := &authv3.AttributeContext_HttpRequest{}
		if err := protojson.Unmarshal(c.HTTP, in); err != nil {
			t.Fatalf("%s: %v", c.Case, err)
		}
		asTenant(in, token)
		out, err := envoy.Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Request: &authv3.AttributeContext_Request{Http: in}}})
		if err != nil {
			t.Fatalf("%s: %v", c.Case, err)
		}
		want := c.native(t, w, token)
		got, status := out.GetStatus().GetCode() == 0, int(out.GetDeniedResponse().GetStatus().GetCode())
		if got != want.Allow || !got && status != want.Status {
			t.Errorf("%s: Envoy is told %v, %d; an application %v, %d", c.Case, got, status, want.Allow, want.Status)
		}
		if got {
			allowed++
		}
		for _, h := range out.GetOkResponse().GetHeaders() {
			name := h.GetHeader().GetKey()
			if v := want.UpstreamHeaders[headerOf(name)]; fmt.Sprint(v) != fmt.Sprint(
				[]string{h.GetHeader().GetValue()}) {
				t.Errorf("%s: the upstream gets %s: %s, want %q", c.Case, name, h.GetHeader().GetValue(), v)
			}
		}
	}
	if allowed < 4 {
		t.Errorf("%d cases are allowed", allowed)
	}
}

// asTenant gives a recorded check a token that is good now, and the tenant that the shipped policy asks for.
func asTenant(in *authv3.AttributeContext_HttpRequest, token string) {
	for name, value := range in.GetHeaders() {
		in.Headers[name] = strings.ReplaceAll(value, "good-token", token)
	}
	for _, h := range in.GetHeaderMap().GetHeaders() {
		h.RawValue = []byte(strings.ReplaceAll(string(h.GetRawValue()), "good-token", token))
	}
	if in.GetHeaderMap() == nil {
		in.Headers["x-tenant"] = "acme"
		return
	}
	in.HeaderMap.Headers = append(in.HeaderMap.Headers, &corev3.HeaderValue{Key: "x-tenant", RawValue: []byte("acme")})
}

// headerOf is a name as the shipped policies write it.
func headerOf(lower string) string {
	words := strings.Split(lower, "-")
	for i, word := range words {
		words[i] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "-")
}
