package extauthz_test

import (
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/authz-sidecar/sidecar/internal/door/extauthz"
	"github.com/authz-sidecar/sidecar/internal/testkit/guarded"
)

// checkOf is what Envoy asks about a request: with raw headers (encode_raw_headers), or with one value a name.
func checkOf(sent guarded.Sent, body string, raw bool) *authv3.CheckRequest {
	in := get()
	r := in.Attributes.Request.Http
	r.Method, r.Path, r.Host, r.Body, r.Headers = sent.Method, sent.Target, sent.Host, body, nil
	if raw {
		r.HeaderMap = new(corev3.HeaderMap)
		for _, field := range sent.Fields {
			r.HeaderMap.Headers = append(r.HeaderMap.Headers,
				&corev3.HeaderValue{Key: field[0], RawValue: []byte(field[1])})
		}
		return in
	}
	r.Headers = map[string]string{}
	for _, field := range sent.Fields {
		name := strings.ToLower(field[0]) // Envoy has read the names so
		if before, twice := r.Headers[name]; twice {
			field[1] = before + "," + field[1]
		}
		r.Headers[name] = field[1]
	}
	return in
}

// FuzzNoPartOfARequestTurnsADenyIntoAnAllow: a client chooses method, target, host, header and body.
func FuzzNoPartOfARequestTurnsADenyIntoAnAllow(f *testing.F) {
	const path, tenant = "/open", "x-tenant: acme"
	for _, target := range []string{"/admin", "//admin", "/a/%2e%2e/admin", "/admin;x", "/%61dmin", `/a\..\admin`,
		"/open#/../admin", "/%2561dmin", "*", "", "http://app.example.test/open"} {
		f.Add("GET", target, guarded.Host, tenant+"\n:path: /open\nx-envoy-original-path: /open", "")
	}
	f.Add("POST", path, guarded.Host, tenant+"\n:method: GET", "a=b")
	for _, host := range []string{"evil.test", "evil.test@app.example.test", "app.example.test/x?", "",
		"app.example.test:80"} {
		f.Add("GET", path, host, tenant+"\n:authority: app.example.test\nhost: app.example.test", "")
	}
	for _, header := range []string{"", tenant + "\nX-Tenant: globex", tenant + "\nx_tenant: globex",
		"x-tenant : acme",
		tenant + "\nconnection: x-tenant"} {
		f.Add("GET", path, guarded.Host, header, "")
	}

	w := serve(f, listener(), extauthz.Deps{Point: guarded.NewPoint()})
	passes := func(t testing.TB, sent guarded.Sent, body string, raw bool) bool {
		message, err := proto.Marshal(checkOf(sent, body, raw))
		return err == nil && w.send(t, message).GetStatus().GetCode() == 0 // send fails unless the answer is sound
	}
	for _, raw := range []bool{true, false} {
		if !passes(f, guarded.Sent{Method: "GET", Target: path, Host: guarded.Host,
			Fields: [][2]string{{"x-tenant", "acme"}}}, "", raw) {
			f.Fatal("nothing passes")
		}
	}
	f.Fuzz(func(t *testing.T, method, target, host, header, body string) {
		sent := guarded.Sent{Method: method, Target: target, Host: host,
			Fields: guarded.Fields(strings.Split(header, "\n"))}
		may := sent.Allowable()
		for _, raw := range []bool{true, false} {
			if passes(t, sent, body, raw) && !may {
				t.Errorf("%q passes, raw %t", sent, raw)
			}
		}
	})
}
