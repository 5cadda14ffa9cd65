package outage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// load sends requests.
type load struct {
	plan   Plan
	client *http.Client
	sent   int
}

// class is what is true about a token.
type class uint8

const (
	isKnown class = iota
	isNew         // good, and the sidecar has not seen it
	isRubbish
)

func known(n int) string { return fmt.Sprintf("good-known-%d", n) }

// next is the token of the next request.
func (l *load) next() (string, class) {
	l.sent++
	switch l.sent % 4 {
	case 1:
		return fmt.Sprintf("good-new-%d", l.sent), isNew
	case 3:
		return fmt.Sprintf("rubbish-%d", l.sent), isRubbish
	}
	return known(l.sent / 2 % l.plan.Known), isKnown
}

// mostBehind is how much of the load is made up for after the machine had no time for this process. More would be a
// flood.
const mostBehind = 50 * time.Millisecond

// run sends requests at the planned rate, whether or not earlier ones are answered. It does not wait for them.
func (l *load) run(ctx context.Context, all *sync.WaitGroup, t *tally, length time.Duration) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	begun, due := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		passed := min(time.Since(begun), length)
		want := int(passed.Seconds() * float64(l.plan.Rate))
		for due = max(due, want-int(mostBehind.Seconds()*float64(l.plan.Rate))); due < want; due++ {
			token, c := l.next()
			all.Go(func() {
				start := time.Now()
				a := l.ask(ctx, token)
				t.count(token, c, start, time.Since(start), a)
			})
		}
		if passed == length {
			return
		}
	}
}

// answer is what the sidecar said, or why it said nothing.
type answer struct {
	Allow   bool                `json:"allow"`
	Kind    string              `json:"kind"`
	Status  int                 `json:"status"`
	Headers map[string][]string `json:"headers"`
	err     error
}

func (a answer) allowed() bool { return a.err == nil && a.Allow }

func (a answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprintf("%s %d", a.Kind, a.Status)
}

func (l *load) ask(ctx context.Context, token string) (a answer) {
	body := fmt.Sprintf(
		`{"request":{"method":"GET","url":"https://api.example/orders/42","headers":{"authorization":["Bearer %s"],"x-tenant":["acme"]}}}`, token)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.plan.API+"/v1/decisions", strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return answer{err: err}
	}
	if resp.StatusCode != http.StatusOK {
		return answer{err: fmt.Errorf("status %d", resp.StatusCode)}
	}
	return a
}
