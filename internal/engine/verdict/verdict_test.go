package verdict

import (
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

func TestVerdictReadsWhatAPolicyMayReturn(t *testing.T) {
	for name, c := range map[string]struct {
		result string
		want   authz.Verdict
	}{
		"true allows":          {`true`, authz.Verdict{Allow: true}},
		"false denies":         {`false`, authz.Verdict{}},
		"an object with allow": {`{"allow": true}`, authz.Verdict{Allow: true}},
		"a status":             {`{"allow": false, "status": 404}`, authz.Verdict{Status: 404}},
		"the lowest status":    {`{"allow": false, "status": 400}`, authz.Verdict{Status: 400}},
		"the highest status":   {`{"allow": false, "status": 499}`, authz.Verdict{Status: 499}},
		"reasons that are strings": {`{"allow": false, "reasons": ["no", "never"]}`,
			authz.Verdict{Reasons: []authz.Reason{{Code: "denied", Message: "no"},
				{Code: "denied", Message: "never"}}}},
		"a set of reasons, in its order": {
			`{"allow": false, "reasons": {{"code": "b"}, {"code": "a", "message": "m"}}}`,
			authz.Verdict{Reasons: []authz.Reason{{Code: "a", Message: "m"}, {Code: "b"}}}},
		"a reason that says more": {`{"allow": false, "reasons": [{"code": "a", "missing": {"x", "w"}}]}`,
			authz.Verdict{Reasons: []authz.Reason{{Code: "a", Object: []byte(`{"code":"a","missing":["w","x"]}`)}}}},
		"no reasons": {`{"allow": false, "reasons": []}`, authz.Verdict{}},
		"a challenge": {
			`{"allow": false, "challenge": {"error": "insufficient_scope", "error_description": "more", "scope": {"b", "a"}, "acr_values": ["gold"], "max_age": 0}}`,
			authz.Verdict{Challenge: &authz.Challenge{Error: "insufficient_scope", ErrorDescription: "more",
				Scope: []string{"a", "b"}, ACRValues: []string{"gold"}, HasMaxAge: true}}},
		"an empty challenge": {`{"allow": false, "challenge": {}}`, authz.Verdict{Challenge: &authz.Challenge{}}},
		"headers, sorted by name": {
			`{"allow": true, "upstream_headers": {"X-Tenant": "acme", "X-Roles": ["a", "b"]}, "response_headers": {"Retry-After": "3"}}`,
			authz.Verdict{Allow: true, UpstreamHeaders: []authz.Header{{Name: "X-Roles", Values: []string{"a", "b"}},
				{Name: "X-Tenant", Values: []string{"acme"}}},
				ResponseHeaders: []authz.Header{{Name: "Retry-After", Values: []string{"3"}}}}},
		"an unknown header value is sent empty": {
			`{"allow": true, "upstream_headers": {"X-Tenant": "", "X-Roles": []}}`,
			authz.Verdict{Allow: true, UpstreamHeaders: []authz.Header{{Name: "X-Roles", Values: []string{""}},
				{Name: "X-Tenant", Values: []string{""}}}}},
		"no headers": {`{"allow": true, "upstream_headers": {}}`, authz.Verdict{Allow: true}},
		"obligations": {`{"allow": true, "obligations": [{"id": "log"}]}`,
			authz.Verdict{Allow: true, Obligations: []byte(`[{"id":"log"}]`)}},
		"no obligations": {`{"allow": true, "obligations": [], "context": {"obligations": [1]}}`,
			authz.Verdict{Allow: true, Context: []byte(`{"obligations":[1]}`)}},
		"a context": {`{"allow": true, "context": {"a": [1, null, {"b": 1.50}], "c": {2, 1}}}`,
			authz.Verdict{Allow: true, Context: []byte(`{"a":[1,null,{"b":1.50}],"c":[1,2]}`)}},
		"an empty context": {`{"allow": true, "context": {}}`, authz.Verdict{Allow: true}},
		"keys of other type": {`{"allow": true, "context": {1: "a", [true]: "b"}}`,
			authz.Verdict{Allow: true, Context: []byte(`{"1":"a","[true]":"b"}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read(ast.MustParseTerm(c.result).Value)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, c.want) {
				t.Errorf("got  %+v\nwant %+v", *got, c.want)
			}
		})
	}
}

// wrongVerdicts are results that are no decisions, and what the error says.
var wrongVerdicts = map[string]struct{ result, want string }{
	"a string":        {`"allow"`, "it is a string, want a boolean or an object with allow"},
	"null":            {`null`, "it is a null"},
	"an array":        {`[true]`, "it is an array"},
	"a set":           {`{true}`, "it is a set"},
	"a number":        {`1`, "it is a number"},
	"an empty object": {`{}`, "allow is missing"},
	"no allow":        {`{"reasons": ["no"]}`, "allow is missing"},
	"an unknown member": {`{"allow": true, "alow": true}`,
		`unknown member "alow", want allow, reasons,`},
	"a member that is no name": {`{"allow": true, 1: true}`, "the name of a member is a number"},
	"allow as a string":        {`{"allow": "true"}`, "allow: is a string, want a boolean"},
	"allow as a number":        {`{"allow": 1}`, "allow: is a number, want a boolean"},
	"allow as null":            {`{"allow": null}`, "allow: is a null, want a boolean"},
	"reasons as a string": {`{"allow": false, "reasons": "no"}`,
		"reasons: is a string, want an array or a set"},
	"a reason without code": {`{"allow": false, "reasons": [{"message": "no"}]}`,
		"reasons: a reason has no code"},
	"a reason with an empty code": {`{"allow": false, "reasons": [{"code": ""}]}`,
		"reasons: a reason has no code"},
	"a code that is a number": {`{"allow": false, "reasons": [{"code": 1}]}`,
		"reasons: the code of a reason is a number, want a string"},
	"a message that is null": {`{"allow": false, "reasons": [{"code": "a", "message": null}]}`,
		"reasons: the message of a reason is a null, want a string"},
	"a reason that is a number": {`{"allow": false, "reasons": [1]}`,
		"reasons: a reason is a number, want a string or an object with code"},
	"a challenge as a string": {`{"allow": false, "challenge": "no"}`,
		"challenge: is a string, want an object"},
	"an unknown challenge member": {`{"allow": false, "challenge": {"realm": "x"}}`,
		`challenge: unknown member "realm", want error,`},
	"a quote in a challenge": {`{"allow": false, "challenge": {"error": "a\"b"}}`,
		"challenge: error: has a character"},
	"an error that is a number": {`{"allow": false, "challenge": {"error": 1}}`,
		"challenge: error: is a number"},
	"a scope with a space": {`{"allow": false, "challenge": {"scope": ["a b"]}}`,
		"challenge: scope: has an element that is not one word"},
	"an empty scope": {`{"allow": false, "challenge": {"scope": [""]}}`,
		"challenge: scope: has an element that is not one word"},
	"a scope as a string": {`{"allow": false, "challenge": {"scope": "a"}}`,
		"challenge: scope: is a string, want an array or a set"},
	"acr_values of numbers": {`{"allow": false, "challenge": {"acr_values": [1]}}`,
		"challenge: acr_values: is a number, want a string"},
	"a negative max_age": {`{"allow": false, "challenge": {"max_age": -1}}`,
		"challenge: max_age: is negative"},
	"a broken max_age": {`{"allow": false, "challenge": {"max_age": 1.5}}`,
		"challenge: max_age: is not an integer"},
	"a status too low":     {`{"allow": false, "status": 399}`, "status: is not between 400 and 499"},
	"a status too high":    {`{"allow": false, "status": 500}`, "status: is not between 400 and 499"},
	"a status as a string": {`{"allow": false, "status": "403"}`, "status: is a string, want an integer"},
	"headers as an array": {`{"allow": true, "upstream_headers": ["X: 1"]}`,
		"upstream_headers: is an array, want an object"},
	"a header name with a space": {`{"allow": true, "upstream_headers": {"X Y": "1"}}`,
		`upstream_headers: "X Y" is not a header name`},
	"a header name with a colon": {`{"allow": true, "upstream_headers": {"X:": "1"}}`,
		`upstream_headers: "X:" is not a header name`},
	"a header name with a newline": {`{"allow": true, "response_headers": {"X\r\nY": "1"}}`,
		`is not a header name`},
	"an empty header name":      {`{"allow": true, "response_headers": {"": "1"}}`, `"" is not a header name`},
	"a header name of a number": {`{"allow": true, "response_headers": {1: "1"}}`, "is not a header name"},
	"a header in two spellings": {`{"allow": true, "upstream_headers": {"X-A": "1", "x-a": "2"}}`,
		`upstream_headers: "x-a" is set twice`},
	"header injection": {`{"allow": true, "upstream_headers": {"X": "1\r\nEvil: 1"}}`,
		`upstream_headers: "X": the value has a control character`},
	"a NUL in a header": {`{"allow": true, "response_headers": {"X": ["ok", "\u0000"]}}`,
		`response_headers: "X": the value has a control character`},
	"a DEL in a header": {`{"allow": true, "response_headers": {"X": "\u007f"}}`,
		`response_headers: "X": the value has a control character`},
	"a header value of a number": {`{"allow": true, "upstream_headers": {"X": 1}}`,
		`upstream_headers: "X": want a string or an array of strings: is a number`},
	"a header value of null": {`{"allow": true, "upstream_headers": {"X": [null]}}`,
		`upstream_headers: "X": want a string or an array of strings: is a null`},
	"obligations as an object": {`{"allow": true, "obligations": {}}`,
		"obligations: is an object, want an array or a set"},
	"an obligation as a string": {`{"allow": true, "obligations": ["log"]}`,
		"obligations: an obligation is a string, want an object"},
	"obligations twice": {`{"allow": true, "obligations": [{"id": "a"}], "context": {"obligations": []}}`,
		"obligations: the context has some too"},
	"a context as an array": {`{"allow": true, "context": []}`, "context: is an array, want an object"},
	"a context with 1 and \"1\"": {`{"allow": true, "context": {1: "a", "1": "b"}}`,
		"context: write JSON: two members of an object have one name"},
	"a reason with 1 and \"1\"": {`{"allow": false, "reasons": [{"code": "a", 1: "a", "1": "b"}]}`,
		"reasons: write JSON: two members"},
}

func TestVerdictRefusesWhatItDoesNotKnow(t *testing.T) {
	for name, c := range wrongVerdicts {
		t.Run(name, func(t *testing.T) {
			got, err := Read(ast.MustParseTerm(c.result).Value)
			if err == nil {
				t.Fatalf("got %+v", got)
			}
			if got != nil {
				t.Errorf("%+v beside an error", got)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not say %q", err, c.want)
			}
		})
	}
}

func TestVerdictRefusesFramingHeaders(t *testing.T) {
	for _, name := range []string{"Content-Length", "transfer-encoding", "Connection", "HOST", "Upgrade", "TE",
		"Trailer", "Keep-Alive", "Proxy-Connection", "WWW-Authenticate"} {
		for _, member := range []string{"upstream_headers", "response_headers"} {
			result := ast.NewObject(ast.Item(ast.StringTerm("allow"), ast.BooleanTerm(true)),
				ast.Item(ast.StringTerm(member), ast.ObjectTerm(ast.Item(ast.StringTerm(name), ast.StringTerm("1")))))
			if v, err := Read(result); err == nil {
				t.Errorf("%s took %s: %+v", member, name, v)
			}
		}
	}
}

// TestVerdictRefusesTextThatIsNotUTF8 covers what a policy can make with base64.decode and what no JSON can carry.
func TestVerdictRefusesTextThatIsNotUTF8(t *testing.T) {
	bad := ast.StringTerm("a\xff")
	for member, value := range map[string]*ast.Term{
		"reasons":          ast.ArrayTerm(bad),
		"upstream_headers": ast.ObjectTerm(ast.Item(ast.StringTerm("X"), bad)),
		"context":          ast.ObjectTerm(ast.Item(ast.StringTerm("x"), bad)),
		"obligations":      ast.ArrayTerm(ast.ObjectTerm(ast.Item(ast.StringTerm("x"), bad))),
		"challenge":        ast.ObjectTerm(ast.Item(ast.StringTerm("error_description"), bad)),
	} {
		if v, err := Read(ast.NewObject(ast.Item(ast.StringTerm("allow"), ast.BooleanTerm(true)),
			ast.Item(ast.StringTerm(member), value))); err == nil {
			t.Errorf("%s was taken: %+v", member, v)
		}
	}
}

func FuzzVerdictAllowsOnlyWhenToldTo(f *testing.F) {
	for _, seed := range []string{
		`true`, `false`, `{"allow":true}`, `{"allow":"true"}`, `[true]`,
		`{"allow":true,"reasons":["x",{"code":"c","message":"m","x":1}]}`,
		`{"allow":false,"status":404,"challenge":{"error":"e","scope":["a"],"max_age":1}}`,
		`{"allow":true,"upstream_headers":{"X":["a","b"]}}`,
		`{"allow":true,"obligations":[{"id":"a"}],"context":{"a":{}}}`, `{"allow":1e0}`, `{"Allow":true}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		parsed, err := term.ParseJSON(b)
		if err != nil {
			return
		}
		v, err := Read(parsed.Value)
		if err != nil {
			if v != nil {
				t.Fatalf("%+v beside %v", v, err)
			}
			return
		}
		allow := parsed.Value
		if o, ok := parsed.Value.(ast.Object); ok {
			allow = term.Member(o, "allow")
		}
		if v.Allow != ast.Boolean(true).Equal(allow) {
			t.Fatalf("%s gave allow %t", b, v.Allow)
		}
		for _, raw := range [][]byte{v.Obligations, v.Context} {
			if raw != nil && !jsontext.Value(raw).IsValid() {
				t.Fatalf("%s gave the JSON %s", b, raw)
			}
		}
		for _, h := range append(v.UpstreamHeaders, v.ResponseHeaders...) {
			if strings.ContainsAny(h.Name+strings.Join(h.Values, ""), "\r\n\x00") || len(h.Values) == 0 {
				t.Fatalf("%s gave the header %q: %q", b, h.Name, h.Values)
			}
		}
	})
}
