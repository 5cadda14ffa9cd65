// Package testkit holds what the tests of several packages need: polling, a log that can be read, files, certificates,
// keys, ports. Only tests import it, which internal/floors_test.go enforces.
package testkit

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long Eventually waits: far longer than a condition needs on a machine with other work.
const patience = time.Minute

// Eventually polls until the condition holds, and fails t with its description when it does not hold within a minute.
func Eventually(t testing.TB, condition string, holds func() bool) {
	t.Helper()
	Within(t, patience, condition, holds)
}

// Within is Eventually with a deadline of its own, for what takes minutes. No test may need a short one.
func Within(t testing.TB, d time.Duration, condition string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(d)
	for pause := time.Millisecond; !holds(); pause = min(pause+pause/8, 50*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", d, condition)
		}
		time.Sleep(pause)
	}
}

// LogBuffer collects what one goroutine or process writes while another reads it. Its zero value is ready.
type LogBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends p.
func (b *LogBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns all that was written.
func (b *LogBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Has reports whether s was written.
func (b *LogBuffer) Has(s string) bool { return strings.Contains(b.String(), s) }

// Count returns how often s was written.
func (b *LogBuffer) Count(s string) int { return strings.Count(b.String(), s) }

// Logger writes into b as text, at every level.
func (b *LogBuffer) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Listen listens on a free port of 127.0.0.1. The listener is closed at the end of the test, when it is not closed by
// then.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}
