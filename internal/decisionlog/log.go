// Package decisionlog writes one JSON event a decision, in the field names of OPA's decision log, off the request path.
//
// The request path hands over a pointer and goes on. One goroutine encodes, masks and writes what has gathered:
//
//	Write -> bounded queue -> encode -> mask -> one write a batch -> standard output, file
//
// What the log cannot take it drops, and counts. It never makes a decision wait.
package decisionlog

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// linger is how long the writer lets events gather before it writes: waking a goroutine and a system call for
	// each event would cost more than the event.
	linger = 5 * time.Millisecond
	// batchBytes ends a batch early.
	batchBytes = 64 << 10
	// keepBytes is the largest buffer kept from one batch to the next.
	keepBytes = 1 << 20
)

// Observer is told what becomes of events. Dropped is called on the request path: it must not block.
type Observer interface {
	// Written reports n events that reached every sink.
	Written(n int)
	// Dropped reports n events that are lost: the queue was full, or a sink failed.
	Dropped(n int)
	// Suppressed reports n events that the policy's own drop rule left out.
	Suppressed(n int)
	// Failed reports a failed write or a failed mask.
	Failed(err error)
}

// Deps is what a Log is given.
type Deps struct {
	// Stdout is where events go when the configuration asks for standard output.
	Stdout io.Writer
	// Observer may be nil.
	Observer Observer
	// Log is told of sinks that fail and recover; it may be nil.
	Log *slog.Logger
	// ID names this process in the labels of every event; empty means a random one.
	ID string
	// Version of the sidecar, in the labels of every event.
	Version string
}

// Log is an open decision log. A nil *Log is valid and does nothing. Its methods are safe for concurrent use.
type Log struct {
	queue   chan *Record
	half    int
	hurry   chan struct{} // the queue is half full: do not linger
	closing chan struct{} // closed by Close
	once    sync.Once
	done    chan struct{} // closed by run, when it has ended
	closed  atomic.Bool   // nothing takes from the queue any more
	abandon atomic.Bool   // Close ran out of time: drop the rest

	sinks    []*sink
	file     *sink // one of sinks, or nil
	observer Observer
	log      *slog.Logger

	// The rest belongs to run.
	enc      *encoder
	buf      []byte
	events   int
	maskDown bool
}

// Open opens the sinks that cfg names and starts the writer. Without any sink it returns nil, which is a valid Log.
// It is an error when a file cannot be opened for appending, or when a configured label is one of the sidecar's own.
func Open(cfg Config, deps Deps) (*Log, error) {
	if !cfg.Stdout && cfg.File == "" {
		return nil, nil
	}
	if cfg.Queue < 1 {
		return nil, fmt.Errorf("open decision log: queue %d: must be at least 1", cfg.Queue)
	}
	if cfg.Stdout && deps.Stdout == nil {
		return nil, fmt.Errorf("open decision log: no standard output")
	}
	fixed, err := labels(cfg.Labels, deps)
	if err != nil {
		return nil, err
	}
	l := &Log{
		queue: make(chan *Record, cfg.Queue), half: (cfg.Queue + 1) / 2, hurry: make(chan struct{}, 1),
		closing: make(chan struct{}), done: make(chan struct{}),
		observer: deps.Observer, log: deps.Log,
	}
	if l.observer == nil {
		l.observer = nobody{}
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.enc = newEncoder(fixed, l.log)
	l.enc.secret = newParameters(cfg.SecretParameters)
	if cfg.File != "" {
		if l.file, err = openFile(cfg.File); err != nil {
			return nil, err
		}
		l.sinks = append(l.sinks, l.file)
	}
	if cfg.Stdout {
		l.sinks = append(l.sinks, &sink{name: "stdout", w: deps.Stdout})
	}
	go l.run()
	return l, nil
}

// Write hands r over and returns at once. When the queue is full, or the Log is closed, r is dropped and counted.
func (l *Log) Write(r *Record) {
	if l == nil {
		return
	}
	select {
	case l.queue <- r:
	default:
		l.observer.Dropped(1)
		return
	}
	if l.closed.Load() { // asked after the send: either the last drain saw r, or this takes it back
		l.discard()
		return
	}
	if len(l.queue) >= l.half {
		select {
		case l.hurry <- struct{}{}:
		default:
		}
	}
}

// Queued is the number of events that wait for the writer.
func (l *Log) Queued() int {
	if l == nil {
		return 0
	}
	return len(l.queue)
}

// Reopen opens the file again under its name, for rotation: events written after it returns go to the new file.
// It waits for a write that is under way. After an error the old file stays in use.
func (l *Log) Reopen() error {
	if l == nil || l.file == nil {
		return nil
	}
	return l.file.reopen()
}

// Close writes what is queued, syncs and closes the file, and waits for the writer to end. Standard output is left
// open. When ctx ends first, a write may still be under way in the writer, which drops the rest once it returns.
func (l *Log) Close(ctx context.Context) error {
	if l == nil {
		return nil
	}
	l.once.Do(func() { close(l.closing) })
	select {
	case <-l.done:
	case <-ctx.Done():
		l.abandon.Store(true)
		return fmt.Errorf("close decision log: %d events not written: %w", len(l.queue), context.Cause(ctx))
	}
	if l.file == nil {
		return nil
	}
	return l.file.close()
}

// run is the writer.
func (l *Log) run() {
	defer close(l.done)
	timer := time.NewTimer(linger)
	defer timer.Stop()
	for {
		select {
		case r := <-l.queue:
			l.take(r)
			timer.Reset(linger)
			select {
			case <-timer.C:
			case <-l.hurry:
			case <-l.closing:
			}
			l.drain()
		case <-l.closing:
			l.drain()
			l.closed.Store(true)
			l.drain() // what came between the two; later ones are taken back by Write
			return
		}
	}
}

// drain takes all that is queued and writes it.
func (l *Log) drain() {
	for {
		select {
		case r := <-l.queue:
			l.take(r)
		default:
			l.flush()
			return
		}
	}
}

// take adds one event to the batch, and ends the batch when it is large enough.
func (l *Log) take(r *Record) {
	if l.abandon.Load() {
		l.observer.Dropped(1)
		return
	}
	var out outcome
	l.buf, out = l.enc.event(l.buf, r)
	l.noteMask(r, out)
	if out.suppressed {
		l.observer.Suppressed(1)
		return
	}
	l.events++
	if len(l.buf) >= batchBytes {
		l.flush()
	}
}

// flush writes the batch to every sink. An event that one sink lost counts as dropped.
func (l *Log) flush() {
	if l.events == 0 {
		return
	}
	lost := 0
	for _, s := range l.sinks {
		n, err := s.write(l.buf, l.events)
		lost = max(lost, n)
		if err != nil {
			l.observer.Failed(err)
		}
		switch s.turned(err) {
		case turnedBad:
			l.log.Error("decision log cannot be written; events are dropped", "sink", s.name, "error", err)
		case turnedGood:
			l.log.Info("decision log is written again", "sink", s.name)
		case unchanged:
		}
	}
	if lost > 0 {
		l.observer.Dropped(lost)
	}
	if l.events > lost {
		l.observer.Written(l.events - lost)
	}
	l.events, l.buf = 0, l.buf[:0]
	if cap(l.buf) > keepBytes {
		l.buf = nil
	}
}

// noteMask counts each failed mask and reports the first of a row.
func (l *Log) noteMask(r *Record, out outcome) {
	if r.Masker == nil {
		return
	}
	if out.maskErr != nil {
		l.observer.Failed(out.maskErr)
		if !l.maskDown {
			l.log.Error("decision log cannot be masked; events are written without input and result",
				"decision_id", r.DecisionID, "error", out.maskErr)
		}
	}
	l.maskDown = out.maskErr != nil
}

// discard drops one event that nobody will take.
func (l *Log) discard() {
	select {
	case <-l.queue:
		l.observer.Dropped(1)
	default:
	}
}

type nobody struct{}

func (nobody) Written(int)    {}
func (nobody) Dropped(int)    {}
func (nobody) Suppressed(int) {}
func (nobody) Failed(error)   {}
