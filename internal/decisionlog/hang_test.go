package decisionlog

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// sized is an Appender that says what it costs.
type sized struct {
	text
	bytes int
}

func (s sized) Size() int { return s.bytes }

// TestTheQueueIsBoundedInBytes: events of a megabyte must not take gigabytes while a sink stalls.
func TestTheQueueIsBoundedInBytes(t *testing.T) {
	release := make(chan struct{})
	seen := newTally()
	l := open(t, Config{Stdout: true, QueueBytes: 8 << 20},
		Deps{Metrics: seen, Stdout: sinkFunc(func(p []byte) (int, error) {
			<-release
			return len(p), nil
		})})
	large := func() *Record {
		r := numbered(1)
		r.Input = sized{`{}`, 1 << 20}
		return r
	}
	l.Write(large())
	// the writer has it, and is stuck
	testkit.Eventually(t, "the queue is empty", func() bool { return l.Queued() == 0 })
	for range 100 {
		l.Write(large())
	}
	s := l.Status()
	if s.QueuedBytes > 8<<20 || s.Queued < 7 || s.Queued > 8 || s.Dropped != uint64(100-s.Queued) {
		t.Errorf("queued %d of %d bytes, dropped %d", s.Queued, s.QueuedBytes, s.Dropped)
	}
	if got := seen.lost(t, QueueBytes); got != int64(s.Dropped) {
		t.Errorf("%d are counted as %s, %d in all", got, QueueBytes, s.Dropped)
	}
	close(release)
	closeLog(t, l)
	if s := l.Status(); s.QueuedBytes != 0 || s.Written != 101-s.Dropped {
		t.Errorf("at the end: %+v", s)
	}
}

// TestAnEventLargerThanTheQueueMayWaitAlone: it is not lost for its size.
func TestAnEventLargerThanTheQueueMayWaitAlone(t *testing.T) {
	var out bytes.Buffer
	l := open(t, Config{Stdout: true, QueueBytes: 1 << 20}, Deps{Stdout: &out})
	r := numbered(1)
	r.Input = sized{`{}`, 2 << 20}
	l.Write(r)
	closeLog(t, l)
	if len(events(t, out.Bytes())) != 1 {
		t.Errorf("wrote %s", out.Bytes())
	}
}

func pipe(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// onlySink is what the status says of the only sink.
func onlySink(l *Log) string { return l.Status().Sinks[0].Error }

// TestANamedPipeIsWrittenOnceItHasAReader: without one, events are dropped, and counted; it may leave and come back.
func TestANamedPipeIsWrittenOnceItHasAReader(t *testing.T) {
	name := pipe(t)
	seen := newTally()
	var told bytes.Buffer
	l := open(t, Config{File: name}, Deps{Metrics: seen, Log: slog.New(slog.NewTextHandler(&told, nil))})
	if onlySink(l) != errNoReader.Error() || !strings.Contains(told.String(), "decision log is not open") {
		t.Errorf("the status says %q, the log %s", onlySink(l), told.String())
	}
	l.Write(numbered(1))
	testkit.Eventually(t, "an event is dropped", func() bool { return seen.dropped(t) == 1 })
	for n := range 2 {
		reader, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "the sink works", func() bool { return onlySink(l) == "" })
		before := seen.written(t)
		l.Write(numbered(2))
		testkit.Eventually(t, "the event is written", func() bool { return seen.written(t) == before+1 })
		if err := reader.Close(); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			testkit.Eventually(t, "the sink fails", func() bool { l.Write(numbered(3)); return onlySink(l) != "" })
		}
	}
	closeLog(t, l)
	if l.Status().LastError == "" {
		t.Error("the last error is forgotten")
	}
}

// TestCloseLeavesAPipeThatIsFull: its reader has stopped reading, and the writer waits for it.
func TestCloseLeavesAPipeThatIsFull(t *testing.T) {
	name := pipe(t)
	reader, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	seen := newTally()
	l := open(t, Config{File: name}, Deps{Metrics: seen})
	r := numbered(1)
	r.Input = text(`"` + strings.Repeat("x", 4<<20) + `"`)
	l.Write(r)
	testkit.Eventually(t, "the queue is empty", func() bool { return l.Queued() == 0 })
	l.Write(numbered(2))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Close(ctx); err == nil {
		t.Error("Close says that all was written")
	}
	<-l.done // the writer ends too
	if sum := seen.written(t) + seen.dropped(t); sum != 2 {
		t.Errorf("%d of 2 events accounted for", sum)
	}
}

// TestAFileThatDoesNotOpenHoldsNothing: as on a mount whose server is gone.
func TestAFileThatDoesNotOpenHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "decisions.log")
		release := make(chan struct{})
		seen := newTally()
		l, err := newLog(Config{File: name, Queue: 8}, Deps{Metrics: seen})
		if err != nil {
			t.Fatal(err)
		}
		l.file.open = func(name string) (*opened, error) {
			<-release
			return openFile(name)
		}
		if err := l.start(); err != nil {
			t.Fatal(err)
		}
		go l.run()
		if onlySink(l) != errOpening.Error() {
			t.Errorf("the status says %q", onlySink(l))
		}
		l.Write(numbered(1))
		begun := time.Now()
		if err := l.Reopen(); err == nil || time.Since(begun) > openWithin {
			t.Errorf("Reopen took %s: %v", time.Since(begun), err)
		}
		synctest.Wait()
		seen.is(t, 0, 1, 0, 1)
		close(release)
		synctest.Wait()
		if onlySink(l) != "" {
			t.Errorf("the status says %q", onlySink(l))
		}
		l.Write(numbered(2))
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		seen.is(t, 1, 1, 0, 1)
	})
}

// TestCheckFindsWhatOpenWouldFailWith, and creates nothing.
func TestCheckFindsWhatOpenWouldFailWith(t *testing.T) {
	dir := t.TempDir()
	if err := Check(Config{Queue: 1, File: filepath.Join(dir, "new")}, Deps{}); err != nil {
		t.Error(err)
	}
	for name, cfg := range map[string]Config{
		"a directory that is not there": {Queue: 1, File: filepath.Join(dir, "no", "log")},
		"a label of the sidecar's own": {Queue: 1, File: filepath.Join(dir, "new"),
			Labels: map[string]string{"version": "x"}},
	} {
		if err := Check(cfg, Deps{}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestAWriteThatDoesNotEndIsInTheStatus: nothing has failed, and nothing is written.
func TestAWriteThatDoesNotEndIsInTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		l := open(t, Config{Stdout: true}, Deps{Stdout: sinkFunc(func(p []byte) (int, error) {
			<-release
			return len(p), nil
		})})
		l.Write(numbered(1))
		time.Sleep(stalledAfter / 2)
		if got := onlySink(l); got != "" {
			t.Errorf("too early, the status says %q", got)
		}
		time.Sleep(stalledAfter)
		if got := onlySink(l); !strings.Contains(got, "a write does not end") {
			t.Errorf("the status says %q", got)
		}
		close(release)
		synctest.Wait()
		if got := onlySink(l); got != "" {
			t.Errorf("afterwards, the status says %q", got)
		}
		closeLog(t, l)
	})
}
