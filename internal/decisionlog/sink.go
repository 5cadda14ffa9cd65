package decisionlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// sink is one place that batches are written to.
type sink struct {
	name string

	mu   sync.Mutex // held during a write: a rotation waits for it
	w    io.Writer
	file *os.File // w, when it is a file
	sync bool     // file is a regular one
	torn bool     // the last line has no end

	failing bool // belongs to the writer
}

// openFile opens a file to append to, readable by its owner alone.
func openFile(name string) (*sink, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open decision log %q: %w", name, cause(err))
	}
	s := &sink{name: name, w: f, file: f}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		s.sync = true
		s.torn = endsTorn(name, info.Size())
	}
	return s, nil
}

// endsTorn reports whether a process that died left half a line, which would spoil the event written next.
func endsTorn(name string, size int64) bool {
	if size == 0 {
		return false
	}
	f, err := os.Open(name)
	if err != nil {
		return true // an empty line harms nobody
	}
	defer func() { _ = f.Close() }()
	var last [1]byte
	if _, err := f.ReadAt(last[:], size-1); err != nil {
		return true
	}
	return last[0] != '\n'
}

// write writes a batch of events, one a line, and returns how many were lost.
func (s *sink) write(batch []byte, events int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	return events - bytes.Count(batch[:n], []byte("\n")), s.fault(err)
}

func (s *sink) fault(err error) error {
	return fmt.Errorf("write decision log %q: %v", s.name, cause(err))
}

// reopen opens the file by its name and lets go of the old one, which is complete by then.
func (s *sink) reopen() error {
	next, err := openFile(s.name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	old := &sink{name: s.name, file: s.file, sync: s.sync}
	if s.file == nil {
		s.mu.Unlock()
		_ = next.file.Close() // nothing was written to it
		return fmt.Errorf("open decision log %q: the log is closed", s.name)
	}
	s.w, s.file, s.sync, s.torn = next.w, next.file, next.sync, next.torn
	s.mu.Unlock()
	return old.close()
}

// close makes the file durable and closes it. A second call does nothing.
func (s *sink) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	var synced error
	if s.sync {
		synced = cause(s.file.Sync())
	}
	closed := cause(s.file.Close())
	s.file, s.w = nil, gone{}
	if err := errors.Join(synced, closed); err != nil {
		return fmt.Errorf("close decision log %q: %v", s.name, err)
	}
	return nil
}

// gone is the writer of a closed sink.
type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, os.ErrClosed }

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
