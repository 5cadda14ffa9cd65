package app

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// used is one request of a load.
type used struct {
	token        string
	begun, ended time.Time
	answer       answer
	err          error
}

func (u used) String() string {
	if u.err != nil {
		return u.err.Error()
	}
	return u.answer.String()
}

// mostAtOnce bounds the requests of a load that are under way: a machine that cannot keep up gets no more.
const mostAtOnce = 32

// traffic sends requests at a steady rate, whether or not earlier ones are answered, with each token in turn.
type traffic struct {
	stop func() []used // and returns all of them
	sent atomic.Int64
}

func (w *world) traffic(t *testing.T, rate int, tokens ...string) *traffic {
	ctx, cancel := context.WithCancel(context.Background())
	l := &traffic{}
	var mu sync.Mutex
	var all []used
	var running sync.WaitGroup
	slots := make(chan struct{}, mostAtOnce)
	running.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			slots <- struct{}{}
			u := used{token: tokens[n%len(tokens)], begun: time.Now()}
			running.Go(func() {
				defer func() { <-slots }()
				u.answer, u.err = w.try(t.Context(), u.token)
				u.ended = time.Now()
				mu.Lock()
				all = append(all, u)
				mu.Unlock()
				l.sent.Add(1)
			})
		}
	})
	var once sync.Once
	l.stop = func() []used {
		once.Do(func() { cancel(); running.Wait() })
		return all
	}
	t.Cleanup(func() { l.stop() })
	return l
}

// goesOn waits for so many more answers.
func (l *traffic) goesOn(t *testing.T, n int64) {
	t.Helper()
	want := l.sent.Load() + n
	testkit.Eventually(t, "the load goes on", func() bool { return l.sent.Load() >= want })
}
