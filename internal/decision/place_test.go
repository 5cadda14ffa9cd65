package decision_test

import (
	"net/http"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/devissuer"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// placed is a query whose credential is looked for at a place.
func placed(method string, at authz.Place, headers map[string][]string) authz.Query {
	return authz.Query{Place: at,
		Request: authz.Request{Method: method, URL: "https://app.example/open", Headers: headers}}
}

func TestATokenIsFoundWhereTheListenerSaysAndNowhereElse(t *testing.T) {
	w := build(t, plan{answers: pass})
	tok := w.grant(t, devissuer.Grant{})
	header, cookie := authz.Place{Header: "X-Forwarded-Access-Token"}, authz.Place{Cookie: "session"}
	type fields = map[string][]string
	const name = "x-forwarded-access-token"
	for what, c := range map[string]struct {
		at      authz.Place
		headers fields
		status  int
	}{
		"in the header":                      {header, fields{name: {tok}}, 200},
		"in the header after Bearer":         {header, fields{name: {"Bearer " + tok}}, 200},
		"in the header twice":                {header, fields{name: {tok, tok}}, 400},
		"in the header, joined":              {header, fields{name: {tok + "," + tok}}, 400},
		"in the header and in Authorization": {header, fields{name: {tok}, "authorization": {"Bearer " + tok}}, 400},
		"in the header, with a password":     {header, fields{name: {tok}, "authorization": {"Basic eDp5"}}, 400},
		"in Authorization alone":             {header, fields{"authorization": {"Bearer " + tok}}, 401},
		"in an empty header":                 {header, fields{name: {""}}, 401},
		"in the header in another spelling":  {header, fields{"x_forwarded_access_token": {tok}}, 400},
		"in the header that is taken away":   {header, fields{name: {tok}, "connection": {name}}, 400},
		"in a header called Authorization": {authz.Place{Header: "Authorization"},
			fields{"authorization": {"Bearer " + tok}}, 200},
		"in the cookie, in quotes":         {cookie, fields{"cookie": {`session="` + tok + `"`}}, 200},
		"in a cookie with half a quote":    {cookie, fields{"cookie": {`session="` + tok}}, 400},
		"in a cookie and one with a blank": {cookie, fields{"cookie": {"session=" + tok + "; session =x"}}, 400},
		"in two fields":                    {cookie, fields{"cookie": {"session=" + tok, "session=" + tok}}, 400},
		"in an empty cookie and another":   {cookie, fields{"cookie": {"session=; session=" + tok}}, 400},
		"in another header":                {authz.Place{}, fields{name: {tok}}, 401},
		"in the cookie":                    {cookie, fields{"cookie": {"a=b; session=" + tok + "; c=d"}}, 200},
		"in one of two fields":             {cookie, fields{"cookie": {"a=b", "session=" + tok}}, 200},
		"in two cookies of the name":       {cookie, fields{"cookie": {"session=" + tok + "; session=" + tok}}, 400},
		"in the name in other letters":     {cookie, fields{"cookie": {"Session=" + tok}}, 401},
		"in a cookie of a longer name":     {cookie, fields{"cookie": {"xsession=" + tok}}, 401},
		"in the cookie and in Authorization": {cookie, fields{"cookie": {"session=" + tok},
			"authorization": {"Bearer " + tok}}, 400},
		"in a cookie that no one named": {authz.Place{}, fields{"cookie": {"session=" + tok}}, 401},
	} {
		if d := w.point.Decide(t.Context(), placed("GET", c.at, c.headers)); d.Status != c.status {
			t.Errorf("%s: %d %v %v, want %d", what, d.Status, d.Reasons, d.Cause, c.status)
		}
	}
	q := placed("GET", header, fields{name: {tok}})
	q.Token = secret.New(tok)
	if d := w.point.Decide(t.Context(), q); d.Status != 400 {
		t.Errorf("beside the request too: %d", d.Status)
	}
}

func TestACookieIsNoCredentialForAnotherOrigin(t *testing.T) {
	w := build(t, plan{answers: pass})
	tok := w.grant(t, devissuer.Grant{})
	const refused = http.StatusForbidden
	for what, c := range map[string]struct {
		method, site, origin, more string
		status                     int
	}{
		"a link":                                {"GET", "cross-site", "", "", 200},
		"a form of another site":                {"POST", "cross-site", "https://evil.example", "", refused},
		"a form of a sibling":                   {"POST", "same-site", "https://blog.app.example", "", refused},
		"a form of the application":             {"POST", "same-origin", "https://app.example", "", 200},
		"a bookmark":                            {"POST", "none", "", "", 200},
		"an older browser":                      {"POST", "", "https://app.example", "", 200},
		"an older browser, in other letters":    {"POST", "", "https://APP.example:443", "", 200},
		"an older browser of another site":      {"POST", "", "https://evil.example", "", refused},
		"an older browser of another port":      {"POST", "", "https://app.example:8443", "", refused},
		"an older browser, before TLS":          {"POST", "", "http://app.example", "", refused},
		"a host that begins alike":              {"POST", "", "https://app.example.evil.example", "", refused},
		"a host behind a user":                  {"POST", "", "https://app.example@evil.example", "", refused},
		"a frame without an origin":             {"POST", "", "null", "", refused},
		"nothing that says where from":          {"DELETE", "", "", "", refused},
		"a method of one's own":                 {"PURGE", "", "", "", refused},
		"a WebSocket of another site":           {"GET", "cross-site", "https://evil.example", "upgrade", refused},
		"a WebSocket that a gateway hides":      {"GET", "", "https://evil.example", "sec-websocket-key", refused},
		"a WebSocket of the application":        {"GET", "same-origin", "https://app.example", "upgrade", 200},
		"an Origin that agrees, and a site not": {"POST", "cross-site", "https://app.example", "", refused},
	} {
		headers := map[string][]string{"cookie": {"session=" + tok}}
		for name, value := range map[string]string{"sec-fetch-site": c.site, "origin": c.origin} {
			if value != "" {
				headers[name] = []string{value}
			}
		}
		if c.more != "" {
			headers[c.more] = []string{"websocket"}
		}
		d := w.point.Decide(t.Context(), placed(c.method, authz.Place{Cookie: "session"}, headers))
		if d.Status != c.status || d.Status == refused && d.Reasons[0].Code != "cross_origin" {
			t.Errorf("%s: %d %v %v, want %d", what, d.Status, d.Reasons, d.Cause, c.status)
		}
	}
}

func TestTwoOriginsAreNoOrigin(t *testing.T) {
	w := build(t, plan{answers: pass})
	tok := w.grant(t, devissuer.Grant{})
	for _, name := range []string{"origin", "sec-fetch-site"} {
		good := map[string]string{"origin": "https://app.example", "sec-fetch-site": "same-origin"}[name]
		d := w.point.Decide(t.Context(), placed("POST", authz.Place{Cookie: "session"},
			map[string][]string{"cookie": {"session=" + tok}, name: {good, good}}))
		if d.Status != http.StatusForbidden {
			t.Errorf("%s twice: %d %v", name, d.Status, d.Cause)
		}
	}
}

func TestListenersThatNameNoPlaceHaveTheConfiguredOne(t *testing.T) {
	w := build(t, plan{answers: pass, carrier: token.Carrier{Header: "X-Forwarded-Access-Token"}})
	tok := w.grant(t, devissuer.Grant{})
	proxied := map[string][]string{"x-forwarded-access-token": {tok}}
	direct := map[string][]string{"authorization": {"Bearer " + tok}}
	for what, c := range map[string]struct {
		at      authz.Place
		headers map[string][]string
		status  int
	}{
		"the default":                {authz.Place{}, proxied, 200},
		"Authorization":              {authz.Place{}, direct, 401},
		"a listener of its own mind": {authz.Place{Header: "authorization"}, direct, 200},
		"another place":              {authz.Place{Cookie: "session"}, proxied, 401},
	} {
		if d := w.point.Decide(t.Context(), placed("GET", c.at, c.headers)); d.Status != c.status {
			t.Errorf("%s: %d %v, want %d", what, d.Status, d.Cause, c.status)
		}
	}
	beside := placed("GET", authz.Place{}, nil)
	beside.Token = secret.New(tok)
	if d := w.point.Decide(t.Context(), beside); d.Status != 200 {
		t.Errorf("a token beside the request: %d %v", d.Status, d.Cause)
	}
}
