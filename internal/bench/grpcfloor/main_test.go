//go:build bench

// Package grpcfloor is a program: the least that a Go server can do for a check of Envoy. Its test binary is the
// server.
package grpcfloor

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
)

// allows lets every request pass.
type allows struct {
	authv3.UnimplementedAuthorizationServer
}

// Check implements authv3.AuthorizationServer.
func (allows) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{Status: &status.Status{},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{}}}, nil
}

// TestMain serves on the address in BENCH_FLOOR_ADDRESS until it is killed. Without one there is nothing to do.
func TestMain(_ *testing.M) {
	address := os.Getenv("BENCH_FLOOR_ADDRESS")
	if address == "" {
		return
	}
	ln, err := net.Listen("tcp", address)
	if err == nil {
		s := grpc.NewServer()
		authv3.RegisterAuthorizationServer(s, allows{})
		err = s.Serve(ln)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
