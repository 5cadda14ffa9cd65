package telemetry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// receiver is a collector: the real protocol on a real socket.
type receiver struct {
	*httptest.Server
	broken atomic.Bool

	mu    sync.Mutex
	paths []string
	got   []*collector.ExportTraceServiceRequest
	raw   bytes.Buffer
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, err := io.ReadAll(req.Body)
		var m collector.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(b, &m) != nil || r.broken.Load() {
			w.WriteHeader(http.StatusBadRequest) // not retried, unlike 503
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.paths, r.got = append(r.paths, req.URL.Path), append(r.got, &m)
		r.raw.Write(b)
	}))
	t.Cleanup(r.Close)
	return r
}

// spans returns what came, by name.
func (r *receiver) spans() map[string]*otlp.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]*otlp.Span{}
	for _, m := range r.got {
		for _, rs := range m.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					all[s.Name] = s
				}
			}
		}
	}
	return all
}

func tracer(t *testing.T, cfg TraceConfig, log io.Writer) *Tracer {
	t.Helper()
	tr, err := NewTracer(context.Background(), cfg, "1.2.3", slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Shutdown(context.Background()) })
	return tr
}

func shutdown(t *testing.T, tr *Tracer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := tr.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}

func header(value string) func(string) string {
	return func(name string) string {
		if name == "traceparent" {
			return value
		}
		return ""
	}
}

func TestTracesAreOffByDefault(t *testing.T) {
	tr, err := NewTracer(context.Background(), TraceConfig{Ratio: 1}, "", nil)
	if tr != nil || err != nil {
		t.Fatalf("NewTracer = %v, %v", tr, err)
	}
	ctx, get := context.Background(), header(parent)
	if n := testing.AllocsPerRun(100, func() {
		in := tr.Extract(ctx, get)
		in, span := tr.Start(in, "decide", Serving)
		span.SetString("a", "b")
		span.SetInt("n", 1)
		span.Fail(errors.ErrUnsupported)
		span.End()
		if id, sid := span.IDs(); id != "" || sid != "" || in != ctx {
			t.Error("a tracer that is off leaves marks")
		}
	}); n != 0 {
		t.Errorf("%v allocations while off", n)
	}
	if err := tr.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

func TestSpansReachTheCollectorUnderTheCallersTrace(t *testing.T) {
	r := newReceiver(t)
	// a sampled parent is followed whatever the ratio
	tr := tracer(t, TraceConfig{Endpoint: r.URL, Ratio: 0}, io.Discard)
	ctx, outer := tr.Start(tr.Extract(context.Background(), header(parent)), "decide", Serving)
	_, inner := tr.Start(ctx, "introspect", Calling)
	inner.SetString("issuer", "main")
	inner.SetInt("status", 503)
	inner.Fail(errors.New("no answer"))
	inner.Fail(nil)
	inner.End()
	_, work := tr.Start(ctx, "evaluate", Within)
	work.End()
	outer.End()
	traceID, spanID := outer.IDs()
	shutdown(t, tr)

	spans := r.spans()
	out, in := spans["decide"], spans["introspect"]
	if out == nil || in == nil || spans["evaluate"] == nil {
		t.Fatalf("spans %v", spans)
	}
	if traceID != "4bf92f3577b34da6a3ce929d0e0e4736" || hexOf(out.TraceId) != traceID || hexOf(out.SpanId) != spanID ||
		hexOf(out.ParentSpanId) != "00f067aa0ba902b7" || hexOf(in.ParentSpanId) != spanID {
		t.Errorf("trace %s, span %s: %v, %v", traceID, spanID, out, in)
	}
	if out.Kind != otlp.Span_SPAN_KIND_SERVER || in.Kind != otlp.Span_SPAN_KIND_CLIENT ||
		spans["evaluate"].Kind != otlp.Span_SPAN_KIND_INTERNAL {
		t.Error("wrong sides")
	}
	if in.Status.Code != otlp.Status_STATUS_CODE_ERROR || in.Status.Message != "no answer" ||
		out.Status.GetCode() == otlp.Status_STATUS_CODE_ERROR {
		t.Errorf("status %v, %v", in.Status, out.Status)
	}
	if a := in.Attributes; len(a) != 2 || a[0].Value.GetStringValue() != "main" || a[1].Value.GetIntValue() != 503 {
		t.Errorf("attributes %v", a)
	}
	if !strings.Contains(r.raw.String(), "1.2.3") || !strings.Contains(r.raw.String(), "service.name") {
		t.Error("the spans do not say whose they are")
	}
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	s := ""
	for _, c := range b {
		s += string(digits[c>>4]) + string(digits[c&15])
	}
	return s
}

func TestATraceThatIsNotSampledIsNotSentButHasIDs(t *testing.T) {
	r := newReceiver(t)
	tr := tracer(t, TraceConfig{Endpoint: r.URL, Ratio: 0}, io.Discard)
	_, span := tr.Start(context.Background(), "decide", Serving)
	span.SetString("a", "b")
	span.End()
	if id, sid := span.IDs(); len(id) != 32 || len(sid) != 16 {
		t.Errorf("ids %q, %q", id, sid)
	}
	shutdown(t, tr)
	if len(r.spans()) != 0 {
		t.Errorf("sent %v", r.spans())
	}
}

func TestATraceparentThatCannotBeReadIsIgnored(t *testing.T) {
	r := newReceiver(t)
	tr := tracer(t, TraceConfig{Endpoint: r.URL, Ratio: 1}, io.Discard)
	for _, value := range []string{"", "00-xyz", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"} {
		_, span := tr.Start(tr.Extract(context.Background(), header(value)), "decide", Serving)
		span.End()
		if id, _ := span.IDs(); len(id) != 32 || strings.Trim(id, "0") == "" {
			t.Errorf("%q begins trace %q", value, id)
		}
	}
	if ctx := context.Background(); tr.Extract(ctx, nil) != ctx {
		t.Error("no headers change the context")
	}
}

func TestASpanNeverHoldsACredential(t *testing.T) {
	r := newReceiver(t)
	tr := tracer(t, TraceConfig{Endpoint: r.URL, Ratio: 1}, io.Discard)
	_, span := tr.Start(context.Background(), "decide", Serving)
	for _, key := range []string{"token", "http.request.header.authorization", "client_secret"} {
		span.SetString(key, "7Fjfp0ZBr1KtDRbnfVdmIw")
	}
	span.End()
	shutdown(t, tr)
	if len(r.spans()) != 1 || strings.Contains(r.raw.String(), "7Fjfp0ZBr1KtDRbnfVdmIw") {
		t.Errorf("leaks: %v", r.spans())
	}
}

func TestTracesGoWhereOTLPPutsThem(t *testing.T) {
	for path, want := range map[string]string{"": "/v1/traces", "/": "/v1/traces", "/otlp": "/otlp/v1/traces",
		"/otlp/v1/traces": "/otlp/v1/traces"} {
		r := newReceiver(t)
		tr := tracer(t, TraceConfig{Endpoint: r.URL + path, Ratio: 1}, io.Discard)
		_, span := tr.Start(context.Background(), "decide", Serving)
		span.End()
		shutdown(t, tr)
		if len(r.paths) != 1 || r.paths[0] != want {
			t.Errorf("%q is sent to %q, want %q", path, r.paths, want)
		}
	}
}

func TestAnEndpointThatCannotBeIsRefusedAndNotShown(t *testing.T) {
	for _, cfg := range []TraceConfig{
		{Endpoint: "http://user:hunter2@127.0.0.1:4318", Ratio: 1},
		{Endpoint: "ftp://hunter2", Ratio: 1},
		{Endpoint: "http://127.0.0.1:hunter2", Ratio: 1},
		{Endpoint: "http://127.0.0.1:4318?key=hunter2", Ratio: 1},
		{Endpoint: "http://127.0.0.1:4318", Ratio: 1.5},
	} {
		tr, err := NewTracer(context.Background(), cfg, "", nil)
		if tr != nil || err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("NewTracer = %v, %v", tr, err)
		}
	}
}

func TestACollectorThatIsDownIsReportedOnceAndWhenItIsBack(t *testing.T) {
	r := newReceiver(t)
	var told bytes.Buffer
	tr := tracer(t, TraceConfig{Endpoint: r.URL, Ratio: 1}, &told)
	send := func() {
		_, span := tr.Start(context.Background(), "decide", Serving)
		span.End()
		if err := tr.provider.ForceFlush(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	r.broken.Store(true)
	send()
	send()
	r.broken.Store(false)
	send()
	send()
	shutdown(t, tr)
	if strings.Count(told.String(), "level=WARN") != 1 || strings.Count(told.String(), "level=INFO") != 1 {
		t.Errorf("told:\n%s", told.String())
	}
}

func TestShutdownDoesNotWaitForACollectorThatHangs(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer srv.Close()
	defer close(release)
	tr := tracer(t, TraceConfig{Endpoint: srv.URL, Ratio: 1}, io.Discard)
	_, span := tr.Start(context.Background(), "decide", Serving)
	span.End()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_ = tr.Shutdown(ctx)
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}
