package remote

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// refusedBy is an answer that refuses the sidecar, down is none.
func refusedBy() error {
	return &authz.Error{Kind: authz.Misconfigured, Err: &oauth.Failure{Reason: oauth.Answered, Status: 401}}
}

func down() error {
	return &authz.Error{Kind: authz.Unavailable, Err: &oauth.Failure{Reason: oauth.TimedOut}}
}

// recording is a Client that has exchanged nothing yet, and its log.
func recording() (*Client, *testkit.LogBuffer) {
	log := &testkit.LogBuffer{}
	return &Client{record: &record{issuer: "main", log: slog.New(slog.NewTextHandler(log, nil))}}, log
}

func TestTheRecordTellsAnswersFromUsableOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := recording()
		if s, fault := c.Status(); fault != nil || !s.LastAsked.IsZero() || c.record.lastFit() != 0 {
			t.Errorf("before any exchange: %+v, %+v", s, fault)
		}
		exchange := func(err error) time.Time {
			time.Sleep(time.Second)
			c.record.sent(time.Now())
			time.Sleep(time.Second)
			c.record.ended(err)
			return time.Now()
		}
		good := exchange(nil)
		began := exchange(refusedBy())
		last := exchange(down())
		s, fault := c.Status()
		if !s.LastAsked.Equal(last.Add(-time.Second)) || !s.LastAnswered.Equal(began) || !s.LastFault.At.Equal(last) ||
			s.LastFault.Kind != "unavailable" || !fault.Since.Equal(began) {
			t.Errorf("%+v, last fault %+v, fault %+v", s, s.LastFault, fault)
		}
		if got := c.record.lastFit(); got != float64(good.Unix()) {
			t.Errorf("the last usable answer came at %v, want %v", got, good.Unix())
		}
		exchange(nil)
		if s, fault := c.Status(); fault != nil || !s.LastFault.At.Equal(last) {
			t.Errorf("after a usable answer: %+v, %+v", s.LastFault, fault)
		}
	})
}

// TestALogLineAChange: a server that refuses some requests and answers others must not fill the log.
func TestALogLineAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, log := recording()
		lines := func(refused, again int) {
			t.Helper()
			if n := strings.Count(log.String(), "cannot be asked about tokens"); n != refused {
				t.Errorf("%d lines say that it refuses, want %d", n, refused)
			}
			if n := strings.Count(log.String(), "can be asked about tokens again"); n != again {
				t.Errorf("%d lines say that this is over, want %d", n, again)
			}
		}
		c.record.ended(down())
		c.record.ended(errors.New("no error of the server"))
		lines(0, 0)
		for range 3 {
			c.record.ended(refusedBy())
		}
		lines(1, 0)
		for range 3 {
			c.record.ended(nil)
			c.record.ended(refusedBy())
		}
		lines(1, 1)
		time.Sleep(logRefusalsEvery)
		c.record.ended(refusedBy())
		lines(2, 1)
		c.record.ended(nil)
		lines(2, 2)
	})
}
