package native_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/native"
)

func TestDecisionHasEveryMember(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	resp, body := s.post(t, "/v1/decisions/authz/no", `{"request":{"method":"GET","url":"/a"}}`)
	var members map[string]any
	if err := json.Unmarshal([]byte(body), &members); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	for _, name := range []string{"decision_id", "allow", "kind", "status", "reasons", "headers", "upstream_headers",
		"context", "policy"} {
		if v, ok := members[name]; !ok || v == nil {
			t.Errorf("%s is %v", name, v)
		}
	}
	if len(members) != 9 {
		t.Errorf("%d members: %s", len(members), body)
	}
	if got := resp.Header.Get("Content-Length"); got != strconv.Itoa(len(body)) {
		t.Errorf("Content-Length %q of %d bytes", got, len(body))
	}
	if ct, cc := resp.Header.Get("Content-Type"), resp.Header.Get("Cache-Control"); ct != "application/json" ||
		cc != "no-store" {
		t.Errorf("Content-Type %q, Cache-Control %q", ct, cc)
	}
	got := decode[answer](t, body)
	if got.Allow || got.Kind != "deny" || got.Status != 401 || got.Policy.Path != "authz/no" ||
		!strings.HasPrefix(got.Policy.Digest, "sha256:") {
		t.Errorf("answered %s", body)
	}
	if got.Reasons[0]["code"] != "never" || got.Reasons[0]["message"] != `say "please"` {
		t.Errorf("reasons %v", got.Reasons)
	}
	if !slices.Equal(got.Headers["X-B"], []string{"1", "2"}) ||
		got.Headers["WWW-Authenticate"][0] != `Bearer realm="acme"` || len(got.Upstream) != 0 {
		t.Errorf("headers %v, upstream %v", got.Headers, got.Upstream)
	}
}

func TestThePolicySeesTheWholeCall(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	got := s.decided(t, "/v1/decisions",
		`{"request":{"method":"POST","url":"https://api.example/orders?x=1","headers":{"X-Tenant":["acme"],"authorization":["Bearer abc"]},"source_ip":"10.1.2.3","body":""},"context":{"a":{"b":[1]}}}`)
	if !got.Allow || got.Status != 200 || got.Context.Request.Method != "POST" ||
		got.Context.Request.Path != "/orders" || !got.Context.Present {
		t.Errorf("answered %+v", got)
	}
	if !slices.Equal(got.Context.Request.Headers["x-tenant"], []string{"acme"}) || got.Context.Request.Body == nil {
		t.Errorf("the policy saw the request %+v", got.Context.Request)
	}
	if b, _ := json.Marshal(got.Context.Context); string(b) != `{"a":{"b":[1]}}` {
		t.Errorf("the policy saw the context %s", b)
	}
}

func TestTokenBesideTheRequest(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	if got :=
		s.decided(t, "/v1/decisions", `{"request":{"method":"GET","url":"/"},"token":"abc"}`); !got.Context.Present {
		t.Errorf("answered %+v", got)
	}
}

func TestBR2_CredentialsBehindTwoSpellingsAreTwo(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	for name, headers := range map[string]string{
		"two spellings":    `{"Authorization":["Bearer a"],"authorization":["Bearer b"]}`,
		"three spellings":  `{"AUTHORIZATION":["Bearer a"],"Authorization":["Bearer a"],"authorization":[]}`,
		"two of one":       `{"authorization":["Bearer a","Bearer a"]}`,
		"none besides one": `{"authorization":[""],"Authorization":["Bearer a"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			got := s.decided(t, "/v1/decisions", `{"request":{"method":"GET","url":"/","headers":`+headers+`}}`)
			if got.Kind != "malformed" || got.Status != 400 {
				t.Errorf("answered %+v", got)
			}
		})
	}
}

func TestHeadersOfTwoSpellingsAreJoinedInOneOrder(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	for range 20 {
		got := s.decided(t, "/v1/decisions",
			`{"request":{"method":"GET","url":"/","headers":{"x-b":["3"],"X-B":["1"],"X-b":["2"]}}}`)
		if v := got.Context.Request.Headers["x-b"]; !slices.Equal(v, []string{"1", "2", "3"}) {
			t.Fatalf("the policy saw %q", v)
		}
	}
}

func TestBatchDefaultsAreReplacedWhole(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	resp, body := s.post(t, "/v1/decisions/batch", `{
		"request": {"method": "GET", "url": "/default", "headers": {"x-tenant": ["acme"]}},
		"token": "abc",
		"context": {"default": true},
		"items": [
			{},
			{"request": {"method": "PUT", "url": "/own"}},
			{"context": {"own": true}, "token": null},
			{"token": "Bearer is not part of a token"},
			{"request": null, "context": null}
		]}`)
	if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s: %s", resp.Status, body)
	}
	items := decode[struct {
		Items []answer `json:"items"`
	}](t, body).Items
	if len(items) != 5 {
		t.Fatalf("%d answers", len(items))
	}
	if r := items[0].Context; r.Request.Path != "/default" || r.Request.Headers["x-tenant"] == nil ||
		r.Context["default"] != true || !r.Present {
		t.Errorf("all defaults: %+v", items[0])
	}
	if r := items[1].Context; r.Request.Path != "/own" || r.Request.Method != "PUT" ||
		r.Request.Headers["x-tenant"] != nil {
		t.Errorf("own request: %+v", items[1])
	}
	if r := items[2].Context; r.Context["own"] != true || r.Context["default"] != nil || !r.Present {
		t.Errorf("own context: %+v", items[2])
	}
	if items[3].Kind != "malformed" {
		t.Errorf("own token: %+v", items[3])
	}
	if r := items[4].Context; r.Request.Path != "/default" || r.Context["default"] != true {
		t.Errorf("null is what was left out: %+v", items[4])
	}
	seen := map[string]bool{}
	for _, i := range items {
		if seen[i.DecisionID] {
			t.Error("two decisions have one id")
		}
		seen[i.DecisionID] = true
	}
}

func TestAppendDecisionOfAnyText(t *testing.T) {
	b := native.AppendDecision(nil, authz.Decision{
		ID: "a\"b", Kind: authz.Allow, Status: 200, Reasons: []authz.Reason{{Code: "\xff"},
			{Code: "b", Message: "\n"}},
		UpstreamHeaders: []authz.Header{{Name: "A", Values: []string{"1", "2"}}, {Name: "B"}},
	})
	got := decode[answer](t, string(b))
	if !got.Allow || got.Kind != "allow" || got.DecisionID != `a"b` || len(got.Reasons) != 2 ||
		len(got.Upstream["A"]) != 2 {
		t.Errorf("wrote %s", b)
	}
}

// TestZeroDecisionIsNoAllow: the zero Decision must stay a refusal on its way out.
func TestZeroDecisionIsNoAllow(t *testing.T) {
	if got := decode[answer](t, string(native.AppendDecision(nil, authz.Decision{}))); got.Allow ||
		got.Kind != "internal" {
		t.Errorf("wrote %+v", got)
	}
}

func TestAnswersAndBodiesLargerThanAKeptBufferAreServed(t *testing.T) {
	cfg := listener()
	cfg.Limits.BodyBytes = 1 << 20
	s := serve(t, cfg, native.Deps{})
	long := strings.Repeat("a", 200<<10)
	for range 2 {
		got := s.decided(t, "/v1/decisions", `{"request":{"method":"GET","url":"/"},"context":{"long":"`+long+`"}}`)
		if got.Context.Context["long"] != long {
			t.Error("the context came back changed")
		}
	}
	if resp, _ := s.do(t, http.MethodPost, "/v1/decisions", `{}`,
		http.Header{"Content-Type": {"application/json"}}); resp.StatusCode != 400 {
		t.Errorf("answered %s", resp.Status)
	}
}
