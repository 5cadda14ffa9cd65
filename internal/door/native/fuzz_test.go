package native_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/native"
)

// FuzzParseCall: whatever is accepted is a question, says the same when written again, and is decided the same each
// time; whatever is not is an error that does not quote the call.
func FuzzParseCall(f *testing.F) {
	for _, seed := range []string{
		`{"request":{"method":"GET","url":"https://api.example/orders/42?x=1","headers":{"authorization":["Bearer abc"],"X-Tenant":["a"]}}}`,
		`{"request":{"method":"GET","url":"/","headers":{"A":["1"],"a":["2"]},"source_ip":"::1","body":""},"token":"a","context":{"a":1.50}}`,
		`{"request":{"method":"GET","url":"/a/%2e%2e"},"context":null}`,
		`{"request":null}`, `{"token":1}`, `[`, "",
	} {
		f.Add([]byte(seed))
	}
	p := newPoint(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := native.ParseCall(body)
		if err != nil {
			if len(body) > 40 && strings.Contains(err.Error(), string(body)) {
				t.Errorf("the error quotes the call: %v", err)
			}
			return
		}
		if q.Request.Method == "" || q.Request.URL == "" {
			t.Fatal("a question without method or URL")
		}
		again, err := native.ParseCall(rewritten(t, q))
		if err != nil {
			t.Fatalf("accepted once, and refused when written again: %v", err)
		}
		if !reflect.DeepEqual(again.Request, q.Request) || again.Token.Reveal() != q.Token.Reveal() {
			t.Fatal("says something else when written again")
		}
		first, second := p.Decide(t.Context(), q), p.Decide(t.Context(), again)
		if !json.Valid(native.AppendDecision(nil, first)) {
			t.Fatal("the answer is not JSON")
		}
		first.ID, second.ID = "", ""
		if a, b := native.AppendDecision(nil, first), native.AppendDecision(nil, second); string(a) != string(b) {
			t.Fatalf("decided %s, then %s", a, b)
		}
	})
}

// rewritten is the body that asks q.
func rewritten(t *testing.T, q authz.Query) []byte {
	t.Helper()
	request := map[string]any{
		"method": q.Request.Method, "url": q.Request.URL, "headers": q.Request.Headers,
		"source_ip": q.Request.SourceIP, "client_certificate": q.Request.ClientCertificate,
	}
	if q.Request.HasBody {
		request["body"] = q.Request.Body
	}
	call := map[string]any{"request": request}
	if !q.Token.Empty() {
		call["token"] = q.Token.Reveal()
	}
	if q.Context != nil {
		call["context"] = json.RawMessage(q.Context)
	}
	b, err := json.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
