// Package outage puts a sidecar under load while its authorization server fails in one way after another, and reports
// what became of the requests. It knows the sidecar by its API only.
package outage

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/authz-sidecar/sidecar/internal/fetch"
)

// Plan is a drill. All members are needed.
type Plan struct {
	// API is the URL of the sidecar's api listener. Its policies are the shipped ones, its issuer is Server, with
	// tenant: [/tenant], and keeps answers for longer than the drill takes.
	API    string
	Server *Server
	// Phase is the length of each outage. The next one begins when all has been well for Calm, or after Patience.
	Phase, Calm, Patience time.Duration
	// Rate is the number of requests a second: half of them with tokens that the sidecar knows, a quarter with good
	// ones that it does not, a quarter with rubbish.
	Rate int
	// Known is how many different tokens the sidecar knows.
	Known int
}

// Run makes the sidecar know its tokens, and then takes the server through all outages.
func Run(ctx context.Context, p Plan) ([]Row, error) {
	l := &load{plan: p, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 4096}, Timeout: time.Minute,
	}}
	defer l.client.CloseIdleConnections()
	for n := range p.Known {
		if err := l.learn(ctx, known(n)); err != nil {
			return nil, err
		}
	}
	var rows []Row
	for _, b := range []Behaviour{Slow, Refusing, Hanging, Flapping} {
		r, err := l.runPhase(ctx, b)
		if err != nil {
			return rows, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// learn makes the sidecar know a token. The server is well, yet on a machine without time its answer can be late: the
// drill has not begun, so a request that was refused for that is sent again.
func (l *load) learn(ctx context.Context, token string) error {
	begun := time.Now()
	for {
		got := l.ask(ctx, token)
		if got.allowed() {
			return nil
		}
		if got.Status != http.StatusServiceUnavailable || time.Since(begun) > l.plan.Patience {
			return fmt.Errorf("begin drill: a good token gets %v", got)
		}
		if !fetch.Sleep(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// runPhase is one phase and the calm after it.
func (l *load) runPhase(ctx context.Context, b Behaviour) (Row, error) {
	t := &tally{row: Row{Phase: b.String()}, server: l.plan.Server}
	l.plan.Server.peakInFlight()
	if err := l.plan.Server.Become(b); err != nil {
		return t.row, err
	}
	var all sync.WaitGroup
	l.run(ctx, &all, t, l.plan.Phase)
	if err := l.plan.Server.Become(Healthy); err != nil {
		return t.row, err
	}
	t.returned(time.Now())
	for back := time.Now(); ctx.Err() == nil && time.Since(back) < l.plan.Patience && !t.well(l.plan.Calm); {
		l.run(ctx, &all, t, l.plan.Calm/4)
	}
	all.Wait()
	t.row.UpstreamCalls = l.plan.Server.peakInFlight()
	return t.row, ctx.Err()
}
