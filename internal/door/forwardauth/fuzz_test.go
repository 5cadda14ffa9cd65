package forwardauth_test

import (
	"context"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/door/forwardauth"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// guarding allows every path but those below /admin, by the path that policies see.
type guarding struct{ rules *input.Rules }

func (g guarding) Decide(_ context.Context, q authz.Query) authz.Decision {
	asked, err := g.rules.Query(&q)
	if err != nil {
		return authz.Decision{Kind: authz.Malformed, Status: 400}
	}
	if segments := asked.Request.Segments; len(segments) > 0 && segments[0] == "admin" {
		return authz.Decision{Kind: authz.Deny, Status: 403}
	}
	return allowing
}

func (guarding) Callable(string) bool { return true }

// mayReach tells whether some application, however it reads a target, serves what is below /admin. It shares no code
// with the sidecar.
func mayReach(target string) bool {
	target, _, _ = strings.Cut(target, "?")
	readings := []string{target}
	for _, read := range []func(string) string{
		func(s string) string { before, _, _ := strings.Cut(s, "#"); return before },
		decoded, decoded,
		func(s string) string { return strings.ReplaceAll(s, `\`, "/") },
		withoutParameters,
		func(s string) string { before, _, _ := strings.Cut(s, "\x00"); return before },
		func(s string) string { return path.Clean("/" + s) },
	} {
		for _, s := range readings {
			readings = append(readings, read(s))
		}
	}
	for _, s := range readings {
		if s == "/admin" || strings.HasPrefix(s, "/admin/") {
			return true
		}
	}
	return false
}

func decoded(s string) string {
	s = strings.NewReplacer("%c0%ae", ".", "%c0%af", "/", "%C0%AE", ".", "%C0%AF", "/").Replace(s)
	if out, err := url.PathUnescape(s); err == nil {
		return out
	}
	return s
}

func withoutParameters(s string) string {
	segments := strings.Split(s, "/")
	for i := range segments {
		segments[i], _, _ = strings.Cut(segments[i], ";")
	}
	return strings.Join(segments, "/")
}

// FuzzNoBytesOfAClientTurnADenyIntoAnAllow: what a client chooses of a check is the target, and headers of any name.
func FuzzNoBytesOfAClientTurnADenyIntoAnAllow(f *testing.F) {
	for _, target := range []string{"/admin", "//admin", "/a/%2e%2e/admin", "/admin;x", "/%61dmin", "/admin%2Fx",
		"/a/..;/admin",
		`/a\..\admin`, "/open?/../admin", "/open#/../admin", "/%2561dmin", "/a/%c0%ae%c0%ae/admin", "*"} {
		f.Add(target, "X-Original-URI", "/open")
		f.Add(target, "X-Forwarded-Uri", "/open")
		f.Add(target, "Connection", "X-Original-URI")
	}

	rules := input.NewRules(conf.Default[input.Config]())
	worlds := map[forwardauth.Profile]world{}
	for profile := range checks {
		worlds[profile] = world{address: open(f, forwardauth.Config{Profile: profile}, guarding{rules})}
	}
	f.Fuzz(func(t *testing.T, target, name, value string) {
		if strings.ContainsAny(target+name+value, "\r\n") {
			return // a line ends there for every gateway
		}
		if strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "Transfer-Encoding") {
			return // gateways write their own
		}
		for profile, lines := range checks {
			changed := strings.NewReplacer("//a/%2e%2e/b?x=1", target)
			var sent []string
			for _, line := range lines {
				sent = append(sent, changed.Replace(line))
			}
			sent = append(sent, name+": "+value)
			resp, _ := worlds[profile].answer(t, sent)
			if resp != nil && resp.StatusCode < 300 && mayReach(target) {
				t.Errorf("%s passes %q with %s: %q", profile, target, name, value)
			}
		}
	})
}
