package extauthz

import (
	"context"
	"sync"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// lookEvery is how often a watcher of the health is told of a change.
const lookEvery = time.Second

// health is the gRPC health service: it says what the readiness probe says, and wants no caller key.
type health struct {
	healthv1.UnimplementedHealthServer
	ready   func() bool
	stopped chan struct{}
	stop    func()
}

func newHealth(ready func() bool) *health {
	h := &health{ready: ready, stopped: make(chan struct{})}
	h.stop = sync.OnceFunc(func() { close(h.stopped) })
	return h
}

// services are those whose health may be asked; the empty name is that of the whole server.
func services() []string { return []string{"", authv3.Authorization_ServiceDesc.ServiceName} }

func (h *health) of(service string) healthv1.HealthCheckResponse_ServingStatus {
	for _, known := range services() {
		if service == known {
			return h.now()
		}
	}
	return healthv1.HealthCheckResponse_SERVICE_UNKNOWN
}

func (h *health) now() healthv1.HealthCheckResponse_ServingStatus {
	select {
	case <-h.stopped:
	default:
		if h.ready() {
			return healthv1.HealthCheckResponse_SERVING
		}
	}
	return healthv1.HealthCheckResponse_NOT_SERVING
}

// Check implements healthv1.HealthServer.
func (h *health) Check(
	_ context.Context, r *healthv1.HealthCheckRequest,
) (*healthv1.HealthCheckResponse, error) {
	now := h.of(r.GetService())
	if now == healthv1.HealthCheckResponse_SERVICE_UNKNOWN {
		return nil, status.Error(codes.NotFound, "unknown service")
	}
	return &healthv1.HealthCheckResponse{Status: now}, nil
}

// List implements healthv1.HealthServer.
func (h *health) List(context.Context, *healthv1.HealthListRequest) (*healthv1.HealthListResponse, error) {
	all := &healthv1.HealthListResponse{Statuses: map[string]*healthv1.HealthCheckResponse{}}
	for _, s := range services() {
		all.Statuses[s] = &healthv1.HealthCheckResponse{Status: h.now()}
	}
	return all, nil
}

// Watch implements healthv1.HealthServer. It ends when the door stops.
func (h *health) Watch(
	r *healthv1.HealthCheckRequest, to grpc.ServerStreamingServer[healthv1.HealthCheckResponse],
) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	said := healthv1.HealthCheckResponse_UNKNOWN
	for {
		if now := h.of(r.GetService()); now != said {
			if err := to.Send(&healthv1.HealthCheckResponse{Status: now}); err != nil {
				return err
			}
			said = now
		}
		select {
		case <-look.C:
		case <-to.Context().Done():
			return to.Context().Err()
		case <-h.stopped:
			if said == healthv1.HealthCheckResponse_SERVING {
				_ = to.Send(&healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_NOT_SERVING})
			}
			return nil
		}
	}
}
