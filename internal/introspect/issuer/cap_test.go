package issuer

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

func TestEV2_ALimitShortensTheUseOfAnswersUntilItIsLifted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		i, _ := openWired(t, func(c *Config) { c.Cache.TTL = time.Minute },
			func(*http.Request) (*http.Response, error) {
				calls++
				return wireJSON(`{"active":true,"sub":"alice"}`), nil
			})
		is := &Issuers{all: []*Issuer{i}}
		at := func(pause time.Duration, want int) {
			t.Helper()
			time.Sleep(pause)
			if ask(t, i); calls != want {
				t.Errorf("%d calls, want %d", calls, want)
			}
		}
		at(0, 1)
		at(10*time.Second, 1)
		is.CapTTL("test", 5*time.Second)
		at(0, 2)
		at(4*time.Second, 2)
		at(2*time.Second, 3)
		is.CapTTL("another", 0)
		at(6*time.Second, 4)
		is.CapTTL("test", 0)
		at(50*time.Second, 4)
		i.Close()
	})
}

func TestEV2_AnAnswerFromBeforeAnInterruptionIsNotUsedAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said, failing := `{"active":true,"sub":"alice"}`, false
		i, _ := openWired(t, func(c *Config) { c.Cache.TTL, c.Cache.StaleIfError = time.Hour, time.Hour },
			func(*http.Request) (*http.Response, error) {
				if failing {
					return nil, errors.New("down")
				}
				return wireJSON(said), nil
			})
		defer i.Close()
		is := &Issuers{all: []*Issuer{i}}
		ask(t, i)
		is.CapTTL("test", 5*time.Second) // the stream is down
		time.Sleep(10 * time.Minute)
		said = `{"active":false}` // and the event is lost
		is.CapTTL("test", 0)
		failing = true
		refusal(t, i, authz.Unavailable)
		time.Sleep(time.Minute)
		failing = false
		if ask(t, i).Active {
			t.Error("what was known before is used again")
		}
	})
}
