package forwardauth_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door/forwardauth"
	"github.com/authz-sidecar/sidecar/internal/testkit/guarded"
)

// ofTheGateway are header names that a gateway writes itself, or reads where the body ends.
var ofTheGateway = []string{"content-length", "transfer-encoding", "host"}

// linesOf are the lines of a header that a client sends and a gateway hands on.
func linesOf(header string) (lines []string) {
	for line := range strings.SplitSeq(header, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			break
		}
		name, _, _ := strings.Cut(line, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(ofTheGateway, name) {
			lines = append(lines, line)
		}
	}
	return lines
}

// FuzzNoBytesOfAClientTurnADenyIntoAnAllow: a client chooses of a check the method, the target, the host, and headers.
func FuzzNoBytesOfAClientTurnADenyIntoAnAllow(f *testing.F) {
	const path, tenant = "/open", "X-Tenant: acme"
	for _, target := range []string{"/admin", "//admin", "/a/%2e%2e/admin", "/admin;x", "/%61dmin", "/admin%2Fx",
		"/a/..;/admin", `/a\..\admin`, "/open?/../admin", "/open#/../admin", "/%2561dmin", "/a/%c0%ae%c0%ae/admin",
		"*"} {
		f.Add("GET", target, guarded.Host, tenant+"\nX-Original-URI: /open\nConnection: X-Original-URI")
		f.Add("GET", target, guarded.Host, tenant+"\nX-Forwarded-Uri: /open")
	}
	for _, method := range []string{"POST", "get", "GET/", "CONNECT", ""} {
		f.Add(method, path, guarded.Host, tenant+"\nX-Original-Method: GET\nX-Forwarded-Method: GET")
	}
	for _, host := range []string{"evil.test", "evil.test:80@app.example.test", "app.example.test/admin?",
		"app.example.test.",
		"evil.test?://app.example.test", "app.example.test:80", ""} {
		f.Add("GET", path, host, tenant+"\nX-Forwarded-Host: app.example.test\nX-Original-Host: app.example.test")
	}
	for _, header := range []string{"", "X-Tenant: globex\n" + tenant, tenant + "\nX_Tenant: globex",
		"X-Tenant : acme",
		tenant + "\n globex", tenant + ",globex", tenant + "\nConnection: x-tenant", " X-Tenant: acme"} {
		f.Add("GET", path, guarded.Host, header)
	}

	worlds := map[forwardauth.Profile]world{}
	for profile := range checks {
		w := world{address: open(f, forwardauth.Config{Profile: profile}, guarded.NewPoint())}
		if !w.passes(f, profile, guarded.Sent{Method: "GET", Target: path, Host: guarded.Host}, []string{tenant}) {
			f.Fatalf("%s passes nothing", profile)
		}
		worlds[profile] = w
	}
	f.Fuzz(func(t *testing.T, method, target, host, header string) {
		if strings.ContainsAny(method+target+host, "\r\n") || strings.ContainsAny(method+host, " \t") {
			return // a line or a word ends there for every gateway
		}
		lines := linesOf(header)
		sent := guarded.Sent{Method: method, Target: target, Host: host, Fields: guarded.Fields(lines)}
		for profile, w := range worlds {
			if w.passes(t, profile, sent, lines) && !sent.Allowable() {
				t.Errorf("%s passes %q", profile, sent)
			}
		}
	})
}

// passes asks as the gateway of the profile does about what a client sent, with further lines.
func (w world) passes(t testing.TB, profile forwardauth.Profile, sent guarded.Sent, lines []string) bool {
	t.Helper()
	changed := strings.NewReplacer("//a/%2e%2e/b?x=1", sent.Target, "app.example.test", sent.Host, "POST", sent.Method)
	var check []string
	for _, line := range checks[profile] {
		check = append(check, changed.Replace(line))
	}
	resp, _ := w.answer(t, append(check, lines...))
	return resp != nil && resp.StatusCode < 300
}
