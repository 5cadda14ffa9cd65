package witness

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/engine/partial"
)

// comparison is that of one entrypoint.
type comparison struct {
	old, new *program
	opts     Options
	// sameConfig is set when both sides show the same parts of requests to their policies.
	sameConfig bool
	// answersAlike is set when allowing answers are made alike in both sides, so that conditions alone decide.
	answersAlike bool
	// besideRoutes is set when the sides differ at most in data.routes, and read them by the route of a request alone.
	besideRoutes bool
	identical    bool
	network      bool
	progress     sync.Mutex
	done         int
}

func newComparison(old, new *program, opts Options) *comparison {
	c := &comparison{old: old, new: new, opts: opts}
	c.sameConfig = slices.Equal(old.form.headers, new.form.headers) && old.form.body == new.form.body &&
		slices.Equal(old.form.endpoints.identifiers, new.form.endpoints.identifiers)
	c.answersAlike = old.answer.Text == new.answer.Text && old.answer.Uniform && new.answer.Uniform
	c.identical = c.sameConfig && old.Meaning() == new.Meaning()
	a, fine := old.MeaningBesideRoutes()
	b, also := new.MeaningBesideRoutes()
	c.besideRoutes = c.sameConfig && fine && also && a == b
	c.network = old.side.Policy.MayReachNetwork(old.entrypoint) || new.side.Policy.MayReachNetwork(new.entrypoint)
	return c
}

// state is what is known of a shape.
type state uint8

const (
	notLookedAt state = iota
	proved
	differing
	undecided
)

// result is what was found about one shape.
type result struct {
	shape
	state      state
	reason     string // why it is undecided
	found      []difference
	candidates int
	opaque     []string

	pair         *pair
	oldRisks     []string
	newRisks     []string
	evaluated    bool
	partialError error
}

// run looks at all shapes: first what is left of each side, in parallel; then the shapes for which the same is left,
// of which one is searched and the others are tried with what was found for it.
func (c *comparison) run(ctx context.Context) (Entrypoint, []Finding) {
	shapes := shapesOf(c.old, c.new, c.opts.Requests)
	if c.readsPaths() {
		shapes = append(shapes, anyRequest())
	}
	results := make([]*result, len(shapes))
	for i, s := range shapes {
		results[i] = &result{shape: s}
	}
	first, stop := c.share(ctx)
	c.inParallel(len(results), func(i int) {
		if first.Err() == nil {
			c.evaluate(first, results[spread(i, len(results))])
		}
		c.tick(2 * len(results))
	})
	stop()
	groups := grouped(results)
	c.inParallel(len(groups), func(i int) {
		c.lookAt(ctx, groups[i])
		for range groups[i] {
			c.tick(2 * len(results))
		}
	})
	if n := len(results) - 1; results[n].any {
		c.beyond(ctx, results[n], results[:n])
	}
	results = append(results, c.recorded(ctx)...)
	return c.summary(results, len(shapes)), c.findings(results, len(shapes))
}

// share is the part of the time that the first step may take: a search needs some too.
func (c *comparison) share(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)*3/5)
}

// spread is the ith of n in an order that takes from everywhere, for when time does not suffice for all.
func spread(i, n int) int {
	const step = 7919 // a prime
	if n%step == 0 {
		return i
	}
	return i * step % n
}

func (c *comparison) tick(total int) {
	if c.opts.Progress == nil {
		return
	}
	c.progress.Lock()
	defer c.progress.Unlock()
	c.done++
	c.opts.Progress(c.done, total)
}

func (c *comparison) inParallel(n int, work func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				work(i)
			}
		})
	}
	workers.Wait()
}

// evaluate is the cheap part: what decides a shape without a search.
func (c *comparison) evaluate(ctx context.Context, r *result) {
	if c.identical || c.sameRoute(ctx, r) {
		r.state = proved
		return
	}
	if r.any {
		within, stop := context.WithTimeout(ctx, maxBeyond)
		defer stop()
		c.evaluateWithin(within, r)
		r.evaluated = r.evaluated || ctx.Err() == nil
		return
	}
	c.evaluateWithin(ctx, r)
}

func (c *comparison) evaluateWithin(ctx context.Context, r *result) {
	a, err := c.old.Evaluate(ctx, r.request(c.old.form))
	var b *partial.Residual
	if err == nil {
		b, err = c.new.Evaluate(ctx, r.request(c.new.form))
	}
	if ctx.Err() != nil {
		r.partialError = partial.ErrTimeout
		return
	}
	r.evaluated = true
	if err != nil {
		r.partialError = err
		return
	}
	r.pair = newPair(c.old, c.new, a, b)
	r.oldRisks, r.newRisks = a.Risks, b.Risks
	r.opaque = append(c.old.Opaque(a), c.new.Opaque(b)...)
}

// sameRoute reports whether a shape takes the same route in both sides, and nothing else differs.
func (c *comparison) sameRoute(ctx context.Context, r *result) bool {
	if !c.besideRoutes || r.known == nil || r.any {
		return false
	}
	known := []byte(textOf(map[string]any{"version": 1, "request": r.known}))
	was, told := c.old.RouteText(ctx, known)
	is, also := c.new.RouteText(ctx, known)
	return told && also && was == is
}

// grouped are the results that are not decided yet, in groups for which the same is left.
func grouped(results []*result) (out [][]*result) {
	at := map[string]int{}
	for _, r := range results {
		if !r.evaluated {
			continue
		}
		if r.any {
			continue
		}
		key := "error"
		if r.pair != nil {
			key = r.pair.old.Text() + "\x00" + r.pair.new.Text()
		}
		i, known := at[key]
		if !known {
			i = len(out)
			at[key] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], r)
	}
	return out
}

// lookAt searches the first shape of a group, and tries its findings for the others.
func (c *comparison) lookAt(ctx context.Context, group []*result) {
	var examples []document
	for i, r := range group {
		if ctx.Err() != nil {
			return
		}
		a := c.newAttack(ctx, r)
		a.first = i == 0
		examples = append(examples, a.decide(examples)...)
	}
}

// decide decides about one shape, with the documents that were found for others with the same conditions.
func (a *attack) decide(examples []document) (more []document) {
	r := a.r
	for _, doc := range a.bases() {
		a.try(doc)
	}
	for _, doc := range examples {
		a.try(a.moved(doc))
	}
	wider, narrower := false, false // whether these are proved not to be
	var why []string
	if r.pair == nil {
		why = append(why, r.partialError.Error())
	} else {
		wider = a.direction(Wider, examples)
		narrower = a.direction(Narrower, examples)
		if !wider || !narrower {
			why = append(why, a.why()...)
		}
	}
	if a.first {
		a.probe()
	}
	if a.first && (!wider && !a.has(Wider) || !narrower && !a.has(Narrower)) {
		a.generate()
	}
	switch {
	case a.ctx.Err() != nil && len(a.found) == 0:
		r.state = notLookedAt
		return nil
	case a.has(Wider) || a.elsewhere[Wider], wider && (a.has(Narrower) || a.elsewhere[Narrower]):
		r.state = differing
	case wider && narrower && a.has(Different):
		r.state = differing
	case wider && narrower:
		r.state = proved
	default:
		r.state, r.reason = undecided, first(why)
	}
	r.found, r.candidates = a.result(), a.tried
	return a.examples()
}

func first(why []string) string {
	if len(why) == 0 {
		return errNothingFound.Error()
	}
	return why[0]
}

var errNothingFound = errors.New("no proof, and no document was found that both sides decide differently")
