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
		opened, retry = l.file.result, l.file.retry.C
	}
	for {
		select {
		case r := <-l.queue:
			l.take(r)
			timer.Reset(linger)
			select {
			case <-timer.C:
			case <-l.flushNow:
			case <-l.closing:
			}
			l.drain()
		case answer := <-l.reopen:
			l.asked = append(l.asked, answer)
			l.file.begin()
		case <-retry:
			l.file.begin()
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
	f := l.file
	f.begin()
	late := time.NewTimer(openWithin)
	defer late.Stop()
	err := errOpening
	select {
	case a := <-f.result:
		f.adopt(a)
		err = a.err
	case <-late.C:
	}
	switch {
	case err == nil:
	case errors.Is(err, errNoReader), errors.Is(err, errOpening):
		l.log.Warn("decision log is not open; events are dropped until it is", "sink", f.name, "error", err)
		l.outputs[fileOutput].failing = true
		l.state.failed(err)
		l.state.sink(fileOutput, err)
	default:
		f.retry.Stop()
		return fmt.Errorf("open decision log %q: %w", f.name, err)
	}
	return nil
}

// opened uses a file that was opened, or records why it was not.
func (l *Log) opened(a attempt) {
	l.file.adopt(a)
	if a.err != nil {
		l.state.failed(a.err)
	}
	if a.err == nil || l.file.now == nil {
		l.state.sink(fileOutput, a.err)
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
	l.recent.add(r)
	if len(l.outputs) == 0 {
		return
	}
	l.batch.add(r)
	if l.batch.bytes >= batchBytes {
		l.flush()
	}
}

// flush writes the batch to every sink. An event that one sink lost counts as dropped.
func (l *Log) flush() {
	events := l.batch.Len()
	defer l.batch.reset()
	if events == 0 {
		return
	}
	lost := 0
	for i, o := range l.outputs {
		l.state.begin(i)
		n, err := o.write(&l.batch)
		lost = max(lost, n)
		if err != nil {
			l.fail(err)
		}
		l.state.sink(i, err)
		switch o.update(err) {
		case nowFailing:
			l.log.Error("decision log cannot be written; events are dropped", "sink", o.name, "error", err)
		case nowWorking:
			l.log.Info("decision log is written again", "sink", o.name)
		case unchanged:
		}
	}
	l.count(events-lost, lost)
}

// count counts the events of a batch.
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

// fail counts a failure of a sink or a mask, and shows it in the status.
func (l *Log) fail(err error) {
	l.state.failed(err)
	l.counts.failures.Inc()
}

// noteEvent counts an event that a policy drops, and each mask that fails, of which it logs the first of several in a
// row.
func (l *Log) noteEvent(r *Record, out outcome) {
	if out.suppressed {
		l.counts.suppressed()
	}
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
