package decisionlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// sink is one place that batches are written to. It belongs to the writer.
type sink struct {
	name string // as operators know it
	kind string // stdout or file

	w       io.Writer
	file    *file // where w comes from, when it is a file
	torn    bool  // the last line has no end
	failing bool
}

// adopt writes to what an attempt opened from now on. After an error it goes on as before.
func (s *sink) adopt(a attempt) error {
	s.file.end(a)
	if a.err != nil {
		return s.fault(a.err)
	}
	s.w, s.torn = a.opened, a.opened.torn
	return nil
}

// write writes a batch of events, one a line, and returns how many were lost.
func (s *sink) write(batch []byte, events int) (int, error) {
	if s.w == nil {
		return events, s.fault(s.file.why())
	}
	if s.torn {
		if _, err := s.w.Write([]byte("\n")); err != nil {
			return events, s.fault(err)
		}
		s.torn = false
	}
	n, err := s.w.Write(batch)
	if err == nil {
		return 0, nil
	}
	if n > 0 {
		s.torn = batch[n-1] != '\n'
	}
	lost := events - bytes.Count(batch[:n], []byte("\n"))
	if s.file != nil && !s.file.regular { // a pipe whose reader has left never works again
		s.file.drop(err)
		s.w, s.torn = nil, false
	}
	return lost, s.fault(err)
}

func (s *sink) fault(err error) error {
	return &sinkError{name: s.name, err: cause(err)}
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

type turn uint8

const (
	unchanged turn = iota
	turnedBad
	turnedGood
)

// turned notes the outcome of a write and says whether it differs from the one before.
func (s *sink) turned(err error) turn {
	was := s.failing
	s.failing = err != nil
	switch {
	case s.failing == was:
		return unchanged
	case s.failing:
		return turnedBad
	}
	return turnedGood
}
