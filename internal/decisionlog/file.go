package decisionlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// openWithin is how long a start, and a request to open the file again, wait for it.
	openWithin = time.Second
	// firstRetry and lastRetry are the pauses between two attempts to open the file.
	firstRetry = 250 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// errNoReader is a named pipe that no process reads.
var errNoReader = errors.New("no process reads this pipe")

// errOpening is a file that takes long to open, such as one on a mount whose server is gone.
var errOpening = errors.New("the file is not open yet: its disk or its server does not answer")

// file is a Sink that appends to a file by its name. What may block is done in goroutines of their own, one at a time.
type file struct {
	stream // of the open file
	name   string
	open   func(name string) (*opened, error)

	now     *opened // nil while there is none
	last    error   // why there is none
	opening bool    // an attempt is under way
	pause   time.Duration
	retry   *time.Timer  // until the next attempt; it is for the writer to watch
	result  chan attempt // of the attempt under way; room for one

	live atomic.Pointer[opened] // now, for interrupt
}

// opened is an open file.
type opened struct {
	*os.File
	regular bool
	torn    bool // it ends within a line
}

// attempt is how an attempt to open the file ended.
type attempt struct {
	opened *opened
	err    error
}

func newFile(name string) *file {
	f := &file{
		name: name, open: openFile, pause: firstRetry, retry: time.NewTimer(time.Hour),
		result: make(chan attempt, 1), last: errOpening,
	}
	f.retry.Stop()
	return f
}

// openFile opens a file to append to, readable by its owner alone. It does not wait for the reader of a named pipe.
func openFile(name string) (*opened, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, syscall.ENXIO) {
		return nil, errNoReader
	}
	if err != nil {
		return nil, cause(err)
	}
	o := &opened{File: f}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		o.regular, o.torn = true, endsTorn(name, info.Size())
	}
	return o, nil
}

// endsTorn reports whether a process that died left half a line, which would spoil the event written next.
func endsTorn(name string, size int64) bool {
	if size == 0 {
		return false
	}
	f, err := os.Open(name)
	if err != nil {
		return true // an empty line does no harm
	}
	defer func() { _ = f.Close() }()
	var last [1]byte
	if _, err := f.ReadAt(last[:], size-1); err != nil {
		return true
	}
	return last[0] != '\n'
}

// begin begins an attempt, unless one is under way.
func (f *file) begin() {
	if f.opening {
		return
	}
	f.opening = true
	go func() {
		o, err := f.open(f.name)
		f.result <- attempt{o, err}
	}()
}

// adopt writes to what an attempt opened from now on. After an error it goes on as before, and plans the next attempt
// when there is no open file.
func (f *file) adopt(a attempt) {
	f.opening = false
	if a.err != nil {
		f.last = a.err
		if f.now == nil {
			f.retry.Reset(f.pause)
			f.pause = min(2*f.pause, lastRetry)
		}
		return
	}
	f.retry.Stop()
	f.last, f.pause = nil, firstRetry
	if old := f.now; old != nil {
		go func() { _ = old.finish() }() // it is complete; a disk that does not answer must not hold up the new one
	}
	f.now, f.stream = a.opened, stream{w: a.opened, torn: a.opened.torn}
	f.live.Store(f.now)
}

// Write implements Sink.
func (f *file) Write(b *Batch) (int, error) {
	if f.now == nil {
		return b.Len(), f.last
	}
	lost, err := f.stream.Write(b)
	if err != nil && !f.now.regular { // a pipe whose reader has left never works again
		f.drop(err)
	}
	return lost, err
}

// drop gives up a file that cannot be written any more.
func (f *file) drop(err error) {
	if old := f.now; old != nil {
		go func() { _ = old.Close() }()
	}
	f.now, f.last = nil, cause(err)
	f.live.Store(nil)
	f.retry.Reset(f.pause)
}

// interrupt ends a write to a pipe that is full. Any goroutine may call it.
func (f *file) interrupt() {
	if o := f.live.Load(); o != nil {
		_ = o.SetWriteDeadline(time.Now()) // a regular file has none
	}
}

// finish makes the file durable and closes it.
func (o *opened) finish() error {
	var synced error
	if o.regular {
		synced = cause(o.Sync())
	}
	return errors.Join(synced, cause(o.Close()))
}

// Close makes the file durable and closes it.
func (f *file) Close(ctx context.Context) error {
	f.retry.Stop()
	if f.opening {
		go func() {
			if a := <-f.result; a.opened != nil {
				_ = a.opened.Close()
			}
		}()
	}
	if f.now == nil {
		return nil
	}
	now := f.now
	f.now, f.last = nil, os.ErrClosed
	done := make(chan error, 1)
	go func() { done <- now.finish() }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("close decision log %q: %v", f.name, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close decision log %q: %w", f.name, context.Cause(ctx))
	}
}
