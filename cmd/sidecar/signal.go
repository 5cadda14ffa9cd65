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

// lifetime is how long the process may live after the signal that asks it to end. A compiler, a disk or a pipe that does
// not answer must not keep it alive.
type lifetime struct{ left atomic.Int64 }

// usualLeft is the time of commands that serve nothing.
const usualLeft = 2 * time.Second

// set gives the process so long.
func (l *lifetime) set(d time.Duration) {
	if l != nil {
		l.left.Store(int64(d))
	}
}

// lived returns a context that ends with the first signal that asks the process to end. The process itself ends with
// exitFailed when it is still there after its lifetime, and at the second such signal.
func lived() (context.Context, *lifetime) {
	l := &lifetime{}
	l.set(usualLeft)
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		select {
		case <-signals:
			endProcess("a second signal ended it at once")
		case <-time.After(time.Duration(l.left.Load())):
			endProcess("it did not end in time after the signal")
		}
	}()
	return ctx, l
}

// lastWords is the time for saying why the process ends: standard error may be a pipe that is full.
const lastWords = 50 * time.Millisecond

// endProcess ends the process, whatever it does.
func endProcess(why string) {
	said := make(chan struct{})
	go func() {
		defer close(said)
		fmt.Fprintln(os.Stderr, "sidecar: error: "+why)
	}()
	select {
	case <-said:
	case <-time.After(lastWords):
	}
	os.Exit(exitFailed)
}
