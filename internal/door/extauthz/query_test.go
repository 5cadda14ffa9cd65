package extauthz_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/extauthz"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// asked is the question that a check becomes.
func asked(t *testing.T, in *authv3.CheckRequest) authz.Query {
	t.Helper()
	var got authz.Query
	w := serve(t, listener(), extauthz.Deps{Point: decide(func(_ context.Context, q authz.Query) authz.Decision {
		got = q
		return allowed()
	})})
	if out := w.check(t, in); out.GetOkResponse() == nil {
		t.Fatalf("got %v", out)
	}
	return got
}

func TestACheckAsksAboutTheRequestAsItArrived(t *testing.T) {
	in := get()
	in.Attributes.Request.Http.Path = "//orders/%2e%2e/42;x?expand=%20items&a=1"
	in.Attributes.Source = &authv3.AttributeContext_Peer{Certificate: "-----BEGIN%20CERTIFICATE-----",
		Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: "192.0.2.7", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 4711}}}}}
	q := asked(t, in)
	r := q.Request
	if r.Method != "GET" || r.URL != "https://app.example.test//orders/%2e%2e/42;x?expand=%20items&a=1" ||
		r.SourceIP != "192.0.2.7" || r.ClientCertificate != "-----BEGIN%20CERTIFICATE-----" || r.HasBody {
		t.Errorf("asked about %q %q %q %q", r.Method, r.URL, r.SourceIP, r.ClientCertificate)
	}
	if fmt.Sprint(r.Headers) != "map[authorization:[Bearer t]]" {
		t.Errorf("headers are %v", r.Headers)
	}
	if !strings.HasPrefix(q.Caller, "127.0.0.1:") {
		t.Errorf("the caller is %q", q.Caller)
	}
}

func TestEachFieldOfRawHeadersStaysByItself(t *testing.T) {
	in := get()
	in.Attributes.Request.Http.Headers = nil
	in.Attributes.Request.Http.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
		{Key: ":path", RawValue: []byte("/orders/42")}, {Key: "dpop", RawValue: []byte("a.b.c")},
		{Key: "DPoP", Value: "d.e.f"}, {Key: "x-name", RawValue: []byte("caf\xe9")}, {Key: "x-empty"},
	}}
	got := asked(t, in).Request.Headers
	if want := "map[dpop:[a.b.c d.e.f] x-empty:[] x-name:[caf\xe9]]"; fmt.Sprint(got) != want {
		t.Errorf("headers are %q, want %q", fmt.Sprint(got), want)
	}
}

// TestNoHostOrPathMovesTheBorderBetweenThem: the policy reads the path that Envoy routes by, or none.
func TestNoHostOrPathMovesTheBorderBetweenThem(t *testing.T) {
	rules := input.NewRules(input.Config{})
	for _, c := range []struct{ scheme, host, path string }{
		{"https", "app.example.test/public?", "/admin"}, {"https", "app.example.test", "admin"},
		{"https", "app.example", ".evil/admin"}, {"https", "app.example.test?", "/admin"},
		{"https", "a#", "/admin"}, {"https", "a\\b", "/admin"}, {"https", "", "/admin"}, {"https", "u@app", "/admin"},
		{"https", "app.example.test", ""}, {"https", "app.example.test", "*"}, {"https", "app", "https://evil/admin"},
		{"ftp", "app.example.test", "/admin"}, {"x://evil/", "app", "/admin"}, {"", "a/b", "/admin"},
	} {
		in := get()
		h := in.Attributes.Request.Http
		h.Scheme, h.Host, h.Path = c.scheme, c.host, c.path
		q := asked(t, in)
		if got, err := rules.Query(&q); err == nil {
			t.Errorf("%q is read as %s at host %s", c, got.Request.Path, got.Request.Host)
		}
	}
}

func TestARequestWithoutSchemeIsReadByItsHost(t *testing.T) {
	in := get()
	in.Attributes.Request.Http.Scheme = ""
	q := asked(t, in)
	got, err := input.NewRules(input.Config{}).Query(&q)
	if err != nil || got.Request.Host != "app.example.test" || got.Request.Path != "/orders/42" {
		t.Errorf("read as %+v, %v", got.Request, err)
	}
}

func TestABodyIsAskedAboutInEitherForm(t *testing.T) {
	in := get()
	in.Attributes.Request.Http.Body = `{"a":1}`
	if r := asked(t, in).Request; r.Body != `{"a":1}` || !r.HasBody {
		t.Errorf("body %q, %v", r.Body, r.HasBody)
	}
	in = get()
	in.Attributes.Request.Http.RawBody = []byte("\xff\x00")
	if r := asked(t, in).Request; r.Body != "\xff\x00" || !r.HasBody {
		t.Errorf("body %q, %v", r.Body, r.HasBody)
	}
}

func TestTheBeginningOfABodyIsKnownAsSuch(t *testing.T) {
	for name, c := range map[string]struct {
		said string // header of Envoy
		size int64
		want bool
	}{
		"Envoy says so":                  {"true", 0, true},
		"Envoy says so with the client":  {"false,true", 0, true},
		"the size says so":               {"", 100, true},
		"the size says so and Envoy not": {"false", 100, true},
		"whole":                          {"false", 4, false},
		"Envoy does not know the size":   {"false", -1, false},
		"no word of it":                  {"", 0, false},
	} {
		in := get()
		h := in.Attributes.Request.Http
		h.Body, h.Size = "abcd", c.size
		if c.said != "" {
			h.Headers["x-envoy-auth-partial-body"] = c.said
		}
		if r := asked(t, in).Request; r.BodyPartial != c.want || !r.HasBody {
			t.Errorf("%s: partial %v", name, r.BodyPartial)
		}
	}
}

func TestPoliciesSeeWhatEnvoySaysBesidesTheRequest(t *testing.T) {
	in := get()
	if got := string(asked(t, in).Context); got != `{"envoy":{"protocol":"HTTP/2","request_id":"7"}}` {
		t.Errorf("without more, the context is %s", got)
	}
	payload, err := structpb.NewStruct(map[string]any{"claims": map[string]any{"sub": "alice", "n": 1.5}})
	if err != nil {
		t.Fatal(err)
	}
	a := in.Attributes
	a.ContextExtensions = map[string]string{"route": "orders"}
	a.MetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"jwt": payload}}
	a.RouteMetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"r": {}}}
	a.Source = &authv3.AttributeContext_Peer{Principal: "spiffe://example.test/web"}
	a.Destination = &authv3.AttributeContext_Peer{Principal: "app", Address: &corev3.Address{
		Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: "10.0.0.1",
			PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 443}}}}}
	a.TlsSession = &authv3.AttributeContext_TLSSession{Sni: "app.example.test"}
	const want = `{"envoy":{"context_extensions":{"route":"orders"},` +
		`"metadata":{"jwt":{"claims":{"n":1.5,"sub":"alice"}}},"route_metadata":{"r":{}},` +
		`"principal":"spiffe://example.test/web","sni":"app.example.test",` +
		`"destination":{"address":"10.0.0.1","port":443,"principal":"app"},"protocol":"HTTP/2","request_id":"7"}}`
	if got := string(asked(t, in).Context); got != want {
		t.Errorf("the context is\n%s, want\n%s", got, want)
	}
}

func TestMetadataThatIsTooMuchForAPolicyIsDenied(t *testing.T) {
	deep := structpb.NewNumberValue(1)
	for range 100 {
		deep = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{deep}})
	}
	w := serve(t, listener(), extauthz.Deps{Point: says(allowed())})
	for name, v := range map[string]*structpb.Value{"deep": deep,
		"long": structpb.NewStringValue(strings.Repeat("x", 300<<10))} {
		in := get()
		in.Attributes.MetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
			"f": {Fields: map[string]*structpb.Value{"v": v}}}}
		if out := w.check(t, in); out.GetDeniedResponse().GetStatus().GetCode() != 400 {
			t.Errorf("%s: got %v", name, out)
		}
	}
}
