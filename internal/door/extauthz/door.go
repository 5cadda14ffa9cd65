// Package extauthz is the door for Envoy's external authorization over gRPC: envoy.service.auth.v3.Authorization, and
// the gRPC health service. It alone imports gRPC and Envoy's types.
//
// Envoy lets a request pass after a call that failed when its failure_mode_allow is set. So the door answers every
// call, also those that it refuses to read, by a denial; a gRPC error is left to a sidecar that is gone.
package extauthz

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/metrics"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

// Point decides.
type Point interface {
	Decide(ctx context.Context, q authz.Query) authz.Decision
	// Callable reports whether callers may name an entrypoint.
	Callable(entrypoint string) bool
}

// Deps are what the door works with.
type Deps struct {
	Point Point
	// Ready reports whether the sidecar serves: what the health service says.
	Ready func() bool
	// Log gets why a check was refused without a decision.
	Log *slog.Logger
	// Metrics counts the checks; nil counts for itself.
	Metrics metrics.Registerer
	// Tracer continues the traces of calls; nil when traces are off.
	Tracer *telemetry.Tracer
}

// Door serves checks on one listener. It is a door of an app.
type Door struct {
	ln     *connections
	server *grpc.Server
	health *health
}

// Open opens the listener that cfg names.
func Open(cfg Config, deps Deps, on listen.Deps) (*Door, error) {
	guard, err := listen.NewGuard(cfg.Config, on)
	if err != nil {
		return nil, err
	}
	on.Protocols = []string{"h2"} // clients of gRPC insist on it
	ln, err := listen.Open(cfg.Config, on)
	if err != nil {
		return nil, err
	}
	d := &Door{ln: track(ln), server: grpc.NewServer(options(cfg.Limits)...), health: newHealth(deps.Ready)}
	c := &checks{cfg: cfg, deps: deps, guard: guard, calls: on.Calls, outcomes: newOutcomes(deps.Metrics),
		limited: door.NewComplaints(deps.Log, undecided()...)}
	d.server.RegisterService(authorization(c), nil)
	healthv1.RegisterHealthServer(d.server, d.health)
	return d, nil
}

// Limits of connections that no key sets.
const (
	// mostReceived is the size from which on a message is not even received, and the call fails.
	mostReceived = 64 << 20
	// maxStreams is how many calls one connection of Envoy may have under way.
	maxStreams = 1000
	// workers is how many goroutines are kept for calls. An evaluation needs a large stack: in November 2026 (grpc
	// 1.85) the growth of a new one took half of the processor time of a check.
	workers = 32
	// pingEvery is how often a silent caller is asked whether it is there, and pingTimeout how long it may take.
	pingEvery, pingTimeout = time.Minute, 20 * time.Second
	// leastPingInterval is how often a caller may ask the same, also without calls under way.
	leastPingInterval = 10 * time.Second
)

func options(limits listen.Limits) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.Creds(telling{insecure.NewCredentials()}),
		grpc.ForceServerCodecV2(newCodec(limits.BodyBytes)),
		grpc.MaxRecvMsgSize(int(max(limits.BodyBytes, mostReceived))),
		grpc.MaxHeaderListSize(uint32(limits.HeaderBytes)),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.NumStreamWorkers(workers),
		grpc.ConnectionTimeout(limits.ReadTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: limits.IdleTimeout, Time: pingEvery, Timeout: pingTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: leastPingInterval, PermitWithoutStream: true,
		}),
	}
}

// authorization describes the service to gRPC as one of streams, and not of single messages: so the
// handler looks at the caller key before the message, and bounds the time for it. On the wire both are the same.
func authorization(c *checks) *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: authv3.Authorization_ServiceDesc.ServiceName,
		Metadata:    authv3.Authorization_ServiceDesc.Metadata,
		Streams: []grpc.StreamDesc{{
			StreamName: "Check", ClientStreams: true,
			Handler: func(_ any, s grpc.ServerStream) error { return c.serve(s) },
		}},
	}
}

// Addr is the address of the listener, with the port that it got for port 0.
func (d *Door) Addr() net.Addr { return d.ln.Addr() }

// Serve serves until Shutdown, and then returns nil.
func (d *Door) Serve() error {
	if err := d.server.Serve(d.ln); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// silentGrace is how long a connection without a call may still begin one, once the door stops.
const silentGrace = 250 * time.Millisecond

// Shutdown accepts no new calls, and waits for those under way. When ctx ends first, their connections are closed and
// the error says so. A Door that never served is closed too.
func (d *Door) Shutdown(ctx context.Context) error {
	d.health.stop()
	defer func() { _ = d.ln.Close() }() // gRPC knows it only once it serves
	ended := make(chan struct{})
	go func() { // ends when the last handler does
		defer close(ended)
		d.server.GracefulStop()
	}()
	grace := time.AfterFunc(silentGrace, d.ln.closeSilent)
	defer grace.Stop()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		d.ln.closeAll()
		d.server.Stop()
		return ctx.Err()
	}
}
