package native_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door/native"
)

func TestACallErrorSaysWhatIsWanted(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	for name, c := range map[string]struct{ path, body, want string }{
		"a header is text": {"",
			`{"request":{"method":"GET","url":"/","headers":{"Authorization":"Bearer x"}}}`,
			"want an array of strings"},
		"a value is a number": {"", `{"request":{"method":"GET","url":"/","headers":{"a":[1]}}}`,
			"want a string"},
		"headers are an array":   {"", `{"request":{"method":"GET","url":"/","headers":[]}}`, "want an object"},
		"the method is a number": {"", `{"request":{"method":1,"url":"/"}}`, "want a string"},
		"the body is an object":  {"", `{"request":{"method":"GET","url":"/","body":{}}}`, "want a string"},
		"the request is text":    {"", `{"request":"GET /"}`, "want an object"},
		"the call is an array":   {"", `[]`, "want an object"},
		"items are an object":    {"/batch", `{"items":{}}`, "want an array of objects"},
		"a name in another case": {"", `{"request":{"method":"GET","url":"/","sourceIP":"::1"}}`,
			`did you mean "source_ip"?`},
		"a misspelt name":            {"", `{"reqest":{}}`, `did you mean "request"?`},
		"a misspelt name of a batch": {"/batch", `{"item":[]}`, `did you mean "items"?`},
		"a name that nothing is like": {"", `{"request":{"method":"GET","url":"/","authorization":"x"}}`,
			"there are method, url, headers, source_ip, client_certificate, body"},
	} {
		resp, body := s.post(t, "/v1/decisions"+c.path, c.body)
		if got := decode[struct{ Error struct{ Message string } }](t,
			body); resp.StatusCode != http.StatusBadRequest || !strings.Contains(got.Error.Message, c.want) {
			t.Errorf("%s: answered %d %s, want %q", name, resp.StatusCode, body, c.want)
		}
	}
	if resp, body := s.do(t, "POST", "/v1/decision", "{}", nil); resp.StatusCode != 404 ||
		!strings.Contains(body, "/v1/decisions, /v1/decisions/*, /v1/decisions/batch") {
		t.Errorf("answered %d %s", resp.StatusCode, body)
	}
	for path, want := range map[string]string{"authz/unheard_of": `authz/unheard_of`,
		"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln": "this path", rawToken + "x" + rawToken: "this path"} {
		if _, body := s.post(t, "/v1/decisions/"+path, "{}"); !strings.Contains(body, want) || want == "this path" &&
			strings.Contains(body, path) {
			t.Errorf("%s: answered %s", path, body)
		}
	}
}
