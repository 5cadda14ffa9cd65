package extauthz_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door/extauthz"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestTheTraceOfACallGoesOn(t *testing.T) {
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer collector.Close()
	log := &testkit.LogBuffer{}
	tracer, err := telemetry.NewTracer(t.Context(), telemetry.TraceConfig{Endpoint: collector.URL, Ratio: 1}, "test",
		log.Logger())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tracer.Shutdown(context.Background()) }()
	var trace string
	w := serve(t, listener(), extauthz.Deps{Tracer: tracer,
		Point: decide(func(ctx context.Context, _ authz.Query) authz.Decision {
			_, span := tracer.Start(ctx, "decision", telemetry.Within)
			defer span.End()
			trace, _ = span.IDs()
			return allowed()
		})})
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	w.check(t, get(), "traceparent", "00-"+id+"-00f067aa0ba902b7-01")
	if trace != id {
		t.Errorf("the trace of the decision is %q", trace)
	}
	w.check(t, get(), "traceparent", "no trace")
	if len(trace) != len(id) || trace == id {
		t.Errorf("without a trace it is %q", trace)
	}
}
