package witness

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/engine/partial"
	"github.com/authz-sidecar/sidecar/internal/engine/partial/formula"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// attack looks for documents of one shape that both sides decide differently.
type attack struct {
	*comparison
	ctx context.Context
	r   *result
	// first is set for the first shape of a group with the same conditions.
	first bool
	found map[string]difference // by cause
	tried int
	// asksOthers is set when a document was not decided, as another server would be asked.
	asksOthers bool
	// elsewhere are the classes that are found for other shapes, and need no search.
	elsewhere map[Class]bool
	seen      map[string]bool
	// met are documents that meet a way of one side, for variations.
	met     []document
	changer *changer
}

// difference is a document that both sides decide differently.
type difference struct {
	class    Class
	doc      document
	old, new Outcome
	// unreachable says why the sidecar never asks the policies about it.
	unreachable string
}

func (c *comparison) newAttack(ctx context.Context, r *result) *attack {
	a := &attack{comparison: c, ctx: ctx, r: r, found: map[string]difference{}, seen: map[string]bool{}}
	a.changer = &changer{form: c.old.form, now: c.opts.Now}
	if r.any {
		free := *c.old.form
		free.requests, a.changer.form = c.old.rules, &free
	}
	if r.pair != nil {
		all := map[string]any{}
		for _, l := range r.pair.literals {
			for _, v := range l.Constants {
				all[textOf(v)] = v
			}
		}
		for _, key := range slices.Sorted(maps.Keys(all)) {
			a.changer.constants = append(a.changer.constants, all[key])
		}
	}
	return a
}

// class is how the new outcome differs from the old one; empty where it does not.
func class(old, new Outcome) Class {
	switch {
	case new.Allow && !old.Allow:
		return Wider
	case old.Allow && !new.Allow:
		return Narrower
	case old.Error != "" && new.Error != "":
		return ""
	case (old.Error == "") != (new.Error == "") || string(old.Answer) != string(new.Answer):
		return Different
	}
	return ""
}

// try asks both sides about a document, and keeps a difference.
func (a *attack) try(doc document) Class {
	if doc == nil || a.network || a.ctx.Err() != nil {
		return ""
	}
	text := textOf(doc)
	if a.seen[text] {
		return ""
	}
	a.seen[text] = true
	a.tried++
	d, ok := a.compare(doc)
	a.asksOthers = a.asksOthers || d.old.asksOthers || d.new.asksOthers
	if !ok || d.class == "" {
		return ""
	}
	cause := d.cause()
	if _, known := a.found[cause]; !known && len(a.found) < maxCauses {
		a.found[cause] = d
	}
	return d.class
}

// maxCauses bounds the causes of differences of one shape.
const maxCauses = 12

// compare asks both sides. ok is false where one has no answer in time, or needs that of another server: this says
// nothing about the policies.
func (c *comparison) compare(doc document) (d difference, ok bool) {
	parsed, err := input.Parse([]byte(textOf(doc)))
	if err != nil {
		return d, false
	}
	ctx := context.Background() // an evaluation has its own deadline
	d = difference{doc: doc, old: c.old.decide(ctx, parsed), new: c.new.decide(ctx, parsed)}
	if late(d.old) || late(d.new) || d.old.asksOthers || d.new.asksOthers {
		return d, false
	}
	d.class, d.unreachable = class(d.old, d.new), c.unreachable(doc)
	return d, true
}

// late reports whether an evaluation took longer than its deadline.
func late(o Outcome) bool { return strings.Contains(o.Error, "the deadline of one evaluation") }

// cause is equal for differences of one shape that are told as one.
func (d *difference) cause() string {
	gone, came := minus(d.old.Reasons, d.new.Reasons), minus(d.new.Reasons, d.old.Reasons)
	token, _ := d.doc["token"].(map[string]any)
	parts := []string{string(d.class), d.unreachable, textOf(token["present"]), strings.Join(gone, " "),
		strings.Join(came, " ")}
	if d.class == Different && len(gone)+len(came) == 0 {
		parts = append(parts, strings.Join(changedMembers(d.old.Answer, d.new.Answer), " "))
	}
	return strings.Join(parts, "\x00")
}

// follows reports whether a difference has all reasons of another one of its class, and more: two changes meet in it.
func (d *difference) follows(from difference) bool {
	mine, others := d.old.Reasons, from.old.Reasons
	if d.class == Narrower {
		mine, others = d.new.Reasons, from.new.Reasons
	}
	return d.class != Different && d.class == from.class && d.unreachable == from.unreachable && len(others) > 0 &&
		len(mine) > len(others) && len(minus(others, mine)) == 0
}

func (a *attack) has(c Class) bool {
	for _, d := range a.found {
		if d.class == c {
			return true
		}
	}
	return false
}

// base is the document of the shape with a token.
func (a *attack) base(token map[string]any) document { return a.r.base(a.old.form, token) }

// bases are the documents that searches start from, and their like.
func (a *attack) bases() []document {
	inactive, refresh, bare := someToken(), someToken(), someToken()
	inactive["active"], refresh["kind"] = false, "refresh"
	delete(bare, "kind")
	return []document{a.base(someToken()), a.base(noToken()), a.base(inactive), a.base(refresh),
		a.base(bare)}
}

// moved is a document of another shape, for this one.
func (a *attack) moved(doc document) document {
	out := maps.Clone(doc)
	if a.r.known == nil || a.r.any {
		return out
	}
	request, _ := doc["request"].(map[string]any)
	request = maps.Clone(request)
	maps.Copy(request, a.r.known)
	out["request"] = request
	return out
}

// mode is a part of all documents: what must stay as it is in a search.
type mode struct {
	token  map[string]any
	frozen func(path []any, v any) bool
	facts  []partial.Fact
}

// modes are usable tokens, no token, and any token. The last also has what the sidecar never lets near the policies.
func (a *attack) modes() []mode {
	usable := []partial.Fact{
		{Path: []string{"token", "present"}, Value: true}, {Path: []string{"token", "active"}, Value: true},
		{Path: []string{"token", "kind"}, Value: "refresh", Not: true},
		{Path: []string{"token", "kind"}, Value: "id", Not: true},
	}
	none := []partial.Fact{{Path: []string{"token", "present"}, Value: false},
		{Path: []string{"token", "active"}, Value: false}}
	is := func(path []any, name string) bool { return len(path) > 1 && path[0] == "token" && path[1] == name }
	now := float64(a.opts.Now.Unix())
	return []mode{
		{someToken(), func(path []any, v any) bool {
			until, _ := v.(float64)
			return is(path, "present") || is(path, "active") || is(path, "kind") && (v == "refresh" || v == "id") ||
				is(path, "expires_at") && v != nil && until <= now || is(path, "not_before") && until > now
		}, usable},
		{noToken(), func(path []any, _ any) bool { return path[0] == "token" }, none},
		{someToken(), func(path []any, _ any) bool { return is(path, "present") }, nil},
	}
}

// direction looks for documents that only one side allows. It reports whether there is none for certain.
func (a *attack) direction(c Class, examples []document) bool {
	allowing, denying, risks := a.r.pair.new, a.r.pair.old, a.r.oldRisks
	if c == Narrower {
		allowing, denying, risks = denying, allowing, a.r.newRisks
	}
	if allowing.IsFalse() {
		return true // whatever the other side does
	}
	goals := open(allowing, denying, a.r.pair.theory(a.old.form))
	if len(goals) == 0 {
		return len(risks) == 0 && a.answersAlike && a.sameConfig
	}
	if !a.first && (a.has(c) || len(examples) == 0) {
		return false // what was found for the same conditions holds here too, and so does that nothing was
	}
	for i, m := range a.modes() {
		if a.elsewhere[c] || i == 2 && a.has(c) {
			break // the sidecar lets a witness near the policies: others do not matter
		}
		for _, goal := range goals[:min(len(goals), maxGoals)] {
			a.search(c, a.settled(goal, m), m)
		}
	}
	return false
}

// maxGoals bounds the ways of one shape that are searched.
const maxGoals = 8

func (a *attack) settled(goal *formula.Formula, m mode) *formula.Formula {
	return propagated(goal.Map(func(l *formula.Literal) *formula.Formula { return a.old.Settled(l, m.facts) }))
}

func (a *attack) search(c Class, goal *formula.Formula, m mode) {
	if goal.IsFalse() || a.ctx.Err() != nil {
		return
	}
	changer := *a.changer
	changer.frozen = m.frozen
	s := newSearch(&changer, a.r.pair.literals, func(doc document) bool { return a.try(doc) == c })
	s.run(a.ctx, goal, a.base(m.token))
	a.tried += len(s.seen)
}

// why says what stands in the way of a proof.
func (a *attack) why() (out []string) {
	if a.asksOthers {
		out = append(out, "a decision would ask another server, which a review never does")
	}
	for _, risk := range slices.Concat(a.r.oldRisks, a.r.newRisks) {
		out = append(out, risk+", which denies")
	}
	if len(a.r.opaque) > 0 {
		out = append(out, "partial evaluation cannot look into "+a.r.opaque[0])
	}
	if a.network {
		out = append(out, "the policies may call other servers: no made-up document is decided")
	}
	if !a.sameConfig {
		out = append(out, "the configurations show the policies different parts of a request")
	}
	if !a.answersAlike {
		out = append(out, "the other members of an allowing answer are made differently")
	}
	return out
}

// result are the differences, in order. Where the sidecar lets one near the policies, those of the same class that it
// does not are left out.
func (a *attack) result() (out []difference) {
	reachable := map[Class]bool{}
	for _, d := range a.found {
		reachable[d.class] = reachable[d.class] || d.unreachable == ""
	}
	for _, cause := range slices.Sorted(maps.Keys(a.found)) {
		d, follows := a.found[cause], false
		for _, other := range a.found {
			follows = follows || d.follows(other)
		}
		if !follows && (d.unreachable == "" || !reachable[d.class]) {
			out = append(out, d)
		}
	}
	return out
}

// examples are the documents of the differences, for shapes with the same conditions.
func (a *attack) examples() (out []document) {
	for _, d := range a.result() {
		out = append(out, d.doc)
	}
	return out
}

// unreachable says why the sidecar never asks policies about a document; empty where it does.
func (c *comparison) unreachable(doc document) string {
	token, _ := doc["token"].(map[string]any)
	now := float64(c.opts.Now.Unix())
	until, hasEnd := token["expires_at"].(float64)
	from, _ := token["not_before"].(float64)
	switch {
	case token["present"] != true && !c.new.form.tokenOptional:
		return "decision.token: required refuses a request without a token"
	case token["present"] == true && token["active"] != true:
		return "the sidecar refuses a token that is not active"
	case token["kind"] == "refresh", token["kind"] == "id":
		return "the sidecar refuses a token of the kind " + token["kind"].(string)
	case hasEnd && until <= now:
		return "the sidecar refuses a token that has expired"
	case from > now:
		return "the sidecar refuses a token that is not valid yet"
	}
	return ""
}
