package authzen

import (
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
)

// evaluation answers POST /access/v1/evaluation: section 6.
func (a *api) evaluation(r *http.Request) (any, error) {
	var c call
	if err := a.bodies.ReadKnown(r, &c); err != nil {
		return nil, err
	}
	return a.one(r, c)
}

// one answers one question. It is an error of the call when there is no decision.
func (a *api) one(r *http.Request, c call) (any, error) {
	q, err := c.query(a.cfg, "")
	if err != nil {
		return nil, err
	}
	d := a.deps.Point.Decide(r.Context(), a.asked(r, q))
	if status, message := noDecision(&d); status != 0 {
		return nil, unanswered(&d, status, message)
	}
	return answer(&q, &d), nil
}

// asked is q with what the call determines.
func (a *api) asked(r *http.Request, q authz.Query) authz.Query {
	q.Entrypoint, q.Caller = a.cfg.Entrypoint, r.RemoteAddr
	return q
}

// unanswered is the error of a call without a decision.
func unanswered(d *authz.Decision, status int, message string) error {
	e := door.NewCallError(status, d.Kind.String(), message, "")
	for _, h := range d.Headers {
		if h.Name == "Retry-After" && len(h.Values) > 0 {
			e.RetryAfter = h.Values[0]
		}
	}
	return e
}

type evaluationsAnswer struct {
	Evaluations []evaluation `json:"evaluations"`
}

// evaluations answers POST /access/v1/evaluations: section 7. Without items it is an evaluation (AZ-5).
func (a *api) evaluations(r *http.Request) (any, error) {
	var c evaluationsCall
	if err := a.bodies.ReadKnown(r, &c); err != nil {
		return nil, err
	}
	if err := c.check(a.deps.Limits.BatchItems); err != nil {
		return nil, err
	}
	if len(c.Evaluations) == 0 {
		return a.one(r, c.call)
	}
	if c.Options.Semantic == executeAll {
		return evaluationsAnswer{a.all(r, c)}, nil
	}
	var out evaluationsAnswer
	for _, text := range c.Evaluations {
		e := a.item(r, c, text)
		out.Evaluations = append(out.Evaluations, e)
		if e.Decision == (c.Options.Semantic == permitOnFirstPermit) {
			break
		}
	}
	return out, nil
}

// item answers one item by itself.
func (a *api) item(r *http.Request, c evaluationsCall, text []byte) evaluation {
	in, err := item(text)
	var q authz.Query
	if err == nil {
		q, err = in.or(c.call).query(a.cfg, "")
	}
	if err != nil {
		return failure(http.StatusBadRequest, err.Error())
	}
	d := a.deps.Point.Decide(r.Context(), a.asked(r, q))
	return decided(&q, &d)
}

// decided is the item that d answers to q.
func decided(q *authz.Query, d *authz.Decision) evaluation {
	if status, message := noDecision(d); status != 0 {
		return failure(status, message)
	}
	return answer(q, d)
}

// all answers every item, those that can be read at once.
func (a *api) all(r *http.Request, c evaluationsCall) []evaluation {
	out := make([]evaluation, len(c.Evaluations))
	var qs []authz.Query
	var at []int
	for i, text := range c.Evaluations {
		in, err := item(text)
		var q authz.Query
		if err == nil {
			q, err = in.or(c.call).query(a.cfg, "")
		}
		if err != nil {
			out[i] = failure(http.StatusBadRequest, err.Error())
			continue
		}
		qs, at = append(qs, a.asked(r, q)), append(at, i)
	}
	for i, d := range a.deps.Point.DecideAll(r.Context(), qs) {
		out[at[i]] = decided(&qs[i], &d)
	}
	return out
}
