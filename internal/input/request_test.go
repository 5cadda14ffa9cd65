package input_test

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/input"
)

func strict() *input.Rules {
	return input.NewRules(input.Config{Headers: []string{"X-Tenant", "user-agent"}, AmbiguousPaths: "refuse"})
}

func lenient() *input.Rules { return input.NewRules(input.Config{AmbiguousPaths: "accept"}) }

func get(url string) *authz.Request { return &authz.Request{Method: "GET", URL: url} }

func TestURLIsSplitIntoItsMembers(t *testing.T) {
	for url, want := range map[string]input.Request{
		"https://API.Acme.example./orders/42?expand=items&expand=a%26b+c": {Scheme: "https", Host: "api.acme.example",
			Port: 443, Path: "/orders/42", RawPath: "/orders/42", Segments: []string{"orders", "42"},
			Query: map[string][]string{"expand": {"items", "a&b c"}}},
		"http://[::1]:8080": {Scheme: "http", Host: "[::1]", Port: 8080, Path: "/", RawPath: "",
			Segments: []string{}},
		"http://[2001:DB8:0::1]/": {Scheme: "http", Host: "[2001:db8::1]", Port: 80, Path: "/", RawPath: "/",
			Segments: []string{}},
		"http://[::ffff:10.0.0.1]/": {Scheme: "http", Host: "10.0.0.1", Port: 80, Path: "/", RawPath: "/",
			Segments: []string{}},
		"http://10.0.0.1/": {Scheme: "http", Host: "10.0.0.1", Port: 80, Path: "/", RawPath: "/",
			Segments: []string{}},
		"https://a.example?x": {Scheme: "https", Host: "a.example", Port: 443, Path: "/", RawPath: "",
			Segments: []string{}, Query: map[string][]string{"x": {""}}},
		"/orders/": {Path: "/orders/", RawPath: "/orders/", Segments: []string{"orders", ""}},
		"/a%20b/%C3%A9/.well-known/x~y@z": {Path: "/a b/é/.well-known/x~y@z",
			RawPath: "/a%20b/%C3%A9/.well-known/x~y@z", Segments: []string{"a b", "é", ".well-known", "x~y@z"}},
	} {
		got, err := strict().Request(get(url))
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		want.Method = "GET"
		if want.Query == nil {
			want.Query = map[string][]string{}
		}
		want.Headers = map[string][]string{}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", url, got, want)
		}
	}
}

func TestAmbiguousPathsAreMalformed(t *testing.T) {
	for _, path := range []string{
		"//admin", "/a//b", "/a/", "/a/./b", "/a/../b", "/..", "/.", "/a/%2e%2e/admin", "/a/%2E/b", "/a%2Fb", "/a%2fb",
		"/a%5Cb", `/a\b`, "/admin;x", "/a%3Bx",
		"/a.", "/a%20", "/a%EF%BC%8Fb", "/a\uff0fb", "/%EF%BC%8E%EF%BC%8E/b", "/a%E2%80%A4", "/a%EF%BC%85%32F",
		"/a%C2%85b", "/a%25u002fb",
		"/a%00", "/a\x00", "/a%0d%0a", "/%ff", "/%C3%28", "/%252e%252e/admin", "/a%25%32%46b", "/%", "/%4", "/%zz",
		"/a/b//",
	} {
		_, err := strict().Request(get(path))
		if path == "/a/" {
			if err != nil {
				t.Errorf("%q: %v", path, err)
			}
			continue
		}
		if authz.KindOf(err) != authz.Malformed {
			t.Errorf("%q: got %v, want malformed", path, err)
		}
	}
}

func TestAcceptedAmbiguousPathsReadAsRFC3986Says(t *testing.T) {
	for path, want := range map[string][]string{
		"/a/../b": {"b"}, "/a/./b": {"a", "b"}, "//admin": {"admin"}, "/a%2Fb/c": {"a/b", "c"},
		"/a/%2e%2e/%2e%2e/b": {"b"}, "/a;x=1": {"a;x=1"}, "/a/..": {}, "/a/b/.": {"a", "b", ""},
	} {
		got, err := lenient().Request(get(path))
		if err != nil || !reflect.DeepEqual(got.Segments, want) {
			t.Errorf("%q: got %q, %v, want %q", path, got.Segments, err, want)
		}
	}
	for _, path := range []string{"/a%00", "/%ff", "/%zz"} {
		if _, err := lenient().Request(get(path)); authz.KindOf(err) != authz.Malformed {
			t.Errorf("%q: got %v: what is no text is malformed whatever the configuration says", path, err)
		}
	}
}

func TestRequestsWithoutOneMeaningAreMalformed(t *testing.T) {
	for name, req := range map[string]authz.Request{
		"no method":            {URL: "/"},
		"method with a space":  {Method: "GET /x", URL: "/"},
		"no URL":               {Method: "GET"},
		"relative":             {Method: "GET", URL: "orders"},
		"another scheme":       {Method: "GET", URL: "ftp://a/"},
		"no host":              {Method: "GET", URL: "https:///x"},
		"user information":     {Method: "GET", URL: "https://a@b/"},
		"fragment":             {Method: "GET", URL: "/a#b"},
		"port 0":               {Method: "GET", URL: "http://a:0/"},
		"port too large":       {Method: "GET", URL: "http://a:65536/"},
		"port empty":           {Method: "GET", URL: "http://a:/"},
		"host with a space":    {Method: "GET", URL: "http://a b/"},
		"host with an escape":  {Method: "GET", URL: "http://a%2eb/"},
		"host with two dots":   {Method: "GET", URL: "http://a..b/"},
		"unclosed bracket":     {Method: "GET", URL: "http://[::1/"},
		"zone of an address":   {Method: "GET", URL: "http://[::1%25eth0]/"},
		"IPv4 in brackets":     {Method: "GET", URL: "http://[127.0.0.1]/"},
		"a blank after a name": {Method: "GET", URL: "/", Headers: map[string][]string{"x-tenant ": {"a"}}},
		"a name with a colon":  {Method: "GET", URL: "/", Headers: map[string][]string{"x:y": {"a"}}},
		"an empty name":        {Method: "GET", URL: "/", Headers: map[string][]string{"": {"a"}}},
		"a name with a break":  {Method: "GET", URL: "/", Headers: map[string][]string{"x\r\ny": {"a"}}},
		"a name in Turkish":    {Method: "GET", URL: "/", Headers: map[string][]string{"author\u0130zation": {"a"}}},
		"a name with a Kelvin": {Method: "GET", URL: "/", Headers: map[string][]string{"coo\u212aie": {"a"}}},
		"one variable of CGI": {Method: "GET", URL: "/", Headers: map[string][]string{"x-tenant": {"a"},
			"x_tenant": {"b"}}},
		"one variable of PHP": {Method: "GET", URL: "/", Headers: map[string][]string{"x-tenant": {"a"},
			"x.tenant": {"b"}}},
		"two Host headers":     {Method: "GET", URL: "/", Headers: map[string][]string{"host": {"a", "b"}}},
		"source not address":   {Method: "GET", URL: "/", SourceIP: "localhost"},
		"query of rubbish":     {Method: "GET", URL: "/?a=%zz"},
		"query not UTF-8":      {Method: "GET", URL: "/?a=%ff"},
		"query name not UTF-8": {Method: "GET", URL: "/?%ff=a"},
		"URL too long":         {Method: "GET", URL: "/" + strings.Repeat("a", input.MaxURLBytes)},
	} {
		if _, err := strict().Request(&req); authz.KindOf(err) != authz.Malformed {
			t.Errorf("%s: got %v, want malformed", name, err)
		}
	}
}

func TestHostHeaderServesOriginForm(t *testing.T) {
	got, err := strict().Request(&authz.Request{Method: "get", URL: "/x",
		Headers: map[string][]string{"host": {"API.example:8443"}}, SourceIP: "::ffff:10.1.2.3"})
	if err != nil || got.Host != "api.example" || got.Port != 8443 || got.Method != "GET" ||
		got.SourceIP != "10.1.2.3" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestOnlyAllowListedHeadersPass(t *testing.T) {
	got, err := strict().Request(&authz.Request{Method: "GET", URL: "/", Headers: map[string][]string{
		"x-tenant": {"acme"}, "authorization": {"Bearer x"}, "cookie": {"a=b"}, "dpop": {"p"}, "x-other": {"y"},
	}})
	if want := map[string][]string{"x-tenant": {"acme"}}; err != nil || !reflect.DeepEqual(got.Headers, want) {
		t.Errorf("got %v, %v, want %v", got.Headers, err, want)
	}
}

func TestConfigRefusesHeadersThatHoldCredentials(t *testing.T) {
	var faults []string
	input.Config{Headers: []string{"Authorization", "cookie", "DPoP", "x tenant", "x-ok"}}.Check(
		func(_, cause, _ string) { faults = append(faults, cause) })
	if len(faults) != 4 {
		t.Errorf("got %q", faults)
	}
}

func TestTokenInTheQueryIsCountedAndKeptOut(t *testing.T) {
	got, err := strict().Request(get("/?a=1&access%5Ftoken=secret&access_token=secret"))
	if err != nil || got.OtherTokens != 2 || len(got.Query) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestTokensThatAnUpstreamFindsInTheQueryAreCountedAndKeptOut(t *testing.T) {
	for query, want := range map[string]map[string][]string{
		"a=1;access_token=x":         {"a": {"1"}},
		"a=1;access_token=x;b=2":     {"a": {"1;b=2"}},
		"a;access%5Ftoken=x":         {"a": {""}},
		"Access_Token=x":             {},
		"access_token[]=x":           {},
		"access.token=x":             {},
		"access+token=x":             {},
		"+access_token=x":            {},
		"acce%C5%BF%C5%BF_token=x":   {},
		"access_token%00=x":          {},
		"b=2&access_token;a=1&c=%3B": {"a": {"1"}, "b": {"2"}, "c": {";"}},
	} {
		got, err := strict().Request(get("/?" + query))
		if err != nil || got.OtherTokens != 1 || !reflect.DeepEqual(got.Query, want) {
			t.Errorf("%s: %d tokens, %q, %v, want one, and %q", query, got.OtherTokens, got.Query, err, want)
		}
	}
	for _, query := range []string{"a=access_token", "my_access_token=x", "access_tokens=x", "a=1%3Baccess_token%3Dx",
		"token=x"} {
		if got, err := strict().Request(get("/?" + query)); err != nil || got.OtherTokens != 0 {
			t.Errorf("%s: %d tokens, %v, want none", query, got.OtherTokens, err)
		}
	}
}

func TestATokenInAFormIsCounted(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		contentType, body string
		want              int
	}{
		{form, "access_token=x", 1}, {"Application/X-WWW-Form-Urlencoded; charset=utf-8", "a=1&access%5Ftoken=x", 1},
		{form, "a=1;access_token=x", 1},
		{form, "token=x&a=access_token", 0}, {"application/json", "access_token=x", 0}, {"", "access_token=x", 0},
		{form, "", 0}, {form, "%zz=1", 0},
	} {
		got, err := strict().Request(&authz.Request{Method: "POST", URL: "/",
			Headers: map[string][]string{"content-type": {c.contentType}}, HasBody: true, Body: c.body})
		if err != nil || got.OtherTokens != c.want {
			t.Errorf("%s %q: %d tokens, %v, want %d", c.contentType, c.body, got.OtherTokens, err, c.want)
		}
	}
}

func TestBodyIsHiddenUnlessConfiguredAndCutVisibly(t *testing.T) {
	req := &authz.Request{Method: "POST", URL: "/", Body: "aé-tail", HasBody: true}
	got, _ := strict().Request(req)
	if got.Body != nil || got.BodyTruncated {
		t.Error("the body shows although it is not configured")
	}
	got, _ = input.NewRules(input.Config{BodyBytes: 2}).Request(req)
	if got.Body == nil || *got.Body != "a" || !got.BodyTruncated {
		t.Errorf("got %v", got.Body)
	}
	got, _ = input.NewRules(input.Config{BodyBytes: 100}).Request(req)
	if got.Body == nil || *got.Body != "aé-tail" || got.BodyTruncated {
		t.Errorf("got %v", got.Body)
	}
}

func FuzzPathHasOneMeaning(f *testing.F) {
	for _, s := range []string{"/", "/a/b", "/a%2fb", "/%252e", "//x", "/a/../b", "/é", "/a%20b/", "https://h/x?y=z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, url string) {
		got, err := strict().Request(get(url))
		if err != nil {
			if authz.KindOf(err) != authz.Malformed {
				t.Fatalf("%q: %v", url, err)
			}
			return
		}
		if !utf8.ValidString(got.Path) || got.Path[0] != '/' || strings.ContainsAny(got.Path, "\x00\\;") ||
			strings.Contains(got.Path, "//") || strings.Contains(got.Path+"/", "/../") ||
			strings.Contains(got.Path+"/", "/./") {
			t.Fatalf("%q: canonical path %q", url, got.Path)
		}
		if joined := "/" + strings.Join(got.Segments, "/"); joined != got.Path {
			t.Fatalf("%q: segments %q do not make %q", url, got.Segments, got.Path)
		}
		accepted, err := lenient().Request(get(url))
		if err != nil || accepted.Path != got.Path {
			t.Fatalf("%q: an unambiguous path reads %q strictly and %q leniently, %v", url, got.Path, accepted.Path,
				err)
		}
	})
}

// A second dot would make another name of a host that a route, or an issuer, is chosen by.
func TestAHostHasOneDotAtItsEndAtMost(t *testing.T) {
	for _, host := range []string{"api.example..", "api.example...", ".."} {
		for _, q := range []authz.Request{{Method: "GET", URL: "https://" + host + "/"},
			{Method: "GET", URL: "/", Headers: map[string][]string{"host": {host}}}} {
			if got, err := strict().Request(&q); err == nil {
				t.Errorf("%q is read as %q", host, got.Host)
			}
		}
	}
}
