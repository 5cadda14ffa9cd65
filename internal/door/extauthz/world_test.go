package extauthz_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/extauthz"
	"github.com/authz-sidecar/sidecar/internal/listen"
)

// decide is a Point.
type decide func(context.Context, authz.Query) authz.Decision

func (f decide) Decide(ctx context.Context, q authz.Query) authz.Decision { return f(ctx, q) }

// Callable implements extauthz.Point.
func (decide) Callable(entrypoint string) bool { return entrypoint != "unknown" }

// says is a Point that always decides d.
func says(d authz.Decision) decide {
	return func(context.Context, authz.Query) authz.Decision { return d }
}

func allowed() authz.Decision {
	return authz.Decision{ID: "d1", Kind: authz.Allow, Status: 200}
}

// listener is on a free port. What must be good has time.
func listener() extauthz.Config {
	return extauthz.Config{Config: listen.Config{Address: "127.0.0.1:0", Limits: listen.Limits{
		BodyBytes: 1 << 20, HeaderBytes: 64 << 10, BatchItems: 1, ReadTimeout: time.Minute, Timeout: time.Minute,
		IdleTimeout: time.Minute,
	}}}
}

// world is a door that serves, and a connection to it.
type world struct {
	*extauthz.Door
	conn   *grpc.ClientConn
	client authv3.AuthorizationClient
	calls  *listen.Calls
}

func serve(t testing.TB, cfg extauthz.Config, deps extauthz.Deps, options ...grpc.DialOption) *world {
	t.Helper()
	if deps.Ready == nil {
		deps.Ready = func() bool { return true }
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	w := &world{calls: new(listen.Calls)}
	var err error
	w.Door, err = extauthz.Open(cfg, deps, listen.Deps{Name: "grpc", Log: deps.Log, Calls: w.calls})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- w.Serve() }()
	t.Cleanup(func() {
		over, stop := context.WithCancel(context.Background())
		stop()
		_ = w.Shutdown(over)
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	if len(options) == 0 {
		options = []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	}
	options = append(options, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, w.Addr().Network(), w.Addr().String())
	}))
	if w.conn, err = grpc.NewClient("passthrough:///envoy-calls-it-so", options...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.conn.Close() })
	w.client = authv3.NewAuthorizationClient(w.conn)
	return w
}

// check asks, with metadata given as names and values in turn.
func (w *world) check(t *testing.T, in *authv3.CheckRequest, kv ...string) *authv3.CheckResponse {
	t.Helper()
	out, err := w.client.Check(metadata.AppendToOutgoingContext(t.Context(), kv...), in)
	if err != nil {
		t.Fatalf("the call failed, which failure_mode_allow lets pass: %v", err)
	}
	sound(t, out)
	return out
}

// sound fails unless Envoy can read an answer in one way only.
func sound(t testing.TB, out *authv3.CheckResponse) {
	t.Helper()
	ok := out.GetStatus() != nil && out.GetStatus().GetCode() == 0
	if out.GetStatus() == nil || ok != (out.GetOkResponse() != nil) || ok == (out.GetDeniedResponse() != nil) ||
		out.GetErrorResponse() != nil {
		t.Fatalf("Envoy may let this pass: %v", out)
	}
	if code := out.GetDeniedResponse().GetStatus().GetCode(); !ok && (code < 400 || code > 599) {
		t.Fatalf("a denial has status %d", code)
	}
}

// get is the check of GET /orders/42.
func get() *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
		Http: &authv3.AttributeContext_HttpRequest{Id: "7", Method: "GET", Path: "/orders/42",
			Host:   "app.example.test",
			Scheme: "https", Protocol: "HTTP/2", Headers: map[string]string{":path": "/orders/42",
				"authorization": "Bearer t"}},
	}}}
}
