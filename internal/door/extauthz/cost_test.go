package extauthz

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// decided is a Point that has decided beforehand, so that what is measured is the door alone.
type decided struct{ d authz.Decision }

func (p *decided) Decide(context.Context, authz.Query) authz.Decision { return p.d }
func (*decided) Callable(string) bool                                 { return true }

// stream is a call whose message is there.
type stream struct {
	grpc.ServerStream
	ctx     context.Context
	codec   codec
	message []byte
}

func (s *stream) Context() context.Context { return s.ctx }

func (s *stream) RecvMsg(into any) error {
	return s.codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(s.message)}, into)
}

func (s *stream) SendMsg(m any) error {
	out, err := s.codec.Marshal(m)
	out.Free()
	return err
}

// ordinaryCheck is what Envoy asks about a request of a browser's application.
func ordinaryCheck() *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: "192.0.2.7"}}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Id: "8f7a1d52-5c1e-4d0e-9d4c-3f8a4b1f6a11", Method: "GET", Scheme: "https", Host: "api.acme.example",
			Path: "/orders/42", Protocol: "HTTP/1.1", Headers: map[string]string{":authority": "api.acme.example",
				":method": "GET", ":path": "/orders/42", ":scheme": "https",
				"authorization": "Bearer 4JQmB0wH5m3Ye0vN4mT0m2i0K9yTzX3yYQ1pW7dZb1c", "x-tenant": "acme",
				"x-request-id": "8f7a1d52-5c1e-4d0e-9d4c-3f8a4b1f6a11", "x-forwarded-proto": "https"}}},
	}}
}

// repeated returns what makes one check again and again.
func repeated(tb testing.TB) func() {
	tb.Helper()
	var cfg Config
	cfg.Address = "127.0.0.1:0"
	cfg.Limits = listen.Limits{Timeout: time.Second, ReadTimeout: time.Second, BodyBytes: 1 << 20}
	guard, err := listen.NewGuard(cfg.Config, listen.Deps{Name: "grpc", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	point := &decided{authz.Decision{ID: "01JDR4M8S0000000000000000A", Kind: authz.Allow, Status: http.StatusOK,
		UpstreamHeaders: []authz.Header{{Name: "X-User", Values: []string{"alice"}}}}}
	log := slog.New(slog.DiscardHandler)
	c := &checks{cfg: cfg, deps: Deps{Point: point, Log: log}, guard: guard, calls: new(listen.Calls),
		outcomes: newOutcomes(nil), limited: door.NewComplaints(log, undecided()...)}
	message, err := proto.Marshal(ordinaryCheck())
	if err != nil {
		tb.Fatal(err)
	}
	ctx := metadata.NewIncomingContext(tb.Context(), metadata.MD{"user-agent": {"envoy"}})
	ctx = peer.NewContext(ctx, &peer.Peer{AuthInfo: &origin{address: "127.0.0.1:4711"}})
	s := &stream{ctx: ctx, codec: newCodec(cfg.Limits.BodyBytes), message: message}
	return func() {
		if err := c.serve(s); err != nil {
			tb.Fatal(err)
		}
	}
}

// What the door itself allocates for a check, its reading and its writing as protobuf included. A change that needs
// more has a reason for it.
func TestACheckAllocatesLittle(t *testing.T) {
	testkit.WithinAllocations(t, 87, repeated(t))
}

func BenchmarkCheck(b *testing.B) {
	check := repeated(b)
	b.ReportAllocs()
	for b.Loop() {
		check()
	}
}

// BenchmarkFloor is the least that there is to do for a check.
func BenchmarkFloor(b *testing.B) {
	message, err := proto.Marshal(ordinaryCheck())
	if err != nil {
		b.Fatal(err)
	}
	s := &stream{codec: newCodec(1 << 20), message: message}
	out := &authv3.CheckResponse{HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{}}}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.RecvMsg(new(authv3.CheckRequest)); err != nil {
			b.Fatal(err)
		}
		if err := s.SendMsg(out); err != nil {
			b.Fatal(err)
		}
	}
}
