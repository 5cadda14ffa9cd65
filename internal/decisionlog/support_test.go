package decisionlog

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// tally reads what a Log counts.
type tally struct{ testkit.Registry }

func newTally() tally { return tally{testkit.NewRegistry()} }

func (c tally) of(t *testing.T, outcome string) int64 {
	t.Helper()
	return int64(c.Value(t, `sidecar_decisionlog_events_total{outcome="`+outcome+`"}`))
}

func (c tally) written(t *testing.T) int64 { return c.of(t, "written") }
func (c tally) dropped(t *testing.T) int64 { return c.of(t, "dropped") }

func (c tally) lost(t *testing.T, why string) int64 {
	t.Helper()
	return int64(c.Value(t, `sidecar_decisionlog_dropped_total{reason="`+why+`"}`))
}

func (c tally) is(t *testing.T, written, dropped, suppressed, failed int64) {
	t.Helper()
	got := [4]int64{c.written(t), c.dropped(t), c.of(t, "suppressed"),
		int64(c.Value(t, "sidecar_decisionlog_failures_total"))}
	if want := [4]int64{written, dropped, suppressed, failed}; got != want {
		t.Errorf("written, dropped, suppressed, failed = %v, want %v", got, want)
	}
}

// sinkFunc is a standard output under the test's control.
type sinkFunc func([]byte) (int, error)

func (f sinkFunc) Write(p []byte) (int, error) { return f(p) }

func open(t *testing.T, cfg Config, deps Deps) *Log {
	t.Helper()
	if cfg.Queue == 0 {
		cfg.Queue = 1024
	}
	if cfg.QueueBytes == 0 {
		cfg.QueueBytes = 64 << 20
	}
	l, err := Open(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return l
}

func closeLog(t *testing.T, l *Log) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func events(t *testing.T, b []byte) []map[string]any {
	t.Helper()
	var all []map[string]any
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var e map[string]any
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		all = append(all, e)
	}
	return all
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func numbered(i int) *Record {
	return &Record{DecisionID: fmt.Sprint(i), Path: "authz/decision", Time: time.Unix(1, 0)}
}

// text is an Appender.
type text string

func (v text) AppendJSON(dst []byte) ([]byte, error) { return append(dst, v...), nil }

// broken is an Appender that fails half-way.
type broken struct{}

func (broken) AppendJSON(dst []byte) ([]byte, error) {
	return append(dst, `{"half`...), errors.New("value has no form")
}

// panics is an Appender and a Masker with a bug.
type panics struct{}

func (panics) AppendJSON([]byte) ([]byte, error) { panic("bug") }
func (panics) Mask([]byte) (authz.Mask, error)   { panic("bug") }

// line writes r through a whole Log and returns its one event; nil when there is none.
func line(t *testing.T, r *Record) map[string]any {
	t.Helper()
	return lineOf(t, r, newTally(), nil)
}

func lineOf(t *testing.T, r *Record, seen tally, told *slog.Logger) map[string]any {
	t.Helper()
	var out bytes.Buffer
	l := open(t, Config{Stdout: true, Labels: map[string]string{"site": "berlin"}},
		Deps{Stdout: &out, Metrics: seen, Log: told, ID: "id-1", Version: "1.2.3"})
	l.Write(r)
	closeLog(t, l)
	all := events(t, out.Bytes())
	if bytes.Count(out.Bytes(), []byte("\n")) != len(all) || len(all) > 1 {
		t.Fatalf("not one line: %s", out.Bytes())
	}
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// at follows names into an event.
func at(e map[string]any, names ...string) any {
	var v any = e
	for _, name := range names {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

func same(t *testing.T, got any, want string) {
	t.Helper()
	var w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, w) {
		g, _ := json.Marshal(got)
		t.Errorf("got  %s\nwant %s", g, want)
	}
}

func realistic() *Record {
	return &Record{
		DecisionID: "01JD7Q4W0V5M7Z8S9T0A1B2C3D", Time: time.Date(2026, 11, 22, 10, 11, 12, 13000,
			time.FixedZone("", 3600)),
		Path: "authz/decision", Bundles: map[string]authz.BundleRef{"orders": {Revision: "r1"}, "base": {}},
		Input: text(
			`{"version":1,"request":{"method":"GET","scheme":"https","host":"api.acme.example","port":443,"path":"/orders/42",` +
				`"raw_path":"/orders/42","segments":["orders","42"],"query":{"expand":["items"]},"headers":{"x-tenant":["acme"]},"source_ip":"10.1.2.3"},` +
				`"token":{"present":true,"active":true,"kind":"access","scheme":"bearer","source":"introspection","issuer":"https://as.example",` +
				`"subject":{"id":"alice","type":"user"},"client_id":"shop","scopes":["orders:read"],"audiences":["orders"],"tenant":"acme",` +
				`"issued_at":1732268400,"expires_at":1732272000,"age":1.25,"stale":false,"claims":{"active":true,"sub":"alice","iat":1732268400}}}`),
		Result: text(`{"allow":false,"reasons":[{"code":"insufficient_scope"}]}`),
		Kind:   authz.Deny, Status: 403, PolicyDigest: "sha256:abc", Introspection: Hit,
		Reasons: []authz.Reason{{Code: "insufficient_scope", Message: "orders:write is needed"},
			{Code: "x", Object: []byte(`{"code":"x","need":2}`)}},
		RequestedBy: "127.0.0.1:5000", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", SpanID: "00f067aa0ba902b7",
		Total: 40 * time.Microsecond, Introspect: time.Microsecond, Eval: 20 * time.Microsecond,
	}
}
