// Package fetch keeps a value that is fetched from a server: one attempt at a time, shared by all callers that wait
// for it, with pauses after failures, and the last good value kept meanwhile.
package fetch

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"time"
)

// Pause is the least time between two attempts after a failure. A caller that needs the value makes an attempt when
// the last one is older than that, so a server that is back is found within a pause; a value that is still good is
// renewed by the longer pauses of a Backoff.
const Pause = 500 * time.Millisecond

// longestHold bounds how long a server can put off the next attempt by Retry-After.
const longestHold = 30 * time.Second

func retries() Backoff { return Backoff{First: time.Second, Last: 30 * time.Second} }

// Backoff is a pause that doubles with each failure in a row, from First to Last.
type Backoff struct{ First, Last time.Duration }

// After is the pause after a number of failures in a row; 0 after none.
func (b Backoff) After(failures int) time.Duration {
	if failures <= 0 {
		return 0
	}
	return min(b.First<<min(failures-1, 10), b.Last)
}

// Jitter is a random time shorter than d, so that callers that failed together do not try again together.
func Jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	var r [8]byte
	_, _ = rand.Read(r[:]) // it returns no error since Go 1.24
	return time.Duration(binary.BigEndian.Uint64(r[:]) % uint64(d))
}

// Sleep waits for d, and reports whether that went by before ctx ended.
func Sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
