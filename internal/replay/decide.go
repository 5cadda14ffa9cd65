package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

// judge decides events anew. It is immutable, and each worker has its own.
type judge struct {
	*shared
	// read is what sides may read of the input, by entrypoint and pointer.
	read map[string]bool
}

// shared is what all judges share. It is immutable.
type shared struct {
	o         *Options
	point     *decision.Point
	candidate *engine.Policy
	// baseline is nil where the candidate is compared with the log.
	baseline *engine.Policy
	names    *namer
}

func newShared(o *Options) *shared {
	s := &shared{o: o, candidate: o.Candidate.Policy.Offline(), names: newNamer(o.Candidate, o.Baseline)}
	if o.Baseline.Policy != nil {
		s.baseline = o.Baseline.Policy.Offline()
	}
	s.point = decision.New(decision.Config{}, &decision.Snapshot{Policy: s.candidate},
		decision.Deps{Log: slog.New(slog.DiscardHandler)})
	return s
}

// readItem reads an item, and whether it is asked for.
func (j *judge) readItem(item *Item) outcome {
	out := outcome{log: item.Log, number: item.Number, size: len(item.Line), bad: item.Err}
	switch {
	case item.Record != nil:
		out.event = ofRecord(item.Record)
	case item.Err == nil:
		out.event, out.bad = read(item.Line)
	}
	out.outside = out.bad == nil && !(j.o.inWindow(out.time) && j.o.Filter.has(&out, j.names))
	return out
}

// decideItem decides one item anew.
func decideItem(ctx context.Context, j *judge, item *Item) outcome {
	out := j.readItem(item)
	if out.bad != nil || out.outside || !out.asked {
		return out
	}
	if out.obstacle, out.details = j.obstacle(out.event); out.obstacle != "" {
		return out
	}
	if out.route == "" {
		out.route = j.names.name(out.entrypoint, out.doc)
	}
	j.decide(ctx, &out)
	return out
}

// decide decides an event anew, by the candidate and perhaps by the baseline, and compares.
func (j *judge) decide(ctx context.Context, out *outcome) {
	now := j.anew(ctx, j.candidate, out)
	if now.obstacle != "" {
		out.obstacle, out.details = now.obstacle, []string{now.detail}
		out.mayAllow = j.baseline != nil && now.obstacle != Deadline && j.denies(ctx, j.baseline, out)
		return
	}
	out.now = now.Answer
	logged := comparison{was: &out.was, result: out.result, noResult: out.noResult, event: out.event}
	if j.baseline != nil {
		was := j.anew(ctx, j.baseline, out)
		if was.obstacle != "" {
			out.obstacle, out.details = was.obstacle, []string{was.detail + " (baseline)"}
			return
		}
		out.otherwise = len(logged.differences(&was)) > 0
		out.was = was.Answer
		logged = comparison{was: &was.Answer, result: was.result, noResult: was.noResult}
	}
	out.differs = logged.differences(&now)
	out.unlogged = logged.partly
	out.class = classOf(&out.was, &out.now, len(out.differs) == 0)
}

// denies reports whether a policy denies an event without an obstacle.
func (j *judge) denies(ctx context.Context, policy *engine.Policy, out *outcome) bool {
	was := j.anew(ctx, policy, out)
	return was.obstacle == "" && was.outcome() == denied
}

// answer is a decision that was made anew.
type answer struct {
	Answer
	// result is JSON, or nil for none; noResult is set where it cannot be written.
	result   jsontext.Value
	noResult bool
	// obstacle is set where there is no decision, and detail says more.
	obstacle ObstacleClass
	detail   string
}

// anew decides an event anew. A panic is an answer of kind internal, as it is for a request.
func (j *judge) anew(ctx context.Context, policy *engine.Policy, out *outcome) (a answer) {
	defer func() {
		if r := recover(); r != nil {
			a = answer{Answer: Answer{Kind: authz.Internal.String(), Status: 500,
				Cause: fmt.Sprintf("the evaluation panicked (%T)", r)}}
		}
	}()
	again := j.point.RedecideBy(ctx, policy, out.recorded())
	d := &again.Decision
	if d.Cause != nil {
		if outside, ok := errors.AsType[*engine.OutsideError](d.Cause); ok {
			if outside.Network {
				return answer{obstacle: Network, detail: outside.Builtin}
			}
			return answer{obstacle: Machine, detail: outside.Builtin}
		}
		if a.Cause = d.Cause.Error(); engine.OutOfTime(a.Cause) {
			return answer{obstacle: Deadline, detail: "now"}
		}
	}
	a.Kind, a.Status, a.Reasons = d.Kind.String(), d.Status, reasonsOf(d.Reasons)
	if again.Result.Empty() {
		return a
	}
	var err error
	a.result, err = again.Result.AppendJSON(nil)
	a.noResult = err != nil
	return a
}

// obstacle is why an event cannot be decided anew, which is known without an evaluation.
func (j *judge) obstacle(e *event) (ObstacleClass, []string) {
	sides := []*engine.Policy{j.candidate}
	if j.baseline != nil {
		sides = append(sides, j.baseline)
	}
	if slices.ContainsFunc(sides, func(p *engine.Policy) bool { return !p.Has(e.entrypoint) }) {
		return EntrypointGone, []string{e.entrypoint}
	}
	missing := j.missing(e, sides)
	switch {
	case len(missing) > 0:
		return MaskedInput, missing
	case e.doc == nil:
		return e.obstacle, []string{e.why}
	case engine.OutOfTime(e.was.Cause):
		return Deadline, []string{"then"}
	}
	return "", nil
}

// missing are the members of the input that are not those of the decision, and that a side may read.
func (j *judge) missing(e *event, sides []*engine.Policy) (out []string) {
	for _, list := range [][]string{e.erased, e.masked} {
		for _, pointer := range list {
			if below, ok := strings.CutPrefix(pointer, "/input/"); ok && j.mayRead(e.entrypoint, below, sides) &&
				!slices.Contains(out, pointer) {
				out = append(out, pointer)
			}
		}
	}
	return out
}

// maxReads bounds the pointers of which a judge remembers whether they are read.
const maxReads = 4096

// mayRead reports whether a decision may depend on the member at a pointer below /input. Whatever the policies read,
// the status depends on the scheme of the token, and HTTP requests are told from other questions by their method.
func (j *judge) mayRead(entrypoint, pointer string, sides []*engine.Policy) bool {
	key := entrypoint + " " + pointer
	if known, ok := j.read[key]; ok {
		return known
	}
	path := slices.Collect(jsontext.Pointer("/" + pointer).Tokens())
	may := isPrefix(path, []string{"token", "scheme"}) || isPrefix(path, []string{"version"})
	for _, p := range sides {
		reads := p.MayRead(entrypoint)
		may = may || reads(path) || isPrefix(path, []string{"request", "method"}) && reads(path[:1])
	}
	if len(j.read) >= maxReads {
		clear(j.read)
	}
	j.read[key] = may
	return may
}

// isPrefix reports whether the member at path is that at of, or holds it.
func isPrefix(path, of []string) bool {
	return len(path) <= len(of) && slices.Equal(path, of[:len(path)])
}
