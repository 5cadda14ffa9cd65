package main

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestOnlyTheThreadOfWorkThatRunsAsideGivesWay: no goroutine gets that thread afterwards.
func TestOnlyTheThreadOfWorkThatRunsAsideGivesWay(t *testing.T) {
	priority := func() int {
		now, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid())
		if err != nil {
			t.Error(err)
		}
		return now
	}
	runtime.LockOSThread()
	usual := priority()
	runtime.UnlockOSThread()
	type seen struct{ thread, priority int }
	threads := make(chan seen)
	for range 50 { // now and then, a goroutine begins on the main thread
		(&pacer{off: true}).aside(func() { threads <- seen{unix.Gettid(), priority()} })
		got := <-threads
		if want := max(usual-5, 1); got.priority != want || got.thread == os.Getpid() {
			t.Errorf("thread %d of %d: priority %d, want %d: less than the usual %d", got.thread, os.Getpid(),
				got.priority, want, usual)
		}
		task := fmt.Sprintf("/proc/self/task/%d", got.thread)
		for {
			if _, err := os.Stat(task); os.IsNotExist(err) {
				break
			}
			time.Sleep(time.Millisecond) // the limit of "go test" ends this
		}
	}
	for taken := 1; taken > 0; {
		time.Sleep(time.Millisecond)
		spare.mu.Lock()
		taken = spare.taken
		spare.mu.Unlock()
	}
}

func TestThereIsASpareProcessorForEachThreadThatGivesWay(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	runtime.SetDefaultGOMAXPROCS()
	for _, env := range []string{"", "3"} {
		t.Setenv("GOMAXPROCS", env) // the runtime has read it: what counts here is that it is set
		usual := runtime.GOMAXPROCS(0)
		var s spareProcessors
		first, second := s.take(), s.take()
		if got := runtime.GOMAXPROCS(0); got != usual+2 {
			t.Errorf("%d processors for two works, want %d", got, usual+2)
		}
		first()
		if got := runtime.GOMAXPROCS(0); got != usual+1 {
			t.Errorf("%d processors for one work, want %d", got, usual+1)
		}
		second()
		if got := runtime.GOMAXPROCS(0); got != usual {
			t.Errorf("%d processors in the end, want %d", got, usual)
		}
	}
}
