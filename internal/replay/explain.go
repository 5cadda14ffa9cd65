package replay

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/explain"
)

// explained is a changed decision with the rules behind it.
type explained struct {
	*outcome
	wasBy, nowBy *Rule
	why          string
}

// explainFlips explains changed decisions, as many as are asked for, and writes examples and rules into r. What is not
// explained when ctx ends has no rules.
func explainFlips(ctx context.Context, s *shared, t *tally, r *Report) {
	var list []*explained
	byOutcome := map[*outcome]*explained{}
	add := func(some []*outcome) {
		for _, o := range some {
			if byOutcome[o] == nil {
				byOutcome[o] = &explained{outcome: o}
				list = append(list, byOutcome[o])
			}
		}
	}
	if s.o.Explain > 0 {
		for _, class := range Classes {
			add(t.flips.chosen(class, s.o.Examples))
		}
		add(t.flips.round(s.o.Explain, anyGroup))
	}
	var work []func()
	for _, x := range list {
		work = append(work, func() { s.explain(ctx, x) })
	}
	s.together(work)
	r.By.Rules = rulesOf(list, r.Changes.Changed())
	for _, class := range Classes {
		for _, o := range t.flips.chosen(class, s.o.Examples) {
			r.Examples = append(r.Examples, exampleOf(cmp.Or(byOutcome[o], &explained{outcome: o}), s.o))
		}
	}
}

// together does work with all workers.
func (s *shared) together(work []func()) {
	next := make(chan func())
	var workers sync.WaitGroup
	for range s.o.Workers {
		workers.Go(func() {
			for do := range next {
				do()
			}
		})
	}
	for _, do := range work {
		next <- do
	}
	close(next)
	workers.Wait()
}

func (s *shared) explain(ctx context.Context, x *explained) {
	defer func() { _ = recover() }() // an explanation is an aid: a panic leaves the decision without one
	if ctx.Err() != nil {
		return
	}
	again := s.point.ReconsiderBy(ctx, s.candidate, x.recorded())
	x.nowBy = ruleBehind(&again)
	why := explain.Of(again.Decision, again.Explanation, explain.Facts{})
	x.why = why.Brief("sidecar explain --full shows all")
	if s.baseline != nil {
		before := s.point.ReconsiderBy(ctx, s.baseline, x.recorded())
		x.wasBy = ruleBehind(&before)
	}
}

// ruleBehind is the rule that gave the first reason of a refusal, or else the rule whose value is the answer; nil
// where that was not found.
func ruleBehind(d *decision.Reconsidered) *Rule {
	why := &d.Explanation
	if len(d.Decision.Reasons) > 0 && d.Decision.Kind == authz.Deny {
		for _, r := range why.Reasons {
			if r.Code == d.Decision.Reasons[0].Code {
				return &Rule{r.Rule, r.Part, r.File, r.Row}
			}
		}
	}
	if n := len(why.Decided); n > 0 {
		rule := ruleOf(&why.Decided[n-1])
		return &rule
	}
	return nil
}

// rulesOf counts explained decisions by the rule that decided anew.
func rulesOf(list []*explained, changed int) RuleTable {
	out := RuleTable{Rows: []RuleRow{}, Changed: changed}
	rows := map[Rule]*RuleRow{}
	for _, x := range list {
		if x.nowBy == nil {
			continue
		}
		out.Explained++
		row := rows[*x.nowBy]
		if row == nil {
			row = &RuleRow{Rule: *x.nowBy}
			rows[*x.nowBy] = row
		}
		*row.Counts.of(x.class)++
	}
	for _, row := range rows {
		out.Rows = append(out.Rows, *row)
	}
	slices.SortFunc(out.Rows, func(a, b RuleRow) int {
		return cmp.Or(a.Counts.compare(&b.Counts), cmp.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row),
			strings.Compare(a.Rule.Rule, b.Rule.Rule))
	})
	return out
}

func exampleOf(x *explained, o *Options) Example {
	method, path := decision.Asked(x.doc)
	t := &x.doc.Token
	return Example{
		Class: x.class, Reference: x.reference(), Entrypoint: x.entrypoint, Method: clipped(method),
		Path: clipped(path), Route: clipped(x.route), Client: clipped(t.ClientID), Subject: clipped(t.Subject.ID),
		Tenant: clipped(t.Tenant), Scopes: t.Scopes,
		Was: x.was, Now: x.now, Differs: x.differs, WasBy: x.wasBy, NowBy: x.nowBy, Why: x.why,
		Command: o.command(x.outcome),
	}
}

// command is what explains a decision of a file; "" where there is no file, or the id is none.
func (o *Options) command(x *outcome) string {
	if x.log == "" || !plainWord.MatchString(x.id) {
		return ""
	}
	log := x.log
	if log == "-" {
		log = "FILE"
	}
	words := append([]string{"sidecar", "explain", x.id, "--log", log}, o.ExplainFlags...)
	for i, w := range words {
		words[i] = quoted(w)
	}
	return strings.Join(words, " ")
}

// plainWord matches what a shell takes as it is, and no command for a flag.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// quoted is a word for a shell.
func quoted(word string) string {
	if plainArgument.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

var plainArgument = regexp.MustCompile(`^[A-Za-z0-9_./:,=@%+-]+$`)
