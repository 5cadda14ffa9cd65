package input_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
)

func TestSecretParametersAreInNoMaskedDocument(t *testing.T) {
	rules := input.NewRules(input.Config{Headers: []string{"x-original-url"}, BodyBytes: 1000,
		AmbiguousPaths: "accept"})
	for name, c := range map[string]struct {
		req     authz.Request
		context string
		want    []string
	}{
		"in the query": {authz.Request{URL: "/a?code=s3cret&b=1&code=s3cret2"}, "",
			[]string{"/request/query/code"}},
		"in another spelling": {authz.Request{URL: "/a?CODE=s3cret&c%6fde=s3cret"}, "",
			[]string{"/request/query/CODE", "/request/query/code"}},
		"with a name that is escaped": {authz.Request{URL: "/a?code~/=1&code=s3cret"}, "",
			[]string{"/request/query/code"}},
		"in a URL in the query": {
			authz.Request{URL: "/a?next=https%3A%2F%2Fx%2F%3Fa%3D1%26code%3Ds3cret%26b%3D2"}, "",
			[]string{"/request/query/next/0"}},
		"in a URL in a header": {authz.Request{URL: "/a",
			Headers: map[string][]string{"x-original-url": {"/x", "/y?c=1&code=s3cret#f"}}}, "",
			[]string{"/request/headers/x-original-url/1"}},
		"in a parameter of the path": {authz.Request{URL: "/a;code=s3cret/b"}, "",
			[]string{"/request/path", "/request/raw_path", "/request/segments/0"}},
		"in a form": {authz.Request{URL: "/a", HasBody: true, Body: "code=s3cret&grant_type=x"}, "",
			[]string{"/request/body"}},
		"later in a form": {authz.Request{URL: "/a", HasBody: true, Body: "a=b&code=s3cret"}, "",
			[]string{"/request/body"}},
		"in a URL in the context": {authz.Request{URL: "/a"},
			`{"u":["https://x/?code=s3cret","?a=b&code=s3cret"],"n":1}`, []string{"/context"}},
		"nowhere": {authz.Request{URL: "/a?codes=1&b=code", HasBody: true, Body: "x=code"},
			`{"code":"1","a":"code=1"}`, nil},
		"without a value": {authz.Request{URL: "/a?next=%3Fcode%3D%26a%3D1"}, "", nil},
	} {
		c.req.Method = "GET"
		asked, err := rules.Request(&c.req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var context []byte
		if c.context != "" {
			context = []byte(c.context)
		}
		doc := input.Anonymous(input.Query{Request: asked, Context: context})
		before, _ := doc.AppendJSON(nil)
		got, masked, err := doc.AppendMasked(nil, func(name string) bool { return strings.EqualFold(name, "code") })
		if err != nil || !json.Valid(got) || strings.Contains(string(got), "s3cret") ||
			!reflect.DeepEqual(masked, c.want) {
			t.Errorf("%s: masked %q, want %q: %s %v", name, masked, c.want, got, err)
		}
		if c.want == nil && string(got) != string(before) {
			t.Errorf("%s: %s becomes %s", name, before, got)
		}
		if after, _ := doc.AppendJSON(nil); string(after) != string(before) {
			t.Errorf("%s: the document was changed: %s", name, after)
		}
	}
}

func FuzzAMaskedDocumentIsJSON(f *testing.F) {
	f.Add("/a?x=%3Fcode%3D1", "&code=1;code=2", `{"a":"?code=\"\\"}`)
	f.Fuzz(func(t *testing.T, url, body, context string) {
		if !json.Valid([]byte(context)) {
			return
		}
		asked, err := input.NewRules(input.Config{BodyBytes: 1000}).Request(
			&authz.Request{Method: "GET", URL: url, HasBody: true, Body: body})
		if err != nil {
			return
		}
		doc := input.Anonymous(input.Query{Request: asked, Context: []byte(context)})
		plain, err := doc.AppendJSON(nil)
		if err != nil {
			return // such as a body that is not UTF-8
		}
		got, _, err := doc.AppendMasked(nil, func(name string) bool { return name == "code" })
		if err != nil || !json.Valid(got) {
			t.Fatalf("%s becomes %s, %v", plain, got, err)
		}
	})
}
