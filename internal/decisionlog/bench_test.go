package decisionlog

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
)

// BenchmarkWrite is what a decision pays for its event on the request path.
func BenchmarkWrite(b *testing.B) {
	l := &Log{queue: make(chan *Record, b.N), half: b.N + 1, counts: newCounts(nil)} // room for all: none is dropped
	r := realistic()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Write(r)
		}
	})
}

// BenchmarkEncode is what the writer pays for an event besides the system call.
func BenchmarkEncode(b *testing.B) {
	e := newEncoder([]byte(`{"id":"01JD7Q4W0V5M7Z8S9T0A1B2C3D","version":"1.2.3"}`), slog.New(slog.DiscardHandler))
	r := realistic()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = e.event(buf[:0], r)
	}
	b.SetBytes(int64(len(buf)))
}

// BenchmarkFile is the whole way of an event, into a file, with nothing dropped.
func BenchmarkFile(b *testing.B) {
	l, err := Open(Config{File: filepath.Join(b.TempDir(), "log"), Queue: 16384}, Deps{})
	if err != nil {
		b.Fatal(err)
	}
	r := realistic()
	b.ReportAllocs()
	for b.Loop() {
		l.queue <- r // waits for room, unlike Write
	}
	if err := l.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}
