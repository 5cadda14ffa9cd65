package input_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

const repeated = "s3cr3t-token_with.41characters~and+more"

func TestTheTokenIsInNoMemberOfTheDocument(t *testing.T) {
	rules := input.NewRules(input.Config{Headers: []string{"x-tenant", "x-request-id", "user-agent"}, BodyBytes: 1000})
	b64 := base64.StdEncoding.EncodeToString([]byte("x:" + repeated))
	for name, form := range map[string]string{"plain": repeated, "percent-encoded": url.QueryEscape(repeated),
		"base64": b64, "base64, percent-encoded": url.QueryEscape(b64)} {
		inContext, _ := json.Marshal(map[string]any{"a": []any{form, map[string]any{form: 1}}})
		body := "access_token=" + form
		for place, q := range map[string]authz.Query{
			"path":         {Request: authz.Request{URL: "/orders/" + form + "/x"}},
			"last segment": {Request: authz.Request{URL: "/orders/x" + form}},
			"query":        {Request: authz.Request{URL: "/orders?t=" + form + "&t=1"}},
			"query name":   {Request: authz.Request{URL: "/orders?" + form + "=1&b=2"}},
			"header": {Request: authz.Request{URL: "/orders",
				Headers: map[string][]string{"x-request-id": {"1", form}}}},
			"in a header": {Request: authz.Request{URL: "/orders",
				Headers: map[string][]string{"user-agent": {"curl " + form}}}},
			"body":          {Request: authz.Request{URL: "/orders", Body: body, HasBody: true}},
			"context":       {Request: authz.Request{URL: "/orders"}, Context: inContext},
			"raw path, too": {Request: authz.Request{URL: "/" + form}},
			"subject": {Request: authz.Request{URL: "/"},
				Subject: &authz.Entity{Type: "user", ID: form, Properties: inContext}},
			"action": {Request: authz.Request{URL: "/"},
				Action: &authz.Action{Name: form, Properties: inContext}},
			"resource": {Request: authz.Request{URL: "/"},
				Resource: &authz.Entity{Type: form, ID: "1", Properties: inContext}},
		} {
			q.Request.Method = "GET"
			if strings.Contains(form, "/") && strings.Contains(place, "path") || strings.Contains(form, "/") &&
				place == "last segment" {
				continue
			}
			asked, err := rules.Query(&q)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, place, err)
			}
			before, _ := json.Marshal(asked)
			got, err := asked.WithoutToken(secret.NewHider(secret.New(repeated)))
			if err != nil {
				t.Fatalf("%s, %s: %v", name, place, err)
			}
			doc := input.Anonymous(got)
			text, err := doc.AppendJSON(nil)
			if err != nil {
				t.Fatal(err)
			}
			if secret.NewHider(secret.New(repeated)).In(string(text)) ||
				!strings.Contains(string(text), secret.Redacted) {
				t.Errorf("%s, %s: %s", name, place, text)
			}
			if r := got.Request; len(r.Segments) != len(asked.Request.Segments) ||
				r.Path != "/"+strings.Join(r.Segments, "/") {
				t.Errorf("%s, %s: path %q of %q", name, place, r.Path, r.Segments)
			}
			if after, _ := json.Marshal(asked); string(after) != string(before) {
				t.Errorf("%s, %s: the query was changed: %s", name, place, after)
			}
		}
	}
}

func TestATokenWhereNoTextCanStandForItIsMalformed(t *testing.T) {
	const tok = "s3cr3t/tok.with-a-slash"
	for name, q := range map[string]authz.Query{
		"across a slash": {Request: authz.Request{Method: "GET", URL: "/a/s3cr3t/tok.with-a-slash"}},
		"as the host": {Request: authz.Request{Method: "GET", URL: "https://x.s3cr3t-token.example/"},
			Token: secret.New("S3CR3T-token")},
		"as the method": {Request: authz.Request{Method: "s3cr3t-token", URL: "/"},
			Token: secret.New("s3cr3t-token")},
		"twice in the context": {Request: authz.Request{Method: "GET", URL: "/"},
			Context: []byte(`{"` + tok + `":1,"s3cr3t%2Ftok.with-a-slash":2}`)},
	} {
		asked, err := strict().Query(&q)
		if err != nil {
			t.Fatal(err)
		}
		if q.Token.Empty() {
			q.Token = secret.New(tok)
		}
		if _, err := asked.WithoutToken(secret.NewHider(q.Token)); authz.KindOf(err) != authz.Malformed ||
			strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: got %v, want malformed", name, err)
		}
	}
}

func TestARequestWithoutItsTokenElsewhereStaysAsItIs(t *testing.T) {
	asked, err := strict().Query(&authz.Query{
		Request: authz.Request{
			Method: "GET", URL: "https://api.example/orders/42?a=b%2Fc",
			Headers: map[string][]string{"x-tenant": {"acme"}, "user-agent": {"curl/8"}},
		},
		Resource: &authz.Entity{Type: "order", ID: "42", Properties: []byte(`{"status":"open"}`)},
		Context:  []byte(`{"a":[1.50,"x"]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	before, _ := input.Anonymous(asked).AppendJSON(nil)
	for _, tok := range []string{repeated, "abc", "4"} {
		got, err := asked.WithoutToken(secret.NewHider(secret.New(tok)))
		after, _ := input.Anonymous(got).AppendJSON(nil)
		if err != nil || string(after) != string(before) {
			t.Errorf("%s: %s becomes %s, %v", tok, before, after, err)
		}
	}
}
