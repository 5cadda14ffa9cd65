package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// exitTime is how long the process may run after the signal that asks it to end. A compiler, a disk or a pipe that
// does not answer must not keep the process alive.
type exitTime struct{ limit atomic.Int64 }

// defaultExitTime is for commands that serve nothing.
const defaultExitTime = 2 * time.Second

func (e *exitTime) set(d time.Duration) {
	if e != nil {
		e.limit.Store(int64(d))
	}
}

// untilSignal returns a context that ends with the first SIGINT or SIGTERM. The process ends with exitFailed when it
// still runs after its exit time, and at the second such signal.
func untilSignal() (context.Context, *exitTime) {
	e := &exitTime{}
	e.set(defaultExitTime)
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		select {
		case <-signals:
			endProcess("a second signal ended the process at once")
		case <-time.After(time.Duration(e.limit.Load())):
			endProcess("the process did not end in time after the signal")
		}
	}()
	return ctx, e
}

// printTimeout is the time for printing why the process ends: standard error may be a pipe that is full.
const printTimeout = 50 * time.Millisecond

// endProcess ends the process, whatever its goroutines do.
func endProcess(why string) {
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		fmt.Fprintln(os.Stderr, "sidecar: error: "+why)
	}()
	select {
	case <-printed:
	case <-time.After(printTimeout):
	}
	os.Exit(exitFailed)
}
