package decisionlog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

func TestWithoutSinksThereIsNoLogAndItDoesNothing(t *testing.T) {
	l, err := Open(Config{Queue: 1}, Deps{})
	if l != nil || err != nil {
		t.Fatalf("Open = %v, %v", l, err)
	}
	l.Write(numbered(1))
	if l.Queued() != 0 || l.Reopen() != nil || l.Close(context.Background()) != nil {
		t.Error("a nil log is not inert")
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		cfg  Config
		deps Deps
		want string
	}{
		"a directory that is not there": {Config{Queue: 1, File: filepath.Join(dir, "no", "log")}, Deps{},
			"no such file"},
		"a queue without room":   {Config{Stdout: true}, Deps{Stdout: io.Discard}, "queue 0"},
		"stdout that is missing": {Config{Stdout: true, Queue: 1}, Deps{}, "no standard output"},
		"a label of the sidecar's own": {Config{Stdout: true, Queue: 1, Labels: map[string]string{"id": "x"}},
			Deps{Stdout: io.Discard}, `label "id"`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(c.cfg, c.deps); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
		})
	}
}

func TestEveryEventReachesEverySinkInOrder(t *testing.T) {
	name := filepath.Join(t.TempDir(), "decisions.log")
	var out bytes.Buffer
	seen := newTally()
	l := open(t, Config{Stdout: true, File: name, Queue: 5000}, Deps{Stdout: &out, Metrics: seen})
	const n = 3000 // more than one batch
	for i := range n {
		l.Write(numbered(i))
	}
	closeLog(t, l)
	file := read(t, name)
	if !bytes.Equal(file, out.Bytes()) {
		t.Error("the sinks differ")
	}
	all := events(t, file)
	if len(all) != n {
		t.Fatalf("%d events, want %d", len(all), n)
	}
	for i, e := range all {
		if e["decision_id"] != fmt.Sprint(i) {
			t.Fatalf("event %d is %v", i, e["decision_id"])
		}
	}
	seen.is(t, n, 0, 0, 0)
}

func TestTheFileIsReadableByItsOwnerAlone(t *testing.T) {
	name := filepath.Join(t.TempDir(), "decisions.log")
	open(t, Config{File: name}, Deps{})
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestAnEventIsWrittenWithoutWaitingForAnother(t *testing.T) {
	var got atomic.Int64
	l := open(t, Config{Stdout: true}, Deps{Stdout: sinkFunc(func(p []byte) (int, error) {
		got.Add(int64(bytes.Count(p, []byte("\n"))))
		return len(p), nil
	})})
	l.Write(numbered(1))
	testkit.Eventually(t, "a line is written", func() bool { return got.Load() == 1 })
}

func TestEventsThatComeTogetherAreOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var writes atomic.Int64
		l := open(t, Config{Stdout: true}, Deps{Stdout: sinkFunc(func(p []byte) (int, error) {
			writes.Add(1)
			return len(p), nil
		})})
		for i := range 100 {
			l.Write(numbered(i))
		}
		closeLog(t, l)
		if writes.Load() != 1 {
			t.Errorf("%d writes", writes.Load())
		}
	})
}

func TestAHalfFullQueueIsWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := newTally()
		l := open(t, Config{Stdout: true, Queue: 8}, Deps{Stdout: io.Discard, Metrics: seen})
		start := time.Now()
		for i := range 100 {
			l.Write(numbered(i))
			synctest.Wait()
		}
		if took := time.Since(start); took != 0 || seen.dropped(t) != 0 {
			t.Errorf("waited %v, dropped %d", took, seen.dropped(t))
		}
		closeLog(t, l)
		seen.is(t, 100, 0, 0, 0)
	})
}

func TestAFullQueueDropsAndCountsAndNeverBlocks(t *testing.T) {
	release := make(chan struct{})
	seen := newTally()
	l := open(t, Config{Stdout: true, Queue: 4}, Deps{Metrics: seen, Stdout: sinkFunc(func(p []byte) (int, error) {
		<-release
		return len(p), nil
	})})
	l.Write(numbered(0))
	testkit.Eventually(t, "the queue is empty", func() bool { return l.Queued() == 0 })
	written := int64(101)
	for i := range 100 { // the writer is stuck, or about to be
		l.Write(numbered(i))
	}
	testkit.Eventually(t, "an event is dropped", func() bool { return seen.dropped(t) > 0 })
	for _, gauge := range []string{"sidecar_decisionlog_queue_entries", "sidecar_decisionlog_queue_bytes"} {
		testkit.Eventually(t, gauge+" shows the queue", func() bool {
			l.Write(numbered(100))
			written++
			return seen.Value(t, gauge) > 0
		})
	}
	close(release)
	closeLog(t, l)
	if sum := seen.written(t) + seen.dropped(t); sum != written {
		t.Errorf("%d events accounted for, want %d", sum, written)
	}
}

func TestEveryEventIsAccountedForWhenClosedUnderLoad(t *testing.T) {
	seen := newTally()
	var lines atomic.Int64
	l := open(t, Config{Stdout: true, Queue: 64}, Deps{Metrics: seen, Stdout: sinkFunc(func(p []byte) (int, error) {
		lines.Add(int64(bytes.Count(p, []byte("\n"))))
		return len(p), nil
	})})
	const writers, each = 8, 2000
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range each {
				l.Write(numbered(i))
			}
		})
	}
	testkit.Eventually(t, "a line is written", func() bool { return lines.Load() > 0 })
	closeLog(t, l)
	wg.Wait()
	l.Write(numbered(0))
	if sum := seen.written(t) + seen.dropped(t); sum != writers*each+1 || seen.written(t) != lines.Load() {
		t.Errorf("%d accounted for of %d; %d written, %d lines", sum, writers*each+1, seen.written(t), lines.Load())
	}
}

func TestNoEventSlipsThroughWhileTheLogCloses(t *testing.T) {
	for range 500 { // a narrow gap: it takes many tries to hit
		seen := newTally()
		l := open(t, Config{Stdout: true, Queue: 1024}, Deps{Metrics: seen, Stdout: io.Discard})
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for i := range 50 {
					l.Write(numbered(i))
				}
			})
		}
		closeLog(t, l)
		wg.Wait()
		if sum := seen.written(t) + seen.dropped(t); sum != 100 {
			t.Fatalf("%d of 100 events accounted for", sum)
		}
	}
}

func TestCloseGivesUpWhenASinkHangs(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{}, 1)
	seen := newTally()
	l := open(t, Config{Stdout: true, Queue: 8}, Deps{Metrics: seen, Stdout: sinkFunc(func(p []byte) (int, error) {
		entered <- struct{}{}
		<-release
		return len(p), nil
	})})
	l.Write(numbered(0))
	<-entered
	l.Write(numbered(1))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := l.Close(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 events not written") {
		t.Errorf("Close = %v", err)
	}
	close(release)
	closeLog(t, l)
	seen.is(t, 1, 1, 0, 0)
}

func TestReopenFollowsARotatedFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "decisions.log")
	seen := newTally()
	l := open(t, Config{File: name}, Deps{Metrics: seen})
	l.Write(numbered(1))
	testkit.Eventually(t, "the event is written", func() bool { return seen.written(t) == 1 })
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Write(numbered(2))
	closeLog(t, l)
	first, second := events(t, read(t, name+".1")), events(t, read(t, name))
	if len(first) != 1 || len(second) != 1 || first[0]["decision_id"] != "1" || second[0]["decision_id"] != "2" {
		t.Errorf("old file %v, new file %v", first, second)
	}
}

func TestAFailedReopenKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "logs", "decisions.log")
	if err := os.Mkdir(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	l := open(t, Config{File: name}, Deps{})
	if err := os.Rename(filepath.Dir(name), filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err == nil {
		t.Error("Reopen did not say that there is no directory")
	}
	l.Write(numbered(1))
	closeLog(t, l)
	if n := len(events(t, read(t, filepath.Join(dir, "moved", "decisions.log")))); n != 1 {
		t.Errorf("%d events in the old file", n)
	}
	if err := l.Reopen(); err == nil {
		t.Error("Reopen after Close is no error")
	}
}

func TestReopenAfterCloseLeavesNothingOpen(t *testing.T) {
	name := filepath.Join(t.TempDir(), "decisions.log")
	l := open(t, Config{File: name}, Deps{})
	closeLog(t, l)
	if err := l.Reopen(); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Reopen = %v", err)
	}
	closeLog(t, l)
}

func TestHalfALineLeftByACrashDoesNotSpoilTheNextEvent(t *testing.T) {
	name := filepath.Join(t.TempDir(), "decisions.log")
	if err := os.WriteFile(name, []byte("{\"decision_id\":\"0\"}\n{\"decisi"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, Config{File: name}, Deps{})
	l.Write(numbered(1))
	closeLog(t, l)
	lines := strings.Split(strings.TrimSpace(string(read(t, name))), "\n")
	if len(lines) != 3 || !json.Valid([]byte(lines[2])) {
		t.Errorf("lines %q", lines)
	}
}

func TestAFullDiskIsReportedOnceAndRecovers(t *testing.T) {
	var out, told bytes.Buffer
	room := atomic.Int64{}
	disk := sinkFunc(func(p []byte) (int, error) {
		n := min(int(room.Load()), len(p))
		out.Write(p[:n])
		room.Add(-int64(n))
		if n < len(p) {
			return n, syscall.ENOSPC
		}
		return n, nil
	})
	seen := newTally()
	l := open(t, Config{Stdout: true}, Deps{Stdout: disk, Metrics: seen,
		Log: slog.New(slog.NewTextHandler(&told, nil))})
	step := func(i int) {
		before := seen.written(t) + seen.dropped(t)
		l.Write(numbered(i))
		testkit.Eventually(t, "an event is counted", func() bool { return seen.written(t)+seen.dropped(t) > before })
	}
	step(1) // nothing fits
	room.Store(20)
	step(2) // a part fits
	step(3) // not even the end of the line
	room.Store(1 << 20)
	step(4)
	step(5)
	closeLog(t, l)
	seen.is(t, 2, 3, 0, 3)
	if n := strings.Count(told.String(), "level=ERROR"); n != 1 || strings.Count(told.String(), "level=INFO") != 1 {
		t.Errorf("told:\n%s", told.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !json.Valid([]byte(lines[1])) || !json.Valid([]byte(lines[2])) {
		t.Errorf("lines %q", lines)
	}
}

func TestOfABatchThatIsCutShortTheWholeEventsAreCountedAsWritten(t *testing.T) {
	s := &stream{w: sinkFunc(func([]byte) (int, error) { return 5, syscall.EIO })}
	lost, err := s.Write(&Batch{lines: []byte("{}\n{}\n{}\n"), events: 3})
	if lost != 2 || err == nil || !s.torn {
		t.Errorf("lost %d, torn %v, %v", lost, s.torn, err)
	}
}

func TestAFileThatIsADeviceIsNotSynced(t *testing.T) {
	l := open(t, Config{File: os.DevNull}, Deps{})
	l.Write(numbered(1))
	closeLog(t, l)
}

func TestBundlesAreEncodedOnceASnapshot(t *testing.T) {
	e := newEncoder([]byte(`{}`), slog.New(slog.DiscardHandler))
	one := map[string]authz.BundleRef{"b": {Revision: "2"}, "a": {Revision: "1", Digest: "sha256:00",
		Signers: []authz.Signer{{KeyID: "ann", Role: "author", Algorithm: "ES256"}}}}
	first := string(e.refs(one))
	if want := `{"a":{"revision":"1","digest":"sha256:00","signers":[{"key_id":"ann","role":"author",` +
		`"algorithm":"ES256"}]},"b":{"revision":"2"}}`; first != want {
		t.Fatalf("%s", first)
	}
	if n := testing.AllocsPerRun(100, func() { e.refs(one) }); n != 0 {
		t.Errorf("%v allocations for a map already seen", n)
	}
	if got := string(e.refs(map[string]authz.BundleRef{"a": {Revision: "9"}})); got != `{"a":{"revision":"9"}}` {
		t.Errorf("another map gives %s", got)
	}
	if got :=
		string(
			e.refs(map[string]authz.BundleRef{"\xff": {Revision: "9"}})); got != "{\"\uFFFD\":{\"revision\":\"9\"}}" {
		t.Errorf("a name that is no UTF-8 gives %s", got)
	}
}

func TestAnEventIsEncodedWithoutAllocations(t *testing.T) {
	e, r := newEncoder([]byte(`{"id":"x"}`), slog.New(slog.DiscardHandler)), realistic()
	buf, _ := e.event(nil, r)
	testkit.WithinAllocations(t, 0, func() { buf, _ = e.event(buf[:0], r) })
}

func TestWriteDoesNotAllocate(t *testing.T) {
	l := &Log{queue: make(chan *Record, 1<<12), half: 1 << 12, room: 1 << 30, counts: newCounts(nil)}
	r := numbered(1)
	if n := testing.AllocsPerRun(1000, func() { l.Write(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestWithoutASinkTheGaugesOfTheQueueShow0(t *testing.T) {
	seen := newTally()
	l, err := Open(Config{}, Deps{Metrics: seen})
	if l != nil || err != nil {
		t.Fatalf("Open is %v, %v, want no log", l, err)
	}
	for _, gauge := range []string{"sidecar_decisionlog_queue_entries", "sidecar_decisionlog_queue_bytes"} {
		if v := seen.Value(t, gauge); v != 0 {
			t.Errorf("%s is %v, want 0", gauge, v)
		}
	}
}
