package main

import (
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// givingWay does work on a thread of its own, which gets a third of the time of the process's other threads where
// there is not enough for all. The thread ends with the goroutine of the caller, so that no other goroutine gets it:
// only a privileged process could undo what was done to it.
func givingWay(work func()) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() { // the main thread does not end with its goroutine
		begun := make(chan struct{})
		go givingWay(func() {
			close(begun)
			work()
		})
		<-begun // on another thread, because this one is taken
		runtime.UnlockOSThread()
		return
	}
	release := spare.take()
	defer func() { go release() }() // not on this thread: while the world is stopped, it has no time to give
	_ = raiseNiceness()             // which a system may refuse
	work()
}

// spare are more processors for Go, one for each thread that gives way: that may hold one of Go's processors and not
// run, with goroutines that wait for it.
var spare spareProcessors

type spareProcessors struct {
	mu    sync.Mutex
	taken int
	usual int // without the spare ones
}

// take adds a processor until release is called.
func (s *spareProcessors) take() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken == 0 {
		s.usual = runtime.GOMAXPROCS(0)
	}
	s.taken++
	runtime.GOMAXPROCS(s.usual + s.taken)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.taken--
		if s.taken > 0 || os.Getenv("GOMAXPROCS") != "" {
			runtime.GOMAXPROCS(s.usual + s.taken)
			return
		}
		runtime.SetDefaultGOMAXPROCS() // which goes on following the limits of a container
	}
}

// raiseNiceness raises the niceness of the calling thread.
func raiseNiceness() error {
	const (
		steps = 5
		usual = 20 // getpriority(2) returns this, less the niceness
	)
	self := unix.Gettid()
	now, err := unix.Getpriority(unix.PRIO_PROCESS, self)
	if err != nil {
		return err
	}
	return unix.Setpriority(unix.PRIO_PROCESS, self, usual-now+steps)
}
