package native_test

import (
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
	s.client.Transport.(*http.Transport).Protocols = new(http.Protocols)
	s.client.Transport.(*http.Transport).Protocols.SetUnencryptedHTTP2(true)
	resp, body := s.do(t, "POST", "/envoy.service.auth.v3.Authorization/Check", "\x00\x00\x00\x00\x00",
		http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}})
	if resp.StatusCode != http.StatusMisdirectedRequest || !strings.Contains(body, "listen.grpc") {
		t.Errorf("answered %s %q", resp.Status, body)
	}
}
