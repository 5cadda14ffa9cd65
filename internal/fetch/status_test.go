package fetch_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/fetch"
)

func TestTheStatusSaysWhenAValueWasFetchedAndWhyItIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails error
		v := fetch.New(fetch.Config[int]{
			Name: "fetch it", Fetch: func(context.Context) (int, error) { return 1, fails },
			Lifetime: func(_ int, began time.Time) (renew, end time.Time) { return began.Add(time.Hour), time.Time{} },
		})
		defer v.Close()
		if s := v.Status(); s != nil {
			t.Errorf("before an attempt: %+v", s)
		}
		began := time.Now()
		if _, err := v.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := v.Status(); !s.Fetched.Equal(began) || !s.Next.Equal(began.Add(time.Hour)) || s.Fault != nil ||
			!s.Since.IsZero() {
			t.Errorf("after an attempt: %+v", s)
		}
		fails = errors.New("broken")
		time.Sleep(time.Hour)
		_, _ = v.Fetch(t.Context())
		failed := time.Now()
		time.Sleep(time.Minute)
		_, _ = v.Fetch(t.Context())
		s := v.Status()
		if !s.Fetched.Equal(began) || !s.Since.Equal(failed) || !s.Fault.At.Equal(time.Now()) ||
			s.Fault.Cause != "fetch it: broken" || s.Fault.Kind != "unavailable" || !s.Next.After(time.Now()) {
			t.Errorf("after two failures: %+v, %+v", s, s.Fault)
		}
		fails = nil
		time.Sleep(time.Minute)
		_, _ = v.Fetch(t.Context())
		if s := v.Status(); s.Fault != nil || !s.Since.IsZero() || !s.Fetched.Equal(time.Now()) {
			t.Errorf("when it is over: %+v", s)
		}
	})
}
