// Package follow says of each decision, in one line, what was decided, about which request, and why.
//
// It is for people who watch: lines come after the answers, in the order of the decisions, and where there are more
// than can be written it says how many it left out. The record of decisions is the decision log.
package follow

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/decision/summary"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
)

const (
	// waiting is how many decisions may wait for their lines. More are left out.
	waiting = 1024
	// room is the memory that they may keep in use, in bytes, estimated.
	room = 32 << 20
	// explainable is how many may wait while the rule behind each is looked for, which takes an evaluation.
	explainable = 64
	// explainWithin bounds the evaluation that finds the rule behind one decision.
	explainWithin = time.Second
	// restAfter is for how long none is looked for after one that was not found in time: what runs on in a builtin
	// counts against decisions too (engine/builtins.Runaways).
	restAfter = time.Minute
)

// Output is where lines go. A Follower calls it from one goroutine.
type Output interface {
	// Write writes the line of one decision.
	Write(d summary.Decision)
	// LeftOut says that n decisions before the next line have none.
	LeftOut(n uint64)
}

// Follower is a decision.Observer. Its goroutine runs until Close.
type Follower struct {
	out     Output
	queue   chan decision.Observed
	bytes   atomic.Int64 // of what waits
	leftOut atomic.Uint64
	working context.Context
	stop    context.CancelFunc
	ended   chan struct{}

	// find finds the place of the rule behind a decision; resting is until when it is not asked. Both belong to run.
	find    func(context.Context, decision.Observed) string
	resting time.Time
}

// Start returns a follower that writes to out.
func Start(out Output) *Follower { return start(out, ruleBehind) }

func start(out Output, find func(context.Context, decision.Observed) string) *Follower {
	f := &Follower{
		out: out, find: find, queue: make(chan decision.Observed, waiting), ended: make(chan struct{}),
	}
	f.working, f.stop = context.WithCancel(context.Background())
	go f.run()
	return f
}

// Observe queues the line of a decision, and returns at once.
func (f *Follower) Observe(o decision.Observed) {
	size := sizeOf(o)
	if f.bytes.Add(size) <= room {
		select {
		case f.queue <- o:
			return
		default:
		}
	}
	f.bytes.Add(-size)
	f.leftOut.Add(1)
}

// sizeOf is the memory that a decision keeps in use, in bytes, estimated.
func sizeOf(o decision.Observed) int64 {
	const itself = 2 << 10
	n := itself + o.Document.Size() + len(o.Path)
	if r, ok := o.Record.Result.(decisionlog.Sized); ok {
		n += r.Size()
	}
	return int64(n)
}

// Close writes the lines of what was observed before, without looking for further rules.
func (f *Follower) Close(ctx context.Context) error {
	f.stop()
	select {
	case <-f.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (f *Follower) run() {
	defer close(f.ended)
	for {
		select {
		case o := <-f.queue:
			f.tell(o)
		case <-f.working.Done():
			for {
				select {
				case o := <-f.queue:
					f.tell(o)
				default:
					return
				}
			}
		}
	}
}

func (f *Follower) tell(o decision.Observed) {
	f.bytes.Add(-sizeOf(o))
	if n := f.leftOut.Swap(0); n > 0 {
		f.out.LeftOut(n)
	}
	d := summaryOf(o)
	if len(f.queue) < explainable && time.Now().After(f.resting) {
		ctx, cancel := context.WithTimeout(f.working, explainWithin)
		d.Rule = f.find(ctx, o)
		if ctx.Err() != nil {
			f.resting = time.Now().Add(restAfter)
		}
		cancel()
	}
	f.out.Write(d)
}

func summaryOf(o decision.Observed) summary.Decision {
	d := summary.Decision{
		DecisionID: o.Decision.ID, Kind: o.Decision.Kind, Status: o.Decision.Status, Reasons: o.Decision.Reasons,
		Method: o.Method, Path: o.Path, Client: o.Client, Subject: o.Subject,
	}
	if o.Decision.Cause != nil {
		d.Cause = o.Decision.Cause.Error()
	}
	return d
}
