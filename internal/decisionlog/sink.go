package decisionlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Sink is where events are written. One goroutine calls it, one call at a time.
type Sink interface {
	// Write writes a batch, and returns how many of its events are lost, and why. The text of the error names no path.
	Write(b *Batch) (lost int, err error)
	// Close writes what the sink still holds, and gives up when ctx ends. Write is not called again.
	Close(ctx context.Context) error
}

// output is a sink of a Log, and whether it works.
type output struct {
	Sink
	name string // as operators know it
	kind string // as the status has it

	failing bool
}

// write writes a batch.
func (o *output) write(b *Batch) (int, error) {
	lost, err := o.Write(b)
	if err != nil {
		err = &sinkError{name: o.name, err: cause(err)}
	}
	return lost, err
}

type transition uint8

const (
	unchanged transition = iota
	nowFailing
	nowWorking
)

// update records the outcome of a write, and returns how it differs from the one before.
func (o *output) update(err error) transition {
	was := o.failing
	o.failing = err != nil
	switch {
	case o.failing == was:
		return unchanged
	case o.failing:
		return nowFailing
	}
	return nowWorking
}

// sinkError is a batch that was not written.
type sinkError struct {
	name string
	err  error
}

func (e *sinkError) Error() string { return fmt.Sprintf("write decision log %q: %v", e.name, e.err) }
func (e *sinkError) Unwrap() error { return e.err }

// cause takes the name of the file off an error of package os: the message has it already.
func cause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// stream is a Sink that writes lines, such as standard output.
type stream struct {
	w    io.Writer
	torn bool // the last line has no end
}

// Write implements Sink. It ends a line that a failed write left without its end.
func (s *stream) Write(b *Batch) (int, error) {
	if s.torn {
		if _, err := s.w.Write([]byte("\n")); err != nil {
			return b.Len(), err
		}
		s.torn = false
	}
	lines := b.Lines()
	n, err := s.w.Write(lines)
	if err == nil {
		return 0, nil
	}
	if n > 0 {
		s.torn = lines[n-1] != '\n'
	}
	return b.Len() - bytes.Count(lines[:n], []byte("\n")), err
}

// Close leaves the stream open.
func (s *stream) Close(context.Context) error { return nil }
