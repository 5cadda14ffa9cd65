package change

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/access"
	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/change/witness"
	"github.com/authz-sidecar/sidecar/internal/engine/partial"
	"github.com/authz-sidecar/sidecar/internal/policytest"
)

// access compares the access matrix of both versions, with the tokens of the suites of the new one.
func (x comparison) access(ctx context.Context) (*Access, error) {
	suites := x.suites()
	before, err := x.matrix(ctx, x.from, suites)
	if err != nil {
		return nil, err
	}
	after, err := x.matrix(ctx, x.to, suites)
	if err != nil {
		return nil, err
	}
	return &Access{Old: before, New: after, Rows: rowsOf(before, after)}, nil
}

// suites are those of the new version, or of the old one where the new one has none that load. Files that do not load
// are told with the tests.
func (x comparison) suites() []policytest.Suite {
	for _, s := range []Side{x.to, x.from} {
		dirs := slices.Concat(s.Config.Policies.Paths, s.Config.Policies.Bundles, s.TestDirs)
		if suites, err := policytest.LoadSuites(s.Config, dirs); err == nil && len(suites) > 0 {
			return suites
		}
	}
	return nil
}

// requests are those of the suites, as shapes for witnesses.
func (x comparison) requests() (out []authz.Request) {
	for _, s := range x.suites() {
		out = append(out, s.Requests()...)
	}
	return out
}

func (x comparison) matrix(ctx context.Context, s Side, suites []policytest.Suite) (*access.Matrix, error) {
	analyst, err := access.New(s.Config, s.Set, s.Policy, x.opts.Now)
	if err != nil {
		return nil, fmt.Errorf("look at the routes of %s: %w", s.Name, err)
	}
	m, err := analyst.Routes(ctx, access.PrincipalsOf(ctx, suites, s.Policy, s.Config),
		cmp.Or(x.opts.Budget, witness.DefaultBudget))
	return &m, err
}

// rowsOf are the rows that differ, wider ones first. Rows without a route are there because policies name a method or
// a path: one that only one version names says nothing about the other.
func rowsOf(before, after *access.Matrix) []Row {
	out := []Row{}
	find := func(m *access.Matrix, r access.Row) *access.Row {
		for i := range m.Routes {
			if m.Routes[i].Method == r.Method && m.Routes[i].Path == r.Path {
				return &m.Routes[i]
			}
		}
		return nil
	}
	for i := range after.Routes {
		now := &after.Routes[i]
		was := find(before, *now)
		if was == nil && (now.Route == "" || !opens(now)) {
			continue
		}
		if r, differs := rowOf(was, now); differs {
			out = append(out, r)
		}
	}
	for i := range before.Routes {
		if was := &before.Routes[i]; find(after, *was) == nil && was.Route != "" && opens(was) {
			r, _ := rowOf(was, nil)
			out = append(out, r)
		}
	}
	rank := map[Direction]int{IsWider: 0, IsBoth: 1, IsUnknown: 2, IsNarrower: 3}
	slices.SortStableFunc(out, func(a, b Row) int { return cmp.Compare(rank[a.Direction], rank[b.Direction]) })
	return out
}

func rowOf(was, now *access.Row) (r Row, differs bool) {
	any := now
	if now == nil {
		any = was
	}
	r = Row{Method: any.Method, Path: any.Path, Route: any.Route, How: Changed, Old: was, New: now}
	switch {
	case was == nil:
		r.How, r.Direction = Added, IsWider
		return r, true
	case now == nil:
		r.How, r.Direction = Removed, IsNarrower
		return r, true
	}
	r.Gained, r.Lost = admitted(now, was), admitted(was, now)
	wider := !covers(was.Alternatives, now.Alternatives) || now.Anonymous == "yes" && was.Anonymous != "yes"
	narrower := !covers(now.Alternatives, was.Alternatives) || was.Anonymous == "yes" && now.Anonymous != "yes"
	switch {
	case was.Incomplete != "" || now.Incomplete != "":
		r.Direction = IsUnknown
	case wider && narrower:
		r.Direction = IsBoth
	case wider:
		r.Direction = IsWider
	case narrower:
		r.Direction = IsNarrower
	default:
		return r, len(r.Gained)+len(r.Lost) > 0
	}
	return r, r.Direction != IsUnknown || len(r.Gained)+len(r.Lost) > 0 || was.Incomplete != now.Incomplete
}

func opens(r *access.Row) bool { return len(r.Alternatives) > 0 || r.Anonymous != "" }

// covers reports whether each of some alternatives asks for all that one of the covering ones asks for. Conditions are
// compared by their words, so that false says less than true.
func covers(covering, covered []access.Alternative) bool {
	for _, a := range covered {
		if !slices.ContainsFunc(covering, func(c access.Alternative) bool { return asksAll(a, c) }) {
			return false
		}
	}
	return true
}

// asksAll reports whether a asks for all that other asks for. A condition that stands for rules that could not be
// looked into may mean something else in each version.
func asksAll(a, other access.Alternative) bool {
	for _, c := range other.All {
		if c.Op == string(partial.Opaque) || !slices.ContainsFunc(a.All, func(own access.Condition) bool {
			return own.Text == c.Text && own.Not == c.Not
		}) {
			return false
		}
	}
	return true
}

// admitted are the tokens that may take a row and not the other.
func admitted(r, other *access.Row) (out []string) {
	for _, t := range r.Tokens {
		if t.Decision != "allow" {
			continue
		}
		for _, o := range other.Tokens {
			if o.Suite == t.Suite && o.Token == t.Token && o.Decision != "allow" {
				out = append(out, t.Suite+"/"+t.Token)
			}
		}
	}
	return out
}
