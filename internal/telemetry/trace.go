package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/authz-sidecar/sidecar/internal/conf"
)

// scope names this instrumentation in every span.
const scope = "github.com/authz-sidecar/sidecar"

// Tracer makes spans and sends them in batches. A nil *Tracer is one that is off: it makes nothing, at next to no
// cost. It is safe for concurrent use.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// NewTracer returns a tracer that sends to cfg.Endpoint over OTLP/HTTP, or nil when there is none. It connects to
// nothing yet: a collector that is down is told to log, once each time it goes down, and costs its spans only.
// Errors never show the endpoint, which may hold a password. Headers, such as a key of the collector, are taken from
// the usual variables (OTEL_EXPORTER_OTLP_HEADERS).
func NewTracer(ctx context.Context, cfg TraceConfig, version string, log *slog.Logger) (*Tracer, error) {
	if cfg.Endpoint == "" {
		return nil, nil
	}
	if err := conf.Validate(cfg); err != nil {
		return nil, fmt.Errorf("set up traces: %w", err)
	}
	target, err := signalURL(cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(target))
	if err != nil {
		return nil, fmt.Errorf("set up traces: %v", err)
	}
	about, err := resource.New(ctx, resource.WithFromEnv(),
		resource.WithAttributes(attribute.String("service.name", "sidecar"),
			attribute.String("service.version", version)))
	if err != nil {
		_ = exporter.Shutdown(ctx)
		return nil, fmt.Errorf("set up traces: %v", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(&reporting{SpanExporter: exporter, log: log}),
		sdktrace.WithResource(about),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(cfg.Ratio))),
	)
	return &Tracer{provider: provider, tracer: provider.Tracer(scope, trace.WithInstrumentationVersion(version))}, nil
}

// signalURL is where traces go at an endpoint, as OTEL_EXPORTER_OTLP_ENDPOINT has it; one that names the place of
// traces already is taken as it is.
func signalURL(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", fmt.Errorf("set up traces: endpoint: is not a URL")
	}
	if !strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/v1/traces") {
		u = u.JoinPath("v1/traces")
	}
	return u.String(), nil
}

// Side says which side of a call a span is.
type Side uint8

// The sides.
const (
	Within  Side = iota // neither: work inside the process
	Serving             // the side that is called
	Calling             // the side that calls
)

func (s Side) kind() trace.SpanKind {
	switch s {
	case Serving:
		return trace.SpanKindServer
	case Calling:
		return trace.SpanKindClient
	case Within:
	}
	return trace.SpanKindInternal
}

// Start begins a span under that of ctx. name comes from a closed set. The caller ends the span.
func (t *Tracer) Start(ctx context.Context, name string, side Side) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx, s := t.tracer.Start(ctx, name, trace.WithSpanKind(side.kind()))
	return ctx, Span{s}
}

// Extract returns ctx with the caller's span in it, as W3C Trace Context sends it. get returns a header by its
// lower-case name, or "". What cannot be read is ignored, and the trace begins here (section 4.3).
func (t *Tracer) Extract(ctx context.Context, get func(name string) string) context.Context {
	if t == nil || get == nil {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, carrier(get))
}

// Shutdown sends what is left and ends the tracer.
func (t *Tracer) Shutdown(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("shut down traces: %v", err)
	}
	return nil
}

// carrier reads headers.
type carrier func(name string) string

// Get implements propagation.TextMapCarrier.
func (c carrier) Get(key string) string { return c(key) }

// Set implements propagation.TextMapCarrier; nothing is sent.
func (carrier) Set(string, string) {}

// Keys implements propagation.TextMapCarrier.
func (carrier) Keys() []string { return nil }

// Span is a piece of work in a trace. The zero Span is one that is off.
type Span struct{ s trace.Span }

// SetString notes a fact. One whose key names a credential is redacted.
func (s Span) SetString(key, value string) {
	if s.s == nil {
		return
	}
	if sensitive(key) {
		value = redacted
	}
	s.s.SetAttributes(attribute.String(key, value))
}

// SetInt notes a number.
func (s Span) SetInt(key string, value int64) {
	if s.s != nil {
		s.s.SetAttributes(attribute.Int64(key, value))
	}
}

// Fail marks the work as failed because of err; nil marks nothing.
func (s Span) Fail(err error) {
	if s.s != nil && err != nil {
		s.s.SetStatus(codes.Error, err.Error())
	}
}

// End ends the span. Nothing is noted on it afterwards.
func (s Span) End() {
	if s.s != nil {
		s.s.End()
	}
}

// IDs returns the trace and the span in lower-case hex, or "" and "" when traces are off.
func (s Span) IDs() (traceID, spanID string) {
	if s.s == nil {
		return "", ""
	}
	c := s.s.SpanContext()
	return c.TraceID().String(), c.SpanID().String()
}

// reporting tells the log when the collector goes away and when it is back, instead of OpenTelemetry's own handler,
// which is global.
type reporting struct {
	sdktrace.SpanExporter
	log  *slog.Logger
	down atomic.Bool
}

// ExportSpans implements sdktrace.SpanExporter.
func (r *reporting) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := r.SpanExporter.ExportSpans(ctx, spans)
	switch was := r.down.Swap(err != nil); {
	case err != nil && !was:
		r.log.Warn("traces cannot be sent; spans are lost", "error", err)
	case err == nil && was:
		r.log.Info("traces are sent again")
	}
	return nil
}
