package native_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door/native"
	"github.com/authz-sidecar/sidecar/internal/status"
)

// asHost sends a GET with these header lines, among them the Host, and returns the status.
func (s *server) asHost(t *testing.T, version string, lines ...string) int {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /livez %s\r\n%s\r\nConnection: close\r\n\r\n", version, strings.Join(lines, "\r\n"))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func named(t *testing.T, hosts ...string) *server {
	t.Helper()
	cfg := listener()
	cfg.Hosts = hosts
	return serve(t, cfg, native.Deps{})
}

func TestAListenerOnLoopbackAcceptsItsOwnHostsOnly(t *testing.T) {
	s := named(t, "Sidecar.internal", "2001:db8::1")
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:8181": 200, "localhost.": 200, "127.0.0.1": 200, "127.0.0.1:1": 200,
		"127.8.9.1": 200, "[::1]:8181": 200, "[::ffff:127.0.0.1]": 200,
		"sidecar.internal": 200, "SIDECAR.INTERNAL.:8181": 200, "[2001:db8:0::1]": 200,
		"evil.example": 421, "evil.example:8181": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421,
		"10.0.0.1": 421, "0.0.0.0": 421, "[::]": 421,
		"x.sidecar.internal": 421, "sidecar": 421, "*": 421, "2130706433": 421, "[::1%25lo]": 421, "localhost:0": 421,
		"localhost:x": 421, "user@localhost": 421,
	} {
		if got := s.asHost(t, "HTTP/1.1", "Host: "+host); got != want && !(want == 421 && got == 400) {
			t.Errorf("%s: answered %d, want %d", host, got, want)
		}
	}
	if got := s.asHost(t, "HTTP/1.0", "Accept: */*"); got != 200 {
		t.Errorf("a probe by HTTP/1.0 without Host: answered %d", got)
	}
}

func TestAForeignOriginIsRefused(t *testing.T) {
	s := named(t, "ops.example")
	own := strings.TrimPrefix(s.url, "http://")
	for origin, want := range map[string]int{
		"http://" + own: 200, "https://ops.example": 200, "http://OPS.example:8080": 200,
		"http://evil.example": 403, "http://" + own + ".evil.example": 403, "null": 403, "http://127.0.0.1:1": 403,
		"http://localhost:3000": 403, "file://": 403,
		"chrome-extension://abc": 403, "https://" + own + "/": 403, "http://user@" + own: 403, "": 403,
		"http://a, http://" + own: 403,
	} {
		if got := s.asHost(t, "HTTP/1.1", "Host: "+own, "Origin: "+origin); got != want {
			t.Errorf("%q: answered %d, want %d", origin, got, want)
		}
	}
	if got := s.asHost(t, "HTTP/1.1", "Host: "+own, "Origin: http://"+own, "Origin: http://evil.example"); got != 403 {
		t.Errorf("two origins: answered %d", got)
	}
	if got := s.asHost(t, "HTTP/1.1", "Host: localhost", "Origin: http://localhost"); got != 200 {
		t.Errorf("its own origin at the usual port: answered %d", got)
	}
}

func TestAListenerOffLoopbackAcceptsEveryHostUntilSomeAreConfigured(t *testing.T) {
	for name, c := range map[string]struct {
		hosts []string
		host  string
		want  int
	}{
		"no names, any Host":           {nil, "api.example", 200},
		"names, one of them":           {[]string{"api.example"}, "api.example", 200},
		"names, another":               {[]string{"api.example"}, "evil.example", 421},
		"names, a health check":        {[]string{"api.example"}, "localhost", 200},
		"names, a probe by address":    {[]string{"api.example"}, "127.0.0.1:8181", 200},
		"every name, one that is none": {[]string{"*"}, "evil.example", 200},
	} {
		cfg := listener()
		cfg.Hosts, cfg.Address, cfg.Insecure = c.hosts, "0.0.0.0:0", true
		if got := serve(t, cfg, native.Deps{}).asHost(t, "HTTP/1.1", "Host: "+c.host); got != c.want {
			t.Errorf("%s: answered %d, want %d", name, got, c.want)
		}
	}
}

func TestACallUnderAnUnknownHostIsRefusedAtEveryPath(t *testing.T) {
	status := func() status.Report { return status.Report{} }
	deps := native.Deps{Status: status, Metrics: http.NotFoundHandler(), Events: receiving()}
	for name, s := range map[string]*server{"api": serve(t, listener(), deps), "admin": admin(t, deps)} {
		for _, c := range []struct{ method, path string }{
			{"GET", "/v1/status"}, {"GET", "/readyz"}, {"GET", "/livez"}, {"GET", "/metrics"}, {"POST", "/v1/evict"},
			{"POST", "/v1/decisions"}, {"POST", "/v1/decisions/batch"}, {"OPTIONS", "/v1/evict"},
			{"GET", "/nowhere"},
		} {
			r, err := http.NewRequestWithContext(t.Context(), c.method, s.url+c.path,
				strings.NewReader(`{"all":true}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = "evil.example"
			r.Header = http.Header{"Content-Type": {"application/json"}, "Origin": {"http://evil.example"}}
			resp, body := s.send(t, r)
			expectError(t, resp, body, http.StatusMisdirectedRequest, "unknown_host", "")
			if t.Failed() {
				t.Fatalf("%s: %s %s", name, c.method, c.path)
			}
		}
	}
}

func TestEventsAreAcceptedUnderEveryHost(t *testing.T) {
	s := admin(t, native.Deps{Metrics: http.NotFoundHandler(), Events: receiving(),
		Status: func() status.Report { return status.Report{} }})
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/v1/events/acme/backchannel-logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "sidecar.public.example"
	if resp, body := s.send(t, r); resp.StatusCode == http.StatusMisdirectedRequest {
		t.Errorf("answered %s %s", resp.Status, body)
	}
}

// onSocket runs the api listener on a Unix socket, and returns its path.
func onSocket(t *testing.T) (*server, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg, path := listener(), filepath.Join(dir, "api.sock")
	cfg.Address = "unix://" + path
	s := serve(t, cfg, native.Deps{})
	s.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	s.url = "http://anything.example"
	return s, path
}

func TestAUnixSocketHasNoNames(t *testing.T) {
	s, _ := onSocket(t)
	if resp, body := s.do(t, "GET", "/livez", "", nil); resp.StatusCode != 200 {
		t.Errorf("answered %s %s", resp.Status, body)
	}
}

func TestReadinessShowsNothingOfPolicies(t *testing.T) {
	report := status.Report{Ready: true, Policy: status.Policy{
		Revision: "r1", Bundles: map[string]string{"/srv/policies": ""},
		Errors: []status.Problem{{File: "/srv/a.rego", Message: "no", Text: "/srv/a.rego:3:1: no"}},
	}}
	deps := native.Deps{Metrics: http.NotFoundHandler(), Status: func() status.Report { return report }}
	for name, s := range map[string]*server{"api": serve(t, listener(), deps), "admin": admin(t, deps)} {
		resp, body := s.do(t, "GET", "/readyz", "", nil)
		if resp.StatusCode != 200 || strings.Contains(body, "/srv") || !strings.Contains(body, `"healthy": false`) ||
			!strings.Contains(body, `"revision": "r1"`) {
			t.Errorf("%s: %s %s", name, resp.Status, body)
		}
	}
}
