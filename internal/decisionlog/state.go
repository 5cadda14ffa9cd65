package decisionlog

import (
	"errors"
	"sync"
	"time"
)

// The reasons why events are dropped. They are a closed set.
const (
	// QueueFull: as many events wait as the configuration allows.
	QueueFull = "queue_full"
	// QueueBytes: the events that wait take as much memory as the configuration allows.
	QueueBytes = "queue_bytes"
	// SinkFailed: a sink could not be written.
	SinkFailed = "sink_failed"
	// Closing: the log was closed, or ran out of time to write what was left.
	Closing = "closing"
)

// Status is the state of a Log.
type Status struct {
	// Queued events wait for the writer; they take QueuedBytes of memory, estimated.
	Queued      int
	QueuedBytes int64
	// Written and Dropped count events since the start.
	Written, Dropped uint64
	// LastError is why a sink or a mask failed last, and LastErrorAt when; empty when none did.
	LastError   string
	LastErrorAt time.Time
	Sinks       []SinkStatus
}

// SinkStatus is the state of one sink.
type SinkStatus struct {
	// Kind is stdout or file.
	Kind string
	// Error is why it cannot be written since Since; empty while it can.
	Error string
	Since time.Time
}

// state is what a Log knows about itself for others to read.
type state struct {
	mu               sync.Mutex
	written, dropped uint64
	last             string
	lastAt           time.Time
	sinks            []SinkStatus
	begun            []time.Time // of the write under way, by sink; zero when there is none
}

// stalledAfter is how long a write may take before the status says so.
const stalledAfter = time.Second

// begin records that a write to sink i begins.
func (s *state) begin(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun[i] = time.Now()
}

// now returns the state of the sinks.
func (s *state) now() []SinkStatus {
	out := append([]SinkStatus(nil), s.sinks...)
	for i, begun := range s.begun {
		if out[i].Error == "" && !begun.IsZero() && time.Since(begun) > stalledAfter {
			out[i].Error, out[i].Since = "a write does not end: its reader, or its disk, does not answer", begun
		}
	}
	return out
}

// failed records an error, without the name of the file.
func (s *state) failed(err error) {
	if e, ok := errors.AsType[*sinkError](err); ok {
		err = e.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.lastAt = err.Error(), time.Now()
}

// sink records the outcome of a write to sink i.
func (s *state) sink(i int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := &s.sinks[i]
	s.begun[i] = time.Time{}
	if err == nil {
		at.Error, at.Since = "", time.Time{}
		return
	}
	if e, ok := errors.AsType[*sinkError](err); ok {
		err = e.err
	}
	if at.Error == "" {
		at.Since = time.Now()
	}
	at.Error = err.Error()
}

// Status returns the state of l; the zero Status for a Log without sinks.
func (l *Log) Status() Status {
	if l == nil {
		return Status{}
	}
	l.state.mu.Lock()
	defer l.state.mu.Unlock()
	return Status{
		Queued: len(l.queue), QueuedBytes: l.bytes.Load(), Written: l.state.written,
		Dropped:   l.state.dropped + l.dropped.Load(),
		LastError: l.state.last, LastErrorAt: l.state.lastAt, Sinks: l.state.now(),
	}
}
