package decision

import (
	"context"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/token"
)

// CallerQuery is a question whose input is the caller's own: see engine.Policy.Ask.
type CallerQuery struct {
	Path  []string
	Input []byte // a JSON value; nil is none
	// Token is introspected, and its facts replace the member token of the input. Empty leaves the input as it is.
	Token secret.Text
	// Caller is who asked, for the decision log.
	Caller string
	// Trace asks for an explanation, which shows the input with the facts about a token, and data that rules read.
	Trace *engine.Trace
}

// asked is a CallerQuery on its way, and what the policy returned.
type asked struct {
	CallerQuery
	// by asks the policy.
	by func(ctx context.Context, q engine.CallerQuestion) (answer, error)
	// kind is decisionlog.Record.Type.
	kind string
}

// answer is what a policy returned.
type answer interface {
	decisionlog.Appender
	// Allows says what the answer is in the decision log.
	Allows() bool
}

// AskedByCallers reports whether a path may be asked with an input of the caller's own.
func (p *Point) AskedByCallers(path []string) bool { return p.snap.Load().Policy.AskedByCallers(path) }

// Ask evaluates a rule with the caller's own input, and returns its value as JSON: nil when it is undefined, and when
// the decision is neither Allow nor Deny. The decision is an Allow for true and for an object whose allow is true: the
// kind is for logs and metrics, and callers read the value.
func (p *Point) Ask(ctx context.Context, q CallerQuery) (authz.Decision, []byte) {
	snap := p.snap.Load()
	var result engine.Result
	a := &asked{CallerQuery: q, kind: decisionlog.TypeCallerInput}
	a.by = func(ctx context.Context, of engine.CallerQuestion) (_ answer, err error) {
		result, err = snap.Policy.Ask(ctx, of)
		return result, err
	}
	d := p.askBy(ctx, snap, a)
	if d.Kind != authz.Allow && d.Kind != authz.Deny || result.Empty() {
		return d, nil
	}
	value, err := result.AppendJSON(nil)
	if err != nil {
		p.deps.Log.Error("a result cannot be written as JSON", "decision_id", d.ID, "cause", err)
		return p.refuse(authz.Errorf(authz.Internal, "write the result: %w", err), &client{}), nil
	}
	return d, value
}

// askBy decides by what a asks.
func (p *Point) askBy(ctx context.Context, snap *Snapshot, a *asked) authz.Decision {
	return p.decideBy(ctx, &authz.Query{Token: a.Token, Caller: a.Caller}, pending{snap: snap,
		introspector: snap.Introspector, policy: snap.Policy, asked: a, kind: a.kind})
}

// ask is decide for a CallerQuery.
func (p *Point) ask(ctx context.Context, q *pending) authz.Decision {
	if why := p.withheld.Load(); why != nil {
		return p.refuse(*why, q.client)
	}
	in := jsontext.Value(q.asked.Input)
	if !q.asked.Token.Empty() {
		facts, err := p.facts(ctx, q)
		if err != nil {
			return p.refuseForServer(err, q.client)
		}
		if in, err = withToken(in, facts, secret.NewHider(q.asked.Token)); err != nil {
			return p.refuse(err, q.client)
		}
	}
	q.rec.Input = jsonInput(in)
	begun := p.elapsed()
	result, err := q.asked.by(ctx, engine.CallerQuestion{Path: q.asked.Path, Input: in, Time: q.rec.Time,
		Seed: q.rec.DecisionID, Trace: q.asked.Trace})
	q.rec.Eval = p.elapsed() - begun
	p.counts.evaluated(q.snap, q.rec.Eval, err)
	if err != nil {
		return p.refuse(err, q.client)
	}
	q.rec.Result = result
	if result.Allows() {
		return authz.Decision{Kind: authz.Allow, Status: 200}
	}
	return authz.Decision{Kind: authz.Deny, Status: 403}
}

// facts are what policies read about the token of a CallerQuery. One that may not be used is not active.
func (p *Point) facts(ctx context.Context, q *pending) (input.Token, error) {
	cred, err := token.Extract(token.Sources{Explicit: q.asked.Token})
	if err != nil {
		return input.Token{}, err
	}
	claims, err := p.claims(ctx, q, introspect.Question{Token: cred.Token})
	if err != nil && authz.KindOf(err) != authz.Unauthenticated {
		return input.Token{}, err
	}
	if err == nil {
		err = p.usable(ctx, claims, cred, q)
	}
	if err != nil {
		if authz.KindOf(err) != authz.Unauthenticated {
			return input.Token{}, err
		}
		none := input.Anonymous(input.Query{}).Token
		none.Present = true
		return none, nil
	}
	presented := input.Presented{Scheme: string(cred.Scheme), Verified: claims.Confirmation.Bound()}
	return input.Build(input.Query{}, claims, presented, q.rec.Time).Token, nil
}

// withToken returns an input whose member token is facts, and which repeats the token nowhere.
func withToken(in jsontext.Value, facts input.Token, hide *secret.Hider) (jsontext.Value, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(in, &members); err != nil {
		return nil, authz.Errorf(authz.Malformed, "read the input: it is no object")
	}
	delete(members, "token")
	text, err := json.Marshal(members, json.Deterministic(true))
	if err == nil {
		members = nil
		err = json.Unmarshal(hide.JSON(text), &members)
	}
	if err != nil {
		return nil, authz.Errorf(authz.Malformed, "read the input: the token cannot be hidden in it")
	}
	if members["token"], err = json.Marshal(facts, json.Deterministic(true)); err != nil {
		return nil, authz.Errorf(authz.Internal, "write the facts about the token: %w", err)
	}
	return json.Marshal(members, json.Deterministic(true))
}

// jsonInput is an input as it came.
type jsonInput []byte

// AppendJSON appends the input to dst; null without any.
func (j jsonInput) AppendJSON(dst []byte) ([]byte, error) {
	if j == nil {
		return append(dst, "null"...), nil
	}
	return append(dst, j...), nil
}

// Size is the memory of the input in bytes.
func (j jsonInput) Size() int { return len(j) }
