//go:build real

package realtest

import (
	"net/http"
	"strings"
)

// gatewayToken names a token of the tests: what it may do is in gatewayTokens.
type gatewayToken string

const (
	noToken        gatewayToken = ""
	unknownToken   gatewayToken = "unknown"
	readerToken    gatewayToken = "reader" // scope things:read
	strongToken    gatewayToken = "strong" // the same after a login by mfa
	adminToken     gatewayToken = "admin"  // scopes things:read and things:admin
	freshToken     gatewayToken = "fresh"  // like reader, asked for while the authorization server fails
	boundToken     gatewayToken = "bound"  // like reader, bound to a key: presented with a DPoP proof
	twoTokens      gatewayToken = "two"    // reader and admin, each in a header of its own
	gatewaySubject              = "alice"
	gatewayTenant               = "acme"
)

// gatewayExpectation is what the client gets. An answer of 200 or 101 comes from the application; all others come
// without the application having been asked.
type gatewayExpectation struct {
	status    int
	challenge []string // each is in WWW-Authenticate
	retry     bool     // Retry-After is there
	// either allows a refusal by any status from 400, for what the gateway may refuse by itself.
	either bool
}

// passes tells whether the application gets the request.
func (e gatewayExpectation) passes() bool {
	return e.status == http.StatusOK || e.status == http.StatusSwitchingProtocols
}

// gatewayCase is one request through a gateway.
type gatewayCase struct {
	name    string
	token   gatewayToken
	request wireRequest
	want    gatewayExpectation
	// outage is of the authorization server.
	outage bool
	// anonymous requests pass with empty identity headers.
	anonymous bool
}

func passed() gatewayExpectation { return gatewayExpectation{status: http.StatusOK} }

// answered is an answer of the sidecar, which says what would help.
func answered(status int, challenge ...string) gatewayExpectation {
	return gatewayExpectation{status: status, challenge: challenge}
}

// passedOrRefused is for requests that a gateway may refuse. Passing, they are what the policy decided about.
func passedOrRefused() gatewayExpectation {
	return gatewayExpectation{status: http.StatusOK, either: true}
}

func malformed() gatewayExpectation {
	return gatewayExpectation{status: http.StatusBadRequest, either: true}
}

// gatewayCases are all requests of the table, in its order.
func gatewayCases() []gatewayCase {
	var all []gatewayCase
	for _, part := range [][]gatewayCase{decisionCases(), identityCases(), pathCases(), bodyCases()} {
		all = append(all, part...)
	}
	return all
}

func decisionCases() []gatewayCase {
	get := wireRequest{}
	return []gatewayCase{
		{name: "allow", token: readerToken, request: get, want: passed()},
		{name: "allow, with a query", token: readerToken, request: wireRequest{target: "/things?x=1&y=%2F"},
			want: passed()},
		{name: "no token", request: get, want: answered(401, `Bearer`)},
		{name: "no token for a resource", request: wireRequest{target: "/notes"}, want: answered(401,
			`resource_metadata="https://app.example.test/.well-known/oauth-protected-resource/notes"`)},
		{name: "unknown token", token: unknownToken, request: get, want: answered(401, `error="invalid_token"`)},
		{name: "scope missing", token: readerToken, request: wireRequest{target: "/admin"},
			want: answered(403, `error="insufficient_scope"`, `scope="things:admin"`)},
		{name: "scope there", token: adminToken, request: wireRequest{target: "/admin"}, want: passed()},
		{name: "login too weak", token: readerToken, request: wireRequest{method: "POST", target: "/payments"},
			want: answered(401, `error="insufficient_user_authentication"`, `acr_values="mfa"`)},
		{name: "login strong enough", token: strongToken, request: wireRequest{method: "POST", target: "/payments"},
			want: passed()},
		{name: "no such route", token: adminToken, request: wireRequest{target: "/elsewhere"}, want: answered(403)},
		{name: "anonymous route", request: wireRequest{target: "/open"}, want: passed(), anonymous: true},
		{name: "HEAD", token: readerToken, request: wireRequest{method: "HEAD"}, want: passed()},
		{name: "HEAD refused", request: wireRequest{method: "HEAD"}, want: answered(401, `Bearer`)},
		{name: "OPTIONS, a preflight that the policy opens", anonymous: true, want: passed(),
			request: wireRequest{method: "OPTIONS", header: []field{{"Origin", "https://spa.example.test"},
				{"Access-Control-Request-Method", "POST"}}}},
		{name: "OPTIONS refused", request: wireRequest{method: "OPTIONS", target: "/admin"},
			want: answered(401, "Bearer")},
		{name: "method that no route has", token: adminToken, request: wireRequest{method: "DELETE"},
			want: answered(403)},
		{name: "two Authorization", token: twoTokens, request: get, want: malformed()},
		{name: "DPoP", token: boundToken, request: get, want: passed()},
		{name: "DPoP, the proof again", token: boundToken, request: get,
			want: answered(401, `DPoP`, `error="invalid_dpop_proof"`)},
		{name: "DPoP, a second proof", token: boundToken, want: malformed(),
			request: wireRequest{header: []field{{"DPoP", "e30.e30.e30"}}}},
		{name: "authorization server fails", token: freshToken, request: get, outage: true,
			want: gatewayExpectation{status: 503, retry: true}},
	}
}

// forgedTargets is what a client writes to have another request judged than the one it sends.
func forgedTargets() []field {
	return []field{
		{"X-Original-URI", "/open"}, {"X-Original-URL", "/open"}, {"X-Original-Method", "GET"},
		{"X-Original-Host", "evil.example"}, {"X-Original-Scheme", "https"}, {"X-Rewrite-URL", "/open"},
		{"X-Forwarded-Uri", "/open"}, {"X-Forwarded-Method", "GET"}, {"X-Forwarded-Host", "evil.example"},
		{"X-Forwarded-Proto", "https"}, {"X-Forwarded-Port", "1"}, {"X-Forwarded-Prefix", "/open"},
		{"X-Forwarded-For", "203.0.113.6"}, {"X-Real-IP", "203.0.113.6"},
		{"Forwarded", "for=203.0.113.6;host=evil.example;proto=https"},
		{"X-Envoy-Original-Path", "/open"}, {"X-HTTP-Method-Override", "GET"},
	}
}

// forgedIdentity is what only the sidecar may say, by the client.
func forgedIdentity() []field {
	return []field{{"X-Subject", "mallory"}, {"x-subject", "mallory-2"}, {"X-Tenant", "mallory"},
		{"X-Scopes", "mallory"}, {"X-Client-Id", "mallory"}, {"X-Issuer", "mallory"}, {"X-Subject-Type", "mallory"}}
}

func identityCases() []gatewayCase {
	return []gatewayCase{
		{name: "forged identity", token: readerToken, request: wireRequest{header: forgedIdentity()}, want: passed()},
		{name: "forged identity, anonymous route", anonymous: true, want: passed(),
			request: wireRequest{target: "/open", header: forgedIdentity()}},
		{name: "forged identity with underscores", token: readerToken, want: passedOrRefused(),
			request: wireRequest{header: []field{{"X_Subject", "mallory"}, {"x_tenant", "mallory"}}}},
		{name: "forged identity with one underscore", token: readerToken, want: passedOrRefused(),
			request: wireRequest{header: []field{{"X-Subject_Type", "mallory"}, {"X_Client-Id", "mallory"}}}},
		{name: "forged X-Forwarded-* and X-Original-*", token: readerToken, want: passed(),
			request: wireRequest{header: forgedTargets()}},
		{name: "forged targets of a forbidden request", token: readerToken,
			want:    answered(403, `scope="things:admin"`),
			request: wireRequest{target: "/admin", header: forgedTargets()}},
		{name: "forged targets without a token", want: answered(401, `Bearer`),
			request: wireRequest{header: forgedTargets()}},
		{name: "Connection: X-Tenant", token: readerToken, want: passedOrRefused(),
			request: wireRequest{header: []field{{"Connection", "close, X-Tenant, X-Subject"}}}},
		{name: "Connection: the gateway's own headers", token: readerToken, want: answered(403),
			request: wireRequest{target: "/admin", header: []field{
				{"Connection", "close, X-Original-URI, X-Forwarded-Uri, X-Original-Method, X-Forwarded-Method"}}}},
		{name: "Connection: Authorization", token: readerToken, want: passedOrRefused(),
			request: wireRequest{header: []field{{"Connection", "close, Authorization"}}}},
	}
}

func pathCases() []gatewayCase {
	var all []gatewayCase
	path := func(target string, want gatewayExpectation) {
		all = append(all, gatewayCase{name: "GET " + target, token: readerToken,
			request: wireRequest{target: target}, want: want})
	}
	for _, target := range []string{"//admin", "/things//admin", "/things/../admin", "/a/%2e%2e/admin",
		"/a/.%2E/admin",
		"/admin;x", "/things/..;/admin", "/admin%2Fx", "/things%2f..%2fadmin", `/things/..%5Cadmin`,
		`/things\..\admin`,
		"/%2561dmin", "/things/%c0%ae%c0%ae/admin", "/../admin", "/admin/.", "/things%00/../admin"} {
		path(target, malformed())
	}
	path("/%61dmin", answered(403, `scope="things:admin"`))
	path("/admin?/../things", answered(403, `scope="things:admin"`))
	path("/admin#/things", gatewayExpectation{status: 400, either: true})
	path("/Admin", answered(403))
	path("/things/a%20b", passed())
	path("http://app.example.test/admin", gatewayExpectation{status: 403, either: true})
	all = append(all, gatewayCase{name: "GET /admin of a Host that ends in ?", token: readerToken, want: malformed(),
		request: wireRequest{target: "/admin", host: "app.example.test/open?"}},
		gatewayCase{name: "GET /admin of a whole URL as Host", token: readerToken, want: malformed(),
			request: wireRequest{target: "/admin", host: "http://app.example.test/open?"}})
	path("/things/caf%C3%A9", passed())
	all = append(all,
		gatewayCase{name: "GET a path of 8 KB", token: readerToken, want: passedOrRefused(),
			request: wireRequest{target: "/things/" + strings.Repeat("a", 8<<10)}},
		gatewayCase{name: "GET a path of 8 KB, refused", token: readerToken, want: malformed(),
			request: wireRequest{target: "/admin/" + strings.Repeat("a", 8<<10)}})
	return all
}

func bodyCases() []gatewayCase {
	upload := strings.Repeat("0123456789abcdef", 100<<10/16)
	return []gatewayCase{
		{name: "POST 100 KB", token: readerToken, request: wireRequest{method: "POST", body: upload}, want: passed()},
		{name: "POST 100 KB in chunks", token: readerToken, want: passed(),
			request: wireRequest{method: "POST", body: upload, chunked: true}},
		{name: "POST 100 KB, refused", token: readerToken, want: answered(403, `scope="things:admin"`),
			request: wireRequest{method: "POST", target: "/admin", body: upload}},
		{name: "WebSocket", token: readerToken, request: wireRequest{upgrade: true},
			want: gatewayExpectation{status: 101}},
		{name: "WebSocket refused", request: wireRequest{upgrade: true}, want: answered(401, `Bearer`)},
	}
}
