package fetch_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/fetch"
)

func TestAFailureThatLastsIsToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r fetch.Repeats
		told := 0
		for range 240 { // two minutes
			if r.IsNews(errors.New("refused")) {
				told++
			}
			time.Sleep(fetch.Pause)
		}
		if told != 2 {
			t.Errorf("told %d times", told)
		}
		if !r.IsNews(errors.New("timed out")) {
			t.Error("another cause is not told")
		}
		if !r.IsNews(nil) || !r.IsNews(errors.New("timed out")) {
			t.Error("a success, or the first failure after it, is not told")
		}
	})
}
