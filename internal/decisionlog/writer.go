package decisionlog

import (
	"errors"
	"fmt"
	"time"
)

// run is the writer.
func (l *Log) run() {
	defer close(l.done)
	timer := time.NewTimer(linger)
	defer timer.Stop()
	var opened chan attempt
	var retry <-chan time.Time
	if l.file != nil {
		opened, retry = l.file.file.result, l.file.file.retry.C
	}
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
		case answer := <-l.reopen:
			l.asked = append(l.asked, answer)
			l.file.file.begin()
		case <-retry:
			l.file.file.begin()
		case a := <-opened:
			l.opened(a)
		case <-l.closing:
			l.drain()
			l.closed.Store(true)
			l.drain() // what came between the two; later ones are taken back by Write
			return
		}
	}
}

// start opens the file, and waits for it a little.
func (l *Log) start() error {
	f := l.file.file
	f.begin()
	late := time.NewTimer(openWithin)
	defer late.Stop()
	err := errOpening
	select {
	case a := <-f.result:
		_ = l.file.adopt(a)
		err = a.err
	case <-late.C:
	}
	switch {
	case err == nil:
	case errors.Is(err, errNoReader), errors.Is(err, errOpening):
		l.log.Warn("decision log is not open; events are dropped until it is", "sink", l.file.name, "error", err)
		l.file.failing = true
		l.state.failed(err)
		l.state.sink(fileSink, err)
	default:
		f.retry.Stop()
		return fmt.Errorf("open decision log %q: %w", l.file.name, err)
	}
	return nil
}

// opened uses a file that was opened, or says why there is none.
func (l *Log) opened(a attempt) {
	err := l.file.adopt(a)
	if err != nil {
		l.state.failed(err)
	}
	if err == nil || l.file.w == nil {
		l.state.sink(fileSink, err)
	}
	for _, answer := range l.asked {
		answer <- a.err
	}
	l.asked = nil
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
	l.bytes.Add(-r.size)
	if l.abandon.Load() {
		l.lose(Closing)
		return
	}
	var out outcome
	l.buf, out = l.enc.event(l.buf, r)
	l.noteMask(r, out)
	if out.suppressed {
		l.counts.suppressed()
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
	for i, s := range l.sinks {
		l.state.begin(i)
		n, err := s.write(l.buf, l.events)
		lost = max(lost, n)
		if err != nil {
			l.fail(err)
		}
		l.state.sink(i, err)
		switch s.turned(err) {
		case turnedBad:
			l.log.Error("decision log cannot be written; events are dropped", "sink", s.name, "error", err)
		case turnedGood:
			l.log.Info("decision log is written again", "sink", s.name)
		case unchanged:
		}
	}
	l.count(l.events-lost, lost)
	l.events, l.buf = 0, l.buf[:0]
	if cap(l.buf) > keepBytes {
		l.buf = nil
	}
}

// count tells what became of a batch.
func (l *Log) count(written, lost int) {
	l.state.mu.Lock()
	l.state.written += uint64(written)
	l.state.dropped += uint64(lost)
	l.state.mu.Unlock()
	if lost > 0 {
		l.counts.dropped(lost, SinkFailed)
	}
	if written > 0 {
		l.counts.written(written)
	}
}

// fail tells of a sink or a mask that failed.
func (l *Log) fail(err error) {
	l.state.failed(err)
	l.counts.failures.Inc()
}

// noteMask counts each failed mask and reports the first of a row.
func (l *Log) noteMask(r *Record, out outcome) {
	if r.Masker == nil {
		return
	}
	if out.maskErr != nil {
		l.fail(out.maskErr)
		if !l.maskDown {
			l.log.Error("decision log cannot be masked; events are written without input and result",
				"decision_id", r.DecisionID, "error", out.maskErr)
		}
	}
	l.maskDown = out.maskErr != nil
}
