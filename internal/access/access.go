package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/engine/partial"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/resource"
)

// Analyst answers questions about one policy, as of one time. It is safe for concurrent use.
type Analyst struct {
	policy     *engine.Policy
	program    *partial.Program
	rules      *input.Rules
	resources  *resource.Set
	headers    []string
	entrypoint string
	now        time.Time
	texts      map[string]bool
	// tokenOptional is set when policies decide about requests without a token.
	tokenOptional bool
	hasBody       bool
	// routes is data.routes, where the entrypoint depends on the routes of the library.
	routes     any
	usesRoutes bool
}

// New returns an Analyst for the default entrypoint of cfg. set and policy are those of one load. now is cut to
// seconds.
func New(cfg *config.Config, set *bundle.Set, policy *engine.Policy, now time.Time) (*Analyst, error) {
	now = now.Truncate(time.Second)
	program, err := partial.New(set, partial.Config{
		Rego: cfg.EngineConfig().Rego(), Entrypoint: cfg.Decision.Entrypoint, Now: now,
	})
	if err != nil {
		return nil, err
	}
	return &Analyst{
		policy: policy, program: program, rules: cfg.InputRules(), headers: cfg.Input.Headers,
		resources:  resource.NewSet(cfg.Resources),
		entrypoint: cfg.Decision.Entrypoint, now: now, texts: program.Texts(),
		tokenOptional: cfg.Decision.Token == "optional", hasBody: cfg.Input.BodyBytes > 0,
		routes: set.Document()["routes"], usesRoutes: program.UsesRoutes(),
	}, nil
}

// Query is a request of which some parts are known.
type Query struct {
	// Request has the method and the URL. A query in the URL is known, as are the host and the headers where there are
	// any; the rest of the request is unknown.
	Request authz.Request
	// Context is what the caller passes, or nil when that is unknown.
	Context []byte
}

// usable is what every token is that a policy gets to see.
var usable = []partial.Fact{
	{Path: []string{"token", "present"}, Value: true},
	{Path: []string{"token", "active"}, Value: true},
	{Path: []string{"token", "kind"}, Value: "refresh", Not: true},
	{Path: []string{"token", "kind"}, Value: "id", Not: true},
}

// sidecarAsks is what usable means, in words.
var sidecarAsks = []string{"a usable access token: active, not expired, for the configured audience"}

// Requires says what a token must carry for a request to be allowed. An error is of kind authz.Malformed when the
// request is.
func (a *Analyst) Requires(ctx context.Context, q Query) (Report, error) {
	out, known, err := a.report(ctx, q)
	if err == nil && out.Incomplete == "" && len(out.Alternatives) == 0 {
		out.Refusal = a.refusal(ctx, known)
	}
	return out, err
}

// report is what Requires says, without the refusal.
func (a *Analyst) report(ctx context.Context, q Query) (Report, knownPart, error) {
	request, err := a.rules.Request(&q.Request)
	if err != nil {
		return Report{}, knownPart{}, err
	}
	known, err := a.known(request, q)
	if err != nil {
		return Report{}, knownPart{}, err
	}
	out := Report{
		Request:      Request{Method: request.Method, Path: request.Path, Route: a.route(ctx, known)},
		Alternatives: []Alternative{}, WithoutToken: []Alternative{}, Opaque: []Place{}, Sidecar: sidecarAsks,
		NeedsToken: true, // until the opposite is known
	}
	s := &speaker{now: a.now, segment: func(text string) (int, bool) { return a.segment(request.Segments, text) }}
	with, err := a.alternatives(ctx, s, known, document(known, someToken()))
	if err != nil {
		out.Incomplete = err.Error()
		return out, known, nil
	}
	out.Alternatives = with
	without, err := a.alternatives(ctx, s, a.anonymous(known), document(known, noToken()))
	if err != nil {
		out.Incomplete = "without a token: " + err.Error()
	}
	out.WithoutToken = append(out.WithoutToken, without...)
	out.NeedsToken = !a.tokenOptional || !anyVerified(without)
	out.Opaque = opaqueIn(with, out.Opaque)
	return out, known, nil
}

// knownPart is what is known of the input, for partial evaluation.
type knownPart struct {
	members map[string]any
	unknown [][]string
	headers map[string][]string
	names   []string
	facts   []partial.Fact
}

// known is what q says, with everything about the token unknown.
func (a *Analyst) known(r input.Request, q Query) (knownPart, error) {
	request := map[string]any{
		"method": r.Method, "path": r.Path, "raw_path": r.RawPath, "segments": anySlice(r.Segments),
	}
	k := knownPart{
		members: map[string]any{"version": input.Version, "request": request},
		unknown: [][]string{{"token"}, {"request", "headers"}},
		headers: r.Headers, names: a.headers, facts: usable,
	}
	unknown := func(name string) { k.unknown = append(k.unknown, []string{"request", name}) }
	if strings.Contains(q.Request.URL, "?") {
		request["query"] = fields(r.Query)
	} else {
		unknown("query")
	}
	if r.Host != "" {
		request["scheme"], request["host"], request["port"] = r.Scheme, r.Host, r.Port
	} else {
		unknown("scheme")
		unknown("host")
		unknown("port")
	}
	unknown("source_ip")
	if a.hasBody {
		unknown("body")
		unknown("body_truncated")
	}
	if a.resources.MayBeMessage(r.Host, r.Path) {
		k.setMessage(r.Method)
	}
	if q.Context == nil {
		k.unknown = append(k.unknown, []string{"context"})
		return k, nil
	}
	var context map[string]any
	if err := json.Unmarshal(q.Context, &context); err != nil {
		return k, fmt.Errorf("read the context: %w", err)
	}
	k.members["context"] = context
	return k, nil
}

func anySlice(texts []string) []any {
	out := make([]any, 0, len(texts))
	for _, t := range texts {
		out = append(out, t)
	}
	return out
}

func fields(m map[string][]string) map[string]any {
	out := map[string]any{}
	for name, values := range m {
		out[name] = anySlice(values)
	}
	return out
}

// anonymous is k for a request without a token.
func (a *Analyst) anonymous(k knownPart) knownPart {
	k.members = maps.Clone(k.members)
	k.members["token"] = noToken()
	k.facts = nil
	k.unknown = slices.DeleteFunc(slices.Clone(k.unknown), func(path []string) bool { return path[0] == "token" })
	return k
}

// noToken is the token of a request without one.
func noToken() map[string]any {
	return map[string]any{"present": false, "active": false, "scopes": []any{}, "roles": []any{}, "groups": []any{},
		"permissions": []any{}, "age": 0, "stale": false}
}

// someToken is a usable token without any right.
func someToken() map[string]any {
	t := noToken()
	t["present"], t["active"], t["kind"], t["source"] = true, true, "access", "introspection"
	return t
}

// document is a whole document: what is known, and a token.
func document(k knownPart, token map[string]any) map[string]any {
	doc := maps.Clone(k.members)
	request := maps.Clone(k.members["request"].(map[string]any))
	request["headers"] = fields(k.headers)
	if request["query"] == nil {
		request["query"] = map[string]any{}
	}
	doc["request"], doc["token"] = request, token
	return doc
}

// alternatives are those of one condition; base is the document that witnesses start from.
func (a *Analyst) alternatives(
	ctx context.Context, s *speaker, k knownPart, base map[string]any,
) ([]Alternative, error) {
	members, err := json.Marshal(k.members)
	if err != nil {
		return nil, err
	}
	condition, err := a.program.Condition(ctx, partial.Request{
		Known: members, Unknown: k.unknown, Headers: k.headers, HeaderNames: k.names, Facts: k.facts,
	})
	switch {
	case errors.Is(err, partial.ErrTimeout):
		return nil, fmt.Errorf("%w: the policy branches too much to be told in words; sidecar eval decides a request",
			err)
	case err != nil:
		return nil, err
	}
	out := []Alternative{}
	for _, list := range a.program.Constraints(condition) {
		list, possible := simplified(list)
		if !possible {
			continue
		}
		alternative := Alternative{All: s.conditions(list), Verified: a.verified(ctx, base, list)}
		out = append(out, alternative)
	}
	return out, nil
}

// verified reports whether a document that is made up for constraints is allowed.
func (a *Analyst) verified(ctx context.Context, base map[string]any, list []partial.Constraint) bool {
	for variant := range variants {
		m := maker{doc: base, variant: variant}
		m.meet(list)
		for _, c := range list {
			if c.Op == partial.Rego && !c.Not && variant == 0 { // which costs some evaluations
				m.meetRego(ctx, a.program, c)
			}
		}
		if verdict := a.decide(ctx, m.doc); verdict != nil && verdict.Allow && a.met(ctx, m.doc, list) {
			return true
		}
	}
	return false
}

// met reports whether a document meets the constraints that are told as Rego: it may be allowed for other reasons.
func (a *Analyst) met(ctx context.Context, doc map[string]any, list []partial.Constraint) bool {
	raw, err := json.Marshal(doc)
	return err == nil && !slices.ContainsFunc(list, func(c partial.Constraint) bool {
		if c.Op != partial.Rego && c.Op != partial.Opaque {
			return false
		}
		holds, err := a.program.Holds(ctx, c, raw)
		return err != nil || !holds
	})
}

// decide is the verdict about a document, or nil when there is none.
func (a *Analyst) decide(ctx context.Context, doc map[string]any) *authz.Verdict {
	if a.policy.MayReachNetwork(a.entrypoint) {
		return nil // a made-up token must not reach another server
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil
	}
	parsed, err := input.Parse(raw)
	if err != nil {
		return nil
	}
	result, err := a.policy.Eval(ctx, engine.Question{
		Entrypoint: a.entrypoint, Document: parsed, Time: a.now, Seed: "requires",
	})
	if err != nil {
		return nil
	}
	verdict, err := result.Verdict()
	if err != nil {
		return nil
	}
	return verdict
}

// route is the id of the route that a request takes.
func (a *Analyst) route(ctx context.Context, k knownPart) string {
	members, err := json.Marshal(k.members)
	if err != nil {
		return ""
	}
	var route struct {
		ID any `json:"id"`
	}
	_ = json.Unmarshal(a.program.Route(ctx, members), &route)
	id, _ := route.ID.(string)
	return id
}

// segment is the number of the one segment that a text is, unless the policies name the text themselves.
func (a *Analyst) segment(segments []string, text string) (int, bool) {
	i := slices.Index(segments, text)
	if i < 0 || a.texts[text] || slices.Contains(segments[i+1:], text) {
		return 0, false
	}
	return i, true
}

// opaqueIn adds the rules of opaque conditions.
func opaqueIn(alternatives []Alternative, out []Place) []Place {
	for _, x := range alternatives {
		for _, c := range x.All {
			for _, r := range c.Rules {
				if !slices.Contains(out, r) {
					out = append(out, r)
				}
			}
			out = opaqueIn(c.Any, out)
		}
	}
	return out
}
