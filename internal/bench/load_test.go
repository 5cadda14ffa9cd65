//go:build bench

package bench

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// sample is what one run of load saw.
type sample struct {
	took      time.Duration
	latencies []time.Duration // of every request, sorted
}

func (s sample) rate() float64 { return float64(len(s.latencies)) / s.took.Seconds() }

// quantile returns the latency that a share q of the requests did not exceed.
func (s sample) quantile(q float64) time.Duration {
	if len(s.latencies) == 0 {
		return 0
	}
	return s.latencies[min(len(s.latencies)-1, int(q*float64(len(s.latencies))))]
}

// closed asks on each of conns as soon as the answer before is there, for d.
func closed(conns []caller, d time.Duration) (sample, error) {
	return drive(conns, d, func(c caller, _ int, end time.Time) ([]time.Duration, error) {
		var seen []time.Duration
		for {
			begun := time.Now()
			if begun.After(end) {
				return seen, nil
			}
			if err := c.check(); err != nil {
				return seen, err
			}
			seen = append(seen, time.Since(begun))
		}
	})
}

// open asks at rate requests a second, spread evenly over conns, whether answers come or not. A question that had to
// wait for the answer before is timed from when it was due, so that a server that stalls is charged for all whom it
// kept waiting. One that only the generator's own timer delayed is timed from when it was sent.
func open(conns []caller, d time.Duration, rate float64) (sample, error) {
	interval := time.Duration(float64(len(conns)) / rate * float64(time.Second))
	return drive(conns, d, func(c caller, i int, end time.Time) ([]time.Duration, error) {
		var seen []time.Duration
		timer := time.NewTimer(0)
		defer timer.Stop()
		<-timer.C
		due := time.Now().Add(interval * time.Duration(i) / time.Duration(len(conns)))
		for ; due.Before(end); due = due.Add(interval) {
			from := due
			if wait := time.Until(due); wait > 0 {
				timer.Reset(wait)
				<-timer.C
				from = time.Now()
			}
			if err := c.check(); err != nil {
				return seen, err
			}
			seen = append(seen, time.Since(from))
		}
		return seen, nil
	})
}

// drive runs one goroutine a connection, waits for all, and joins what they saw.
func drive(
	conns []caller, d time.Duration, run func(c caller, i int, end time.Time) ([]time.Duration, error),
) (sample, error) {
	seen := make([][]time.Duration, len(conns))
	errs := make([]error, len(conns))
	begun := time.Now()
	end := begun.Add(d)
	var all sync.WaitGroup
	for i, c := range conns {
		all.Go(func() { seen[i], errs[i] = run(c, i, end) })
	}
	all.Wait()
	s := sample{took: time.Since(begun), latencies: slices.Concat(seen...)}
	slices.Sort(s.latencies)
	return s, errors.Join(errs...)
}

// caller asks one question over and over, on a connection that is kept alive.
type caller interface {
	// check asks, and wants to be allowed.
	check() error
	close()
}

// posts asks at address by a POST of a JSON body.
func posts(address, path string, body []byte) func(n int) ([]caller, error) {
	return asks(address, request(path, body), allowed)
}

// asks opens connections to address that send the same bytes over and over, and want others in the body of an answer.
func asks(address string, request, wants []byte) func(n int) ([]caller, error) {
	return func(n int) ([]caller, error) {
		var all []caller
		for range n {
			c, err := dial(address, request)
			if err != nil {
				closeAll(all)
				return nil, fmt.Errorf("connect to %s: %w", address, err)
			}
			c.wants = wants
			all = append(all, c)
		}
		return all, nil
	}
}

func closeAll(all []caller) {
	for _, c := range all {
		c.close()
	}
}
