package access

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/partial"
)

// Matrix says of each route what it asks for, and which of some tokens may take it. Its JSON form is stable.
type Matrix struct {
	Routes []Row `json:"routes"`
	// Rest says what is missing, such as routes that were not looked at in time; empty when nothing is.
	Rest string `json:"rest,omitzero"`
}

// Row is one method at one place.
type Row struct {
	Method string `json:"method"`
	// Path has "*" for a segment that may be any, and "**" for such segments at the end.
	Path  string `json:"path"`
	Route string `json:"route,omitzero"`
	// Anonymous is "yes" where a request without a token is allowed, "closed" where only decision.token: required
	// refuses it, and else empty.
	Anonymous string `json:"anonymous,omitzero"`
	// Needs are the alternatives by columns, where those that differ in one value are one.
	Needs        []Needs       `json:"needs"`
	Alternatives []Alternative `json:"alternatives"`
	// Tokens are the decisions for the tokens of suites.
	Tokens []TokenDecision `json:"tokens,omitzero"`
	// Incomplete says why the row is not the whole truth.
	Incomplete string `json:"incomplete,omitzero"`
}

// Needs are the conditions of one alternative by columns. Each is in words, and empty where nothing is asked for.
type Needs struct {
	Scopes   string `json:"scopes,omitzero"`
	Audience string `json:"audience,omitzero"`
	Tenant   string `json:"tenant,omitzero"`
	Roles    string `json:"roles,omitzero"`
	Login    string `json:"login,omitzero"`
	Also     string `json:"also,omitzero"`
	// Verified is that of the alternatives.
	Verified bool `json:"verified"`
}

// TokenDecision is what a token of a suite gets.
type TokenDecision struct {
	Suite string `json:"suite"`
	Token string `json:"token"`
	// Decision is "allow", or the status and the reasons: "403 missing_role".
	Decision string `json:"decision"`
}

// Token is a token of a suite, with what decides by it.
type Token struct {
	Suite, Name string
	// Tenant is what stands where a route asks for the tenant of the token.
	Tenant string
	Decide func(ctx context.Context, q authz.Query) (authz.Decision, error)
}

// Principals are what a matrix is about besides routes.
type Principals struct {
	Tokens []Token
	// Requests get rows of their own where no route and no path that the policies name is theirs.
	Requests []authz.Request
}

// Routes looks at every route within limit. Rows are in the order of the tree, then in that of the paths which
// policies name, then in that of the requests.
func (a *Analyst) Routes(ctx context.Context, with Principals, limit time.Duration) (Matrix, error) {
	places := a.places(with.Requests)
	out := Matrix{Routes: []Row{}}
	if len(places) > maxPlaces {
		out.Rest = fmt.Sprintf("%d of %d routes are left out", len(places)-maxPlaces, len(places))
		places = places[:maxPlaces]
	}
	within, stop := context.WithTimeout(ctx, limit)
	defer stop()
	rows := make([]*Row, len(places))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(places)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(places) && within.Err() == nil; i = int(next.Add(1)) - 1 {
				if row := a.row(within, places[i]); within.Err() == nil {
					rows[i] = &row
				}
			}
		})
	}
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return out, err
	}
	missing := 0
	for i, row := range rows {
		switch {
		case row == nil:
			missing++
		case places[i].route || !slices.ContainsFunc(out.Routes, row.sameAs) && row.opens():
			for _, t := range with.Tokens {
				row.Tokens = append(row.Tokens, t.decision(within, places[i], out.tenantRules(*row)))
			}
			out.Routes = append(out.Routes, *row)
		}
	}
	if missing > 0 {
		out.Rest = strings.TrimPrefix(fmt.Sprintf("%s; %d of %d routes were not looked at within %s", out.Rest,
			missing,
			len(places), limit), "; ")
	}
	return out, nil
}

// tenantRules are the alternatives that say where a row takes the tenant from: where nothing opens it, those of
// another row of its route.
func (m *Matrix) tenantRules(row Row) []Alternative {
	for _, other := range m.Routes {
		if len(row.Alternatives) == 0 && row.Route != "" && other.Route == row.Route {
			return other.Alternatives
		}
	}
	return row.Alternatives
}

// sameAs reports whether a place that policies name has nothing new to tell beside another row.
func (r *Row) sameAs(other Row) bool {
	if r.Method == other.Method && r.Path == other.Path {
		return true
	}
	method := r.Method
	if method == "HEAD" {
		method = "GET" // the same route
	}
	return r.Route != "" && r.Route == other.Route && method == other.Method && slices.Equal(r.Needs, other.Needs)
}

// opens reports whether a row is worth telling where no tree of routes has it: it is a route, or open to a token.
func (r *Row) opens() bool {
	return r.Route != "" || len(r.Needs) > 0 || r.Anonymous != "" || r.Incomplete != ""
}

func (a *Analyst) row(ctx context.Context, p place) Row {
	row := Row{Method: p.method, Path: p.shown, Needs: []Needs{}, Alternatives: []Alternative{}}
	report, _, err := a.report(ctx, Query{Request: authz.Request{Method: p.method, URL: p.url()}})
	if err != nil {
		row.Incomplete = err.Error()
		return row
	}
	row.Route, row.Alternatives, row.Incomplete = report.Request.Route, report.Alternatives, report.Incomplete
	row.Needs = needsOf(report.Alternatives)
	switch {
	case !report.NeedsToken:
		row.Anonymous = "yes"
	case anyVerified(report.WithoutToken):
		row.Anonymous = "closed"
	}
	return row
}

// decision asks with the request that fits the token best: its tenant is where the route asks for it.
func (t Token) decision(ctx context.Context, p place, rules []Alternative) TokenDecision {
	request := authz.Request{Method: p.method, Headers: map[string][]string{}}
	segments := slices.Clone(p.segments)
	for _, alternative := range rules {
		for _, c := range alternative.All {
			if name, ok := headerWith(c, "input.token.tenant"); ok && t.Tenant != "" {
				request.Headers[name] = []string{t.Tenant}
			}
			if c.Member == "input.token.tenant" && c.Op == string(partial.Is) && !c.Not && t.Tenant != "" {
				for i, s := range p.segments {
					if string(c.Value) == `"`+s+`"` && s == free(i) {
						segments[i] = t.Tenant
					}
				}
			}
		}
	}
	request.URL = place{segments: segments}.url()
	out := TokenDecision{Suite: t.Suite, Token: t.Name}
	d, err := t.Decide(ctx, authz.Query{Request: request})
	switch {
	case err != nil:
		out.Decision = err.Error()
	case d.Kind == authz.Allow:
		out.Decision = "allow"
	default:
		words := []string{fmt.Sprint(d.Status)}
		for _, r := range d.Reasons {
			words = append(words, r.Code)
		}
		slices.Sort(words[1:])
		out.Decision = strings.Join(slices.Compact(words), " ")
	}
	return out
}

// headerWith is the name of the header that a condition compares with a member.
func headerWith(c Condition, member string) (string, bool) {
	path := c.Member
	if c.Member == member {
		path = c.Other
	} else if c.Other != member {
		return "", false
	}
	name, ok := strings.CutPrefix(path, `input.request.headers["`)
	if !ok {
		name, ok = strings.CutPrefix(path, "input.request.headers.")
	}
	name, _, _ = strings.Cut(name, `"`)
	name, _, _ = strings.Cut(name, "[")
	return name, ok && name != "" && !c.Not
}
