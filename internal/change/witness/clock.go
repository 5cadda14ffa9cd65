package witness

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// steps are how many times are looked at besides those that the policies name. Steps of 25 hours meet each hour of the
// day, and each day of the week.
const (
	steps    = 24
	timeStep = 25 * time.Hour
)

// maxNamed bounds the times that policies and data name and that are looked at.
const maxNamed = 12

// times are those to look at: just before and after what the policies name, and at all hours and days.
func (c *comparison) times() (out []time.Time) {
	named := map[time.Time]bool{}
	for _, v := range slices.Concat(c.old.constants, c.new.constants) {
		if at, ok := instant(v); ok && len(named) < maxNamed {
			named[at.UTC()] = true
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(named), time.Time.Compare) {
		out = append(out, at.Add(-time.Second), at.Add(time.Second))
	}
	for i := range steps {
		out = append(out, c.opts.Now.Add(time.Duration(i+1)*timeStep))
	}
	return out
}

// instant is the time that a constant names: a text, or seconds or nanoseconds since 1970.
func instant(v any) (time.Time, bool) {
	switch v := v.(type) {
	case string:
		for _, layout := range []string{time.RFC3339, time.DateOnly} {
			if at, err := time.Parse(layout, v); err == nil {
				return at, true
			}
		}
	case float64:
		switch {
		case v > 1e9 && v < 5e9:
			return time.Unix(int64(v), 0), true
		case v > 1e18 && v < 5e18:
			return time.Unix(0, int64(v)).Truncate(time.Second), true
		}
	}
	return time.Time{}, false
}

// shareOfTimes is the part of the budget that other times than the first may take: a twentieth.
const shareOfTimes = 20

// atOtherTimes compares an entrypoint that reads the clock at other times of the day and of the week, until a witness
// of each class that one may still be of is found. entry counts the times.
func atOtherTimes(
	ctx context.Context, entry *Entrypoint, times []time.Time, have []Finding, from, to Side, opts Options,
) (out []Finding) {
	ctx, stop := context.WithTimeout(ctx, cmp.Or(opts.Budget, DefaultBudget)/shareOfTimes)
	defer stop()
	found := map[Class]bool{Different: true}
	for _, f := range have {
		found[f.Class] = found[f.Class] || f.Unreachable == ""
	}
	opts.Progress, opts.Documents = nil, nil // documents have their own times
	for _, opts.Now = range times {
		if found[Wider] {
			break
		}
		_, findings, _ := compareEntrypoint(ctx, entry.Path, from, to, opts)
		if ctx.Err() != nil {
			return out
		}
		entry.Times++
		for _, f := range findings {
			if f.Unreachable != "" || found[f.Class] {
				continue
			}
			f.Witness.Now = opts.Now
			f.Witness.Words = slices.Insert(f.Witness.Words, 0, "at "+opts.Now.Format(time.RFC3339))
			out = append(out, f)
		}
		for _, f := range out {
			found[f.Class] = true
			entry.Result = gravest(entry.Result, f.Class)
		}
	}
	return out
}
