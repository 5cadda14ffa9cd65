//go:build bench

package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// startGRPCFloor starts the least that a server of gRPC can be, asked the same as the sidecar.
func startGRPCFloor(t *testing.T, w *world) *target {
	t.Helper()
	program := build(t, "grpcfloor", "test", "-c", "-tags=bench", "./grpcfloor")
	address := freeAddress(t)
	p := start(t, []string{"BENCH_FLOOR_ADDRESS=" + address}, program)
	return &target{name: "gRPC, bare handler", proc: p, dial: checks(address, w.check()), rest: func() {}}
}

// check is the question of every run as Envoy asks it.
func (w *world) check() *authv3.CheckRequest {
	host, path, _ := strings.Cut(strings.TrimPrefix(asksURL, "https://"), "/")
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
		Http: &authv3.AttributeContext_HttpRequest{Method: asksMethod, Scheme: "https", Host: host, Path: "/" + path,
			Protocol: "HTTP/1.1", Headers: map[string]string{":authority": host, ":method": asksMethod,
				":path": "/" + path, ":scheme": "https", "authorization": "Bearer " + w.token, "x-tenant": asksTenant,
				"x-request-id": "8f7a1d52-5c1e-4d0e-9d4c-3f8a4b1f6a11", "x-forwarded-proto": "https"}},
	}}}
}

// subrequest is the question of every run as nginx asks it.
func (w *world) subrequest() []byte {
	scheme, rest, _ := strings.Cut(asksURL, "://")
	host, path, _ := strings.Cut(rest, "/")
	return fmt.Appendf(nil, "GET /check HTTP/1.1\r\nHost: sidecar\r\nX-Original-Method: %s\r\n"+
		"X-Original-Scheme: %s\r\nX-Original-Host: %s\r\nX-Original-URI: /%s\r\nX-Original-For: 192.0.2.7\r\n"+
		"Authorization: Bearer %s\r\nX-Tenant: %s\r\n\r\n", asksMethod, scheme, host, path, w.token, asksTenant)
}

// grpcCaller is one caller on a connection that it shares, as the requests of one thread of Envoy do.
type grpcCaller struct {
	conn   *grpc.ClientConn
	client authv3.AuthorizationClient
	ask    *authv3.CheckRequest
}

func (c grpcCaller) check() error {
	ctx, cancel := context.WithTimeout(context.Background(), answerIn)
	defer cancel()
	out, err := c.client.Check(ctx, c.ask)
	if err == nil && (out.GetStatus() == nil || out.GetOkResponse() == nil) {
		err = errors.New("answered something other than an allow")
	}
	return err
}

func (c grpcCaller) close() { _ = c.conn.Close() }

// sharing is how many callers share one connection.
const sharing = 16

// checks asks at address over gRPC.
func checks(address string, ask *authv3.CheckRequest) func(n int) ([]caller, error) {
	return func(n int) ([]caller, error) {
		var all []caller
		var last grpcCaller
		for i := range n {
			if i%sharing == 0 {
				conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
				if err != nil {
					closeAll(all)
					return nil, fmt.Errorf("connect to %s: %w", address, err)
				}
				last = grpcCaller{conn, authv3.NewAuthorizationClient(conn), ask}
			}
			all = append(all, last)
		}
		return all, nil
	}
}
