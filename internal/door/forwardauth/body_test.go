package forwardauth_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/forwardauth"
)

const message = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_notes"}}`

// asks sends a check with a body, and returns its answer, and the request that the Point was asked about.
func (w world) asks(t *testing.T, p forwardauth.Profile, body string, lines ...string) (int, string, *authz.Request) {
	t.Helper()
	w.body = body
	resp, text := w.check(t, slices.Concat(checks[p], lines)...)
	select {
	case q := <-w.asked:
		return resp.StatusCode, text, &q.Request
	default:
		return resp.StatusCode, text, nil
	}
}

func announced(n int) string { return "Content-Length: " + strconv.Itoa(n) }

func TestTheBodyOfARequestIsDecidedAboutWhereTheGatewaySendsIt(t *testing.T) {
	for _, c := range []struct {
		profile forwardauth.Profile
		sent    string
		lines   []string
		want    string
		partial bool
	}{
		{forwardauth.Traefik, message, []string{announced(len(message))}, message, false},
		// Traefik does not know the length of what it read.
		{forwardauth.Traefik, "4d\r\n" + message + "\r\n0\r\n\r\n", []string{"Transfer-Encoding: chunked"}, message,
			false},
		{forwardauth.Traefik, "0\r\n\r\n", []string{"Transfer-Encoding: chunked"}, "", false},
		{forwardauth.Traefik, message, []string{announced(len(message)), "X-Envoy-Auth-Partial-Body: true"}, message,
			false},
		{forwardauth.Envoy, message, []string{announced(len(message)), "X-Envoy-Auth-Partial-Body: false"}, message,
			false},
		{forwardauth.Envoy, message[:20], []string{announced(20), "X-Envoy-Auth-Partial-Body: true"}, message[:20],
			true},
		{forwardauth.Envoy, message[:20], []string{announced(20), "X-Envoy-Auth-Partial-Body: false,true"},
			message[:20], true},
		{forwardauth.Envoy, "", []string{announced(0), "X-Envoy-Auth-Partial-Body: false"}, "", false},
	} {
		w := serve(t, forwardauth.Config{Profile: c.profile}, allowing)
		status, _, asked := w.asks(t, c.profile, c.sent, c.lines...)
		if status != 200 || asked == nil {
			t.Fatalf("%s %q: %d, asked %v", c.profile, c.lines, status, asked)
		}
		if asked.Body != c.want || asked.HasBody != (c.want != "") || asked.BodyPartial != c.partial {
			t.Errorf("%s %q: body %q, whether there is one %v, partial %v", c.profile, c.lines, asked.Body,
				asked.HasBody, asked.BodyPartial)
		}
	}
}

func TestABodyOverTheLimitIsRefusedUndecided(t *testing.T) {
	long := strings.Repeat("x", maxBody+1)
	for _, profile := range []forwardauth.Profile{forwardauth.Traefik, forwardauth.Envoy} {
		for line, body := range map[string]string{
			announced(len(long)):         long,
			"Transfer-Encoding: chunked": strconv.FormatInt(maxBody+1, 16) + "\r\n" + long + "\r\n0\r\n\r\n",
		} {
			w := serve(t, forwardauth.Config{Profile: profile}, allowing)
			status, text, asked := w.asks(t, profile, body, line)
			if status != 413 || asked != nil || !strings.Contains(text, "too_large") && profile == forwardauth.Envoy {
				t.Errorf("%s %s: %d %s, asked %v", profile, line, status, text, asked)
			}
		}
		w := serve(t, forwardauth.Config{Profile: profile}, allowing)
		if status, _, asked := w.asks(t, profile, long[1:], announced(maxBody)); status != 200 || asked == nil ||
			len(asked.Body) != maxBody {
			t.Errorf("%s: a body of the limit is answered %d", profile, status)
		}
	}
}

func TestABodyThatDoesNotArriveWholeIsRefused(t *testing.T) {
	w := serve(t, forwardauth.Config{Profile: forwardauth.Traefik}, allowing)
	status, _, asked := w.asks(t, forwardauth.Traefik, "ZZ\r\n"+message, "Transfer-Encoding: chunked")
	if status != 400 || asked != nil {
		t.Errorf("%d, asked %v", status, asked)
	}
}

// A client of nginx could write the next check by a body that nginx announces and does not send.
func TestAGatewayThatSendsNoBodyMustNotAnnounceOne(t *testing.T) {
	for _, profile := range []forwardauth.Profile{forwardauth.Nginx, forwardauth.IngressNginx, forwardauth.Caddy,
		forwardauth.HAProxy} {
		for _, line := range []string{announced(20), "Transfer-Encoding: chunked"} {
			w := serve(t, forwardauth.Config{Profile: profile}, allowing)
			// The body is not awaited, and the connection ends.
			if status, _, asked := w.asks(t, profile, "", line); status < 400 || asked != nil {
				t.Errorf("%s %s: %d, asked %v", profile, line, status, asked)
			}
		}
	}
}

func TestTheClientGetsTheBodyThatTheDecisionHasForIt(t *testing.T) {
	d := authz.Decision{Kind: authz.Deny, Status: 403, Body: []byte(`{"jsonrpc":"2.0","id":1,"error":{}}`)}
	for _, profile := range []forwardauth.Profile{forwardauth.Envoy, forwardauth.Nginx, forwardauth.Caddy} {
		w := serve(t, forwardauth.Config{Profile: profile}, d)
		resp, body := w.check(t, checks[profile]...)
		if body != string(d.Body) || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s %q", profile, resp.Header.Get("Content-Type"), body)
		}
	}
}
