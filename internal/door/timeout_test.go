package door_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/door"
)

// each runs a test with the context of the standard library and with that of the doors.
func each(t *testing.T, test func(t *testing.T, with func(context.Context, time.Duration) (context.Context, func()))) {
	t.Helper()
	for name, with := range map[string]func(context.Context, time.Duration) (context.Context, func()){
		"standard": func(parent context.Context, d time.Duration) (context.Context, func()) {
			return context.WithTimeout(parent, d)
		},
		"timed": func(parent context.Context, d time.Duration) (context.Context, func()) {
			c := door.WithTimeout(parent, d)
			return c, c.End
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, with) }) })
	}
}

// is fails unless a context ended because of want, and says so in every way.
func is(t *testing.T, ctx context.Context, want error) {
	t.Helper()
	if err := ctx.Err(); !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Errorf("Err is %v, want %v", err, want)
	}
	select {
	case <-ctx.Done():
		if want == nil {
			t.Error("Done is closed")
		}
	default:
		if want != nil {
			t.Error("Done is open")
		}
	}
	if err := context.Cause(ctx); !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Errorf("the cause is %v, want %v", err, want)
	}
}

func TestATimedContextEndsAsThatOfTheStandardLibraryDoes(t *testing.T) {
	type key struct{}
	each(t, func(t *testing.T, with func(context.Context, time.Duration) (context.Context, func())) {
		parent, stop := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		ctx, end := with(parent, time.Second)
		is(t, ctx, nil)
		if at, ok := ctx.Deadline(); !ok || !at.Equal(time.Now().Add(time.Second)) || ctx.Value(key{}) != "value" {
			t.Error("another deadline or value")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		is(t, ctx, context.DeadlineExceeded)
		end()
		is(t, ctx, context.DeadlineExceeded)

		ctx, end = with(parent, time.Second)
		end()
		end()
		is(t, ctx, context.Canceled)

		late, end := with(parent, -time.Second)
		defer end()
		is(t, late, context.DeadlineExceeded)

		ctx, end = with(parent, time.Second)
		defer end()
		stop()
		is(t, ctx, context.Canceled)
		time.Sleep(2 * time.Second)
		is(t, ctx, context.Canceled)
	})
}

func TestWhatWaitsForATimedContextIsTold(t *testing.T) {
	each(t, func(t *testing.T, with func(context.Context, time.Duration) (context.Context, func())) {
		var waiting sync.WaitGroup
		ctx, end := with(t.Context(), time.Second)
		defer end()
		below, stop := context.WithCancel(ctx)
		defer stop()
		sooner, stopSooner := context.WithTimeout(ctx, time.Millisecond)
		defer stopSooner()
		ran := make(chan struct{})
		context.AfterFunc(ctx, func() { close(ran) })
		for _, c := range []<-chan struct{}{ctx.Done(), below.Done(), ran} {
			waiting.Go(func() { <-c })
		}
		begun := time.Now()
		<-sooner.Done()
		if time.Since(begun) != time.Millisecond {
			t.Error("a shorter timeout below it was not kept")
		}
		waiting.Wait()
		if time.Since(begun) != time.Second {
			t.Error("what waits was told at another time")
		}
		is(t, below, context.DeadlineExceeded)

		cancelled, end2 := with(t.Context(), time.Second)
		child, stop2 := context.WithTimeout(cancelled, time.Minute)
		defer stop2()
		waiting.Go(func() { <-child.Done() })
		end2()
		waiting.Wait()
		is(t, child, context.Canceled)
		synctest.Wait()
	})
}

func TestADeadlineOfTheParentIsKept(t *testing.T) {
	each(t, func(t *testing.T, with func(context.Context, time.Duration) (context.Context, func())) {
		parent, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		ctx, end := with(parent, time.Minute)
		defer end()
		if at, _ := ctx.Deadline(); !at.Equal(time.Now().Add(time.Second)) {
			t.Errorf("the deadline is %v", at)
		}
		<-ctx.Done()
		is(t, ctx, context.DeadlineExceeded)
	})
}
