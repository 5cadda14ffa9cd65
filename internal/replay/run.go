package replay

import (
	"cmp"
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"time"
)

// Run decides events anew. When ctx ends, the report is about what was done until then, and says so in Partial. An
// error means that a log cannot be read; the report is then about what was read before.
func Run(ctx context.Context, events Events, o Options) (*Report, error) {
	begun := time.Now()
	logs, _ := events.(*Logs)
	o.complete()
	s := newShared(&o)
	t := newTally(&o)
	if o.Last > 0 || o.Sample > 0 {
		var err error
		if events, err = choose(ctx, events, s, t); err != nil {
			return t.report(begun), err
		}
	}
	err := each(ctx, events, s, decideItem, t.add)
	r := t.report(begun)
	for i := range r.Logs {
		if logs != nil {
			r.Logs[i].Bytes = logs.sizes[r.Logs[i].Name]
		}
	}
	r.Coverage = s.coverage(ctx, t)
	if why := context.Cause(ctx); why != nil {
		r.Partial = "interrupted"
		if errors.Is(why, context.DeadlineExceeded) {
			r.Partial = "out of time"
		}
	} else {
		explainFlips(ctx, s, t, r)
	}
	return r, err
}

// complete sets what is left to its default.
func (o *Options) complete() {
	o.Examples = cmp.Or(o.Examples, 3)
	o.Explain = cmp.Or(o.Explain, 200)
	o.Workers = cmp.Or(o.Workers, runtime.GOMAXPROCS(0))
}

// batch is a run of items that one worker looks at.
type batch struct {
	items []Item
	text  []byte // of the lines
	out   []outcome
	done  chan struct{}
}

const (
	// A batch is so many items, or so many bytes of them.
	batchItems = 256
	batchBytes = 1 << 20
)

// look is what is done with one item, by a judge.
type look func(ctx context.Context, j *judge, item *Item) outcome

// each looks at events in batches, by several workers, and passes the outcomes on in their order. The batches that are
// under way bound its memory.
func each(ctx context.Context, events Events, s *shared, do look, then func(*outcome)) error {
	todo, order := make(chan *batch), make(chan *batch, 2*s.o.Workers)
	var workers sync.WaitGroup
	for range s.o.Workers {
		workers.Go(func() {
			j := &judge{shared: s, read: map[string]bool{}}
			for b := range todo {
				b.look(ctx, j, do)
				close(b.done)
			}
		})
	}
	var failed error
	workers.Go(func() {
		defer close(order)
		defer close(todo)
		failed = split(ctx, events, func(b *batch) {
			order <- b
			todo <- b
		}, s.o.Progress)
	})
	for b := range order {
		<-b.done
		for i := range b.out {
			then(&b.out[i])
		}
	}
	workers.Wait()
	return failed
}

// look looks at the items of a batch; those that are left when ctx ends are skipped.
func (b *batch) look(ctx context.Context, j *judge, do look) {
	b.out = make([]outcome, len(b.items))
	for i := range b.items {
		if ctx.Err() != nil {
			b.out[i].skipped = true
			continue
		}
		b.out[i] = do(ctx, j, &b.items[i])
	}
	b.items, b.text = nil, nil
}

// split reads events into batches until they end, or ctx does.
func split(ctx context.Context, events Events, emit func(*batch), progress func(Progress)) error {
	n := 0
	for ctx.Err() == nil {
		b := &batch{done: make(chan struct{}), text: make([]byte, 0, batchBytes/2)}
		err := b.fill(events)
		if n += len(b.items); len(b.items) > 0 {
			emit(b)
		}
		if progress != nil {
			done, total := events.Read()
			progress(Progress{Bytes: done, Total: total, Decisions: n})
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) fill(events Events) error {
	for len(b.items) < batchItems && len(b.text) < batchBytes {
		item, err := events.Next()
		if err != nil {
			return err
		}
		if item.Line != nil {
			from := len(b.text)
			b.text = append(b.text, item.Line...)
			item.Line = b.text[from:len(b.text):len(b.text)]
		}
		b.items = append(b.items, item)
	}
	return nil
}
