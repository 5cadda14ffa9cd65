package extauthz_test

import (
	"context"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/authz-sidecar/sidecar/internal/door/extauthz"
)

const authorization = "envoy.service.auth.v3.Authorization"

// health is what the health service says of a service.
func (w *world) health(t *testing.T, service string) string {
	t.Helper()
	out, err := healthv1.NewHealthClient(w.conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
	if err != nil {
		return status.Code(err).String()
	}
	return out.GetStatus().String()
}

func TestTheHealthServiceSaysWhetherTheSidecarServes(t *testing.T) {
	var ready atomic.Bool
	w := serve(t, listener(), extauthz.Deps{Point: says(allowed()), Ready: ready.Load})
	for _, service := range []string{"", authorization} {
		ready.Store(false)
		if got := w.health(t, service); got != "NOT_SERVING" {
			t.Errorf("%q before: %s", service, got)
		}
		ready.Store(true)
		if got := w.health(t, service); got != "SERVING" {
			t.Errorf("%q: %s", service, got)
		}
	}
	if got := w.health(t, "other"); got != codes.NotFound.String() {
		t.Errorf("another service is %s", got)
	}
	list, err := healthv1.NewHealthClient(w.conn).List(t.Context(), &healthv1.HealthListRequest{})
	if err != nil || len(list.GetStatuses()) != 2 {
		t.Errorf("got %v, %v", list, err)
	}
}

func TestAWatcherOfTheHealthIsToldOfChangesAndOfTheStop(t *testing.T) {
	var ready atomic.Bool
	w := serve(t, listener(), extauthz.Deps{Point: says(allowed()), Ready: ready.Load})
	s, err := healthv1.NewHealthClient(w.conn).Watch(t.Context(), &healthv1.HealthCheckRequest{Service: authorization})
	if err != nil {
		t.Fatal(err)
	}
	next := func() string {
		out, err := s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return out.GetStatus().String()
	}
	if got := next(); got != "NOT_SERVING" {
		t.Errorf("first %s", got)
	}
	ready.Store(true)
	if got := next(); got != "SERVING" {
		t.Errorf("then %s", got)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- w.Shutdown(context.Background()) }()
	if got := next(); got != "NOT_SERVING" {
		t.Errorf("at the stop %s", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("the stop ended with %v", err)
	}
}

func TestAnUnknownServiceIsWatchedAsUnknown(t *testing.T) {
	w := serve(t, listener(), extauthz.Deps{Point: says(allowed())})
	s, err := healthv1.NewHealthClient(w.conn).Watch(t.Context(), &healthv1.HealthCheckRequest{Service: "other"})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.Recv(); err != nil || out.GetStatus().String() != "SERVICE_UNKNOWN" {
		t.Errorf("got %v, %v", out, err)
	}
}

// TestNothingElseIsServed: in particular no reflection.
func TestNothingElseIsServed(t *testing.T) {
	w := serve(t, listener(), extauthz.Deps{Point: says(allowed())})
	for _, method := range []string{"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
		"/" + authorization + "/Other"} {
		err := w.conn.Invoke(t.Context(), method, &healthv1.HealthCheckRequest{}, &healthv1.HealthCheckResponse{})
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v", method, err)
		}
	}
}
