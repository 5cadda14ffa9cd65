// Package decisionlog writes one JSON event a decision, in the field names of OPA's decision log, off the request
// path.
//
// The request path hands over a pointer and goes on. One goroutine encodes, masks and writes what has gathered:
//
//	Write -> bounded queue -> encode -> mask -> one write a batch -> standard output, file
//
// What the log cannot take it drops, and counts. It never makes a decision wait.
package decisionlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/authz-sidecar/sidecar/internal/metrics"
)

const (
	// linger is how long the writer lets events gather before it writes: waking a goroutine and a system call for
	// each event would cost more than the event.
	linger = 5 * time.Millisecond
	// batchBytes is the memory of the records at which a batch ends early: some 50 usual events, of 64 KiB in lines.
	batchBytes = 256 << 10
	// keepBytes is the largest buffer kept from one batch to the next.
	keepBytes = 1 << 20
)

// Deps is what a Log is given.
type Deps struct {
	// Stdout is where events go when the configuration asks for standard output.
	Stdout io.Writer
	// Metrics is where events are counted; nil counts for itself.
	Metrics metrics.Registerer
	// Log is told of sinks that fail and recover; it may be nil.
	Log *slog.Logger
	// Recent gets the decisions too; nil keeps none.
	Recent *Recent
	// ID names this process in the labels of every event; empty means a random one.
	ID string
	// Version of the sidecar, in the labels of every event.
	Version string
}

// Log is an open decision log. A nil *Log is valid and does nothing. Its methods are safe for concurrent use.
type Log struct {
	queue    chan *Record
	half     int
	flushNow chan struct{} // the queue is half full: do not linger
	closing  chan struct{} // closed by Close
	once     sync.Once
	done     chan struct{} // closed by run, when it has ended
	closed   atomic.Bool   // the writer has ended
	bytes    atomic.Int64  // memory of the records in the queue, estimated
	room     int64         // the most of it
	dropped  atomic.Uint64 // on the request path
	reopen   chan chan error
	abandon  atomic.Bool // Close ran out of time: drop the rest

	recent  *Recent
	outputs []*output
	file    *file // the sink of the first output, or nil
	state   state
	counts  *counts
	log     *slog.Logger

	// The rest belongs to run.
	batch    Batch
	maskDown bool
	asked    []chan error // calls that wait for the file to be opened again
}

// Open opens the sinks that cfg names and starts the writer. Without any sink, and without Deps.Recent, it returns
// nil, which is a valid Log. It is an error when a file cannot be opened for appending, or when a configured label is
// one that the sidecar sets. It is no error when a named pipe has no reader, or when a file takes long to open:
// meanwhile events are dropped and counted, and the file is tried again.
func Open(cfg Config, deps Deps) (*Log, error) {
	l, err := newLog(cfg, deps)
	if l == nil || err != nil {
		newCounts(deps.Metrics) // they show 0
		new(Log).countQueue(deps.Metrics)
		return nil, err
	}
	if l.file != nil {
		if err := l.start(); err != nil {
			return nil, err
		}
	}
	l.countQueue(deps.Metrics)
	go l.run()
	return l, nil
}

// countQueue registers the metrics of the events that wait.
func (l *Log) countQueue(r metrics.Registerer) {
	metrics.NewGaugeFunc(r, "sidecar_decisionlog_queue_entries", "Decision log events waiting to be written.",
		func() float64 { return float64(l.Queued()) })
	metrics.NewGaugeFunc(r, "sidecar_decisionlog_queue_bytes",
		"Estimated memory of the decision log events waiting to be written, in bytes.",
		func() float64 { return float64(l.bytes.Load()) })
}

// Check reports what Open would fail with, as far as that can be told without creating or opening anything.
func Check(cfg Config, deps Deps) error {
	if l, err := newLog(cfg, deps); l == nil || err != nil || cfg.File == "" {
		return err
	}
	where, mode := cfg.File, uint32(2) // write
	if _, err := os.Stat(cfg.File); errors.Is(err, fs.ErrNotExist) {
		where, mode = filepath.Dir(cfg.File), 3 // write and search
	}
	if err := syscall.Access(where, mode); err != nil {
		return fmt.Errorf("open decision log %q: %v", cfg.File, err)
	}
	return nil
}

// newLog is a Log whose file is not open and whose writer does not run; nil when there is nothing to do.
func newLog(cfg Config, deps Deps) (*Log, error) {
	if !cfg.Stdout && cfg.File == "" && deps.Recent == nil {
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
		queue: make(chan *Record, cfg.Queue), half: (cfg.Queue + 1) / 2, room: cfg.QueueBytes,
		flushNow: make(chan struct{}, 1),
		closing:  make(chan struct{}), done: make(chan struct{}), reopen: make(chan chan error, 1),
		counts: newCounts(deps.Metrics), log: deps.Log, recent: deps.Recent,
	}
	if l.room <= 0 {
		l.room = math.MaxInt64
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.batch = Batch{enc: newEncoder(fixed, l.log), encoded: l.noteEvent}
	l.batch.enc.secret = newParameters(cfg.SecretParameters)
	if cfg.File != "" {
		l.file = newFile(cfg.File)
		l.add("file", cfg.File, l.file)
	}
	if cfg.Stdout {
		l.add("stdout", "stdout", &stream{w: deps.Stdout})
	}
	return l, nil
}

// fileOutput is the index of the file among the outputs.
const fileOutput = 0

// add writes events to a sink too. kind is what the status calls it, name what operators know it by.
func (l *Log) add(kind, name string, s Sink) {
	l.outputs = append(l.outputs, &output{Sink: s, name: name, kind: kind})
	l.state.sinks = append(l.state.sinks, SinkStatus{Kind: kind})
	l.state.begun = append(l.state.begun, time.Time{})
}

// Write queues r and returns at once. When the queue is full, in events or in bytes, or the Log is closed, r is
// dropped and counted. An event that is larger than all the room there is may wait alone.
func (l *Log) Write(r *Record) {
	if l == nil {
		return
	}
	r.size = r.cost()
	if held := l.bytes.Add(r.size); held > l.room && held != r.size {
		l.bytes.Add(-r.size)
		l.lose(QueueBytes)
		return
	}
	select {
	case l.queue <- r:
	default:
		l.bytes.Add(-r.size)
		l.lose(QueueFull)
		return
	}
	if l.closed.Load() { // asked after the send: either the last drain saw r, or this takes it back
		l.discard()
		return
	}
	if len(l.queue) >= l.half {
		select {
		case l.flushNow <- struct{}{}:
		default:
		}
	}
}

// lose counts an event that was dropped before it was written.
func (l *Log) lose(cause string) {
	l.dropped.Add(1)
	l.counts.dropped(1, cause)
}

// Enabled reports whether events are written anywhere.
func (l *Log) Enabled() bool { return l != nil && len(l.outputs) > 0 }

// Queued is the number of events that wait for the writer.
func (l *Log) Queued() int {
	if l == nil {
		return 0
	}
	return len(l.queue)
}

// Reopen opens the file again under its name, for rotation: events written after it returns go to the new file. After
// an error the old file stays in use. It waits for a second at most: a file that takes longer to open is used once it
// is open, and the error says that it is not yet.
func (l *Log) Reopen() error {
	if l == nil || l.file == nil {
		return nil
	}
	opened := make(chan error, 1)
	late := time.NewTimer(openWithin)
	defer late.Stop()
	select {
	case l.reopen <- opened:
	case <-late.C:
		return fmt.Errorf("open decision log %q: %w", l.file.name, errOpening)
	case <-l.done:
		return fmt.Errorf("open decision log %q: the log is closed", l.file.name)
	}
	select {
	case err := <-opened:
		if err != nil {
			return fmt.Errorf("open decision log %q: %w", l.file.name, err)
		}
		return nil
	case <-late.C:
		return fmt.Errorf("open decision log %q: %w", l.file.name, errOpening)
	case <-l.done:
		return fmt.Errorf("open decision log %q: the log is closed", l.file.name)
	}
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
		if l.file != nil {
			l.file.interrupt()
		}
		return fmt.Errorf("close decision log: %d events not written: %w", len(l.queue), context.Cause(ctx))
	}
	var errs []error
	for _, o := range l.outputs {
		errs = append(errs, o.Close(ctx))
	}
	return errors.Join(errs...)
}

// discard drops one event that the writer will not take any more.
func (l *Log) discard() {
	select {
	case r := <-l.queue:
		l.bytes.Add(-r.size)
		l.lose(Closing)
	default:
	}
}
