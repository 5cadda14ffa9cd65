package native_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door/native"
)

func TestNoPathAllowsTheCheckOfAGateway(t *testing.T) {
	deps := native.Deps{Metrics: http.NotFoundHandler()}
	for listener, s := range map[string]*server{"api": serve(t, listener(), deps), "admin": admin(t, deps)} {
		for _, header := range []string{"X-Original-Method", "X-Original-URI", "X-Original-URL", "X-Original-Scheme",
			"X-Auth-Request-Redirect", "X-Forwarded-Method", "X-Forwarded-Uri"} {
			for _, call := range []string{"GET /", "HEAD /", "GET /livez", "GET /readyz", "GET /openapi.json",
				"GET /v1/status", "GET /metrics", "POST /v1/decisions", "GET /check"} {
				method, path, _ := strings.Cut(call, " ")
				r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set(header, "/orders/42")
				resp, body := s.send(t, r)
				if method != http.MethodHead {
					expectError(t, resp, body, http.StatusMisdirectedRequest, "gateway_check", "")
				}
				if resp.StatusCode != http.StatusMisdirectedRequest || t.Failed() {
					t.Fatalf("%s: %s with %s: %s", listener, call, header, resp.Status)
				}
			}
		}
	}
}

func TestACallThroughAPlainProxyIsNoCheck(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"} {
		r.Header.Set(header, "127.0.0.1")
	}
	if resp, body := s.send(t, r); resp.StatusCode != http.StatusOK {
		t.Errorf("answered %s %s", resp.Status, body)
	}
}

func TestACheckOverGRPCIsToldWhereItBelongs(t *testing.T) {
	s := serve(t, listener(), native.Deps{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	answer, err := io.ReadAll(conn)
	if err != nil && len(answer) == 0 {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(answer), "HTTP/1.1 421 ") || !strings.Contains(string(answer), "listen.grpc") {
		t.Errorf("answered %q", answer)
	}
}
