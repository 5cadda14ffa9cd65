package input_test

import (
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
)

func TestAQueryWithoutARequestHasNoRequestInItsDocument(t *testing.T) {
	got, err := strict().Query(&authz.Query{
		Subject:  &authz.Entity{Type: "user", ID: "alice"},
		Action:   &authz.Action{Name: "read", Properties: []byte(`{"method":"GET"}`)},
		Resource: &authz.Entity{Type: "order", ID: "42", Properties: []byte(`{"tenant":"acme"}`)},
		Context:  []byte(`{"ip":"10.0.0.1"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	doc := input.Anonymous(got)
	text, err := doc.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	if doc.HasRequest() {
		t.Error("the document has a request")
	}
	golden(t, "testdata/no_request.json", append(text, '\n'))
}

func TestAQueryNeedsARequestOrAnActionOnAResource(t *testing.T) {
	action, resource := &authz.Action{Name: "read"}, &authz.Entity{Type: "order", ID: "42"}
	for name, q := range map[string]authz.Query{
		"nothing":                    {},
		"an action alone":            {Action: action},
		"a resource alone":           {Resource: resource},
		"an action without a name":   {Action: &authz.Action{}, Resource: resource},
		"a resource without a type":  {Action: action, Resource: &authz.Entity{ID: "42"}},
		"an id that is not UTF-8":    {Action: action, Resource: &authz.Entity{Type: "order", ID: "\xff"}},
		"a name that is not UTF-8":   {Action: &authz.Action{Name: "\xff"}, Resource: resource},
		"a resource without an id":   {Action: action, Resource: &authz.Entity{Type: "order"}},
		"a subject without an id":    {Action: action, Resource: resource, Subject: &authz.Entity{Type: "user"}},
		"a request without a method": {Action: action, Resource: resource, Request: authz.Request{URL: "/"}},
		"a request without a URL":    {Action: action, Resource: resource, Request: authz.Request{Method: "GET"}},
		"headers of no request": {Action: action, Resource: resource,
			Request: authz.Request{Headers: map[string][]string{"x": {"1"}}}},
		"a body of no request": {Action: action, Resource: resource, Request: authz.Request{Body: "x"}},
		"a certificate of no request": {Action: action, Resource: resource,
			Request: authz.Request{ClientCertificate: "x"}},
		"a source address of no request": {Action: action, Resource: resource,
			Request: authz.Request{SourceIP: "10.0.0.1"}},
		"an entity beside a bad request": {Resource: resource, Request: authz.Request{Method: "GET", URL: "//x"}},
	} {
		if got, err := strict().Query(&q); authz.KindOf(err) != authz.Malformed {
			t.Errorf("%s: got %+v, %v, want malformed", name, got, err)
		}
	}
}

func TestSecretParametersAreMaskedInEntities(t *testing.T) {
	text := []byte(`{"u":"https://x/?code=s3cret"}`)
	asked, err := strict().Query(&authz.Query{
		Subject:  &authz.Entity{Type: "user", ID: "x?code=s3cret", Properties: text},
		Action:   &authz.Action{Name: "read?code=s3cret", Properties: text},
		Resource: &authz.Entity{Type: "url", ID: "https://x/?code=s3cret", Properties: text},
	})
	if err != nil {
		t.Fatal(err)
	}
	doc := input.Anonymous(asked)
	before, _ := doc.AppendJSON(nil)
	got, masked, err := doc.AppendMasked(nil, func(name string) bool { return name == "code" })
	want := "/action/name /action/properties /resource/id /resource/properties /subject/id /subject/properties"
	if err != nil || strings.Contains(string(got), "s3cret") || strings.Join(masked, " ") != want {
		t.Errorf("masked %q: %s %v", masked, got, err)
	}
	if after, _ := doc.AppendJSON(nil); string(after) != string(before) {
		t.Errorf("the document was changed: %s", after)
	}
}
