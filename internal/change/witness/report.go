package witness

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// summary counts what was found about the shapes of an entrypoint.
func (c *comparison) summary(results []*result, shapes int) Entrypoint {
	out := Entrypoint{Path: c.old.entrypoint, Result: Same, Shapes: shapes, Reasons: []OpenReason{},
		Opaque: []string{}}
	reasons, opaque := map[string]*OpenReason{}, map[string]bool{}
	for i, r := range results {
		out.Candidates += r.candidates
		for _, rule := range r.opaque {
			opaque[rule] = true
		}
		for _, d := range r.found {
			out.Result = gravest(out.Result, d.class)
		}
		if i >= shapes {
			continue // a document that was handed over
		}
		switch r.state {
		case proved:
			out.Proved++
		case differing:
			out.Differing++
		case notLookedAt:
			out.Left++
		case undecided:
			out.Open++
			if reasons[r.reason] == nil {
				reasons[r.reason] = &OpenReason{Text: r.reason, Example: r.String()}
			}
			reasons[r.reason].Shapes++
		}
	}
	if out.Open+out.Left > 0 {
		out.Result = gravest(out.Result, Undecided)
	}
	for _, text := range slices.Sorted(maps.Keys(reasons)) {
		out.Reasons = append(out.Reasons, *reasons[text])
	}
	slices.SortStableFunc(out.Reasons, func(a, b OpenReason) int { return cmp.Compare(b.Shapes, a.Shapes) })
	out.Opaque = append(out.Opaque, slices.Sorted(maps.Keys(opaque))...)
	return out
}

// recorded decides the documents that were handed over.
func (c *comparison) recorded(ctx context.Context) (out []*result) {
	for _, raw := range c.opts.Documents {
		var doc document
		if json.Unmarshal(raw, &doc) != nil || ctx.Err() != nil {
			continue
		}
		d, ok := c.compare(doc)
		r := &result{candidates: 1}
		request, _ := doc["request"].(map[string]any)
		r.place.Method, _ = request["method"].(string)
		r.place.Path, _ = request["path"].(string)
		if ok && d.class != "" {
			r.state, r.found = differing, []difference{d}
		}
		out = append(out, r)
	}
	return out
}

// findings are the differences of all shapes, those of one cause as one, with a witness for the first.
func (c *comparison) findings(results []*result, shapes int) (out []Finding) {
	at := map[string]int{}
	counts := map[int]int{}
	for i, r := range results {
		for _, d := range r.found {
			d := c.minimal(d)
			old, new := c.contrast(r, d)
			key := strings.Join([]string{d.cause(), strings.Join(old, "\n"), strings.Join(new, "\n")}, "\x01")
			r := r.about(d)
			place := r.place
			place.Route = c.routeID(r)
			n, known := at[key]
			if !known {
				n = len(out)
				at[key] = n
				out = append(out, Finding{Class: d.class, Entrypoint: c.old.entrypoint, Summary: summaryOf(d),
					Places: []Place{}, Grave: c.grave(d, old), Unreachable: d.unreachable, OnlyOld: old, OnlyNew: new,
					Witness: c.witness(d)})
			}
			if !slices.Contains(out[n].Places, place) {
				out[n].Places = append(out[n].Places, place)
				if i < shapes {
					counts[n]++
				}
			}
		}
	}
	for n := range out {
		out[n].Everywhere = shapes > 1 && counts[n] == shapes
	}
	return out
}

// routeID is the id of the route that a shape takes.
func (c *comparison) routeID(r *result) string {
	if r.known == nil {
		return ""
	}
	known := []byte(textOf(map[string]any{"version": 1, "request": r.known}))
	for _, side := range []*program{c.new, c.old} {
		var route struct {
			ID any `json:"id"`
		}
		_ = json.Unmarshal(side.Route(context.Background(), known), &route)
		if id, ok := route.ID.(string); ok {
			return id
		}
	}
	return ""
}

// minimal is a difference without the members that do not matter for it.
func (c *comparison) minimal(d difference) difference {
	same := func(doc document) bool {
		if doc == nil {
			return false
		}
		e, ok := c.compare(doc)
		if !ok || e.class != d.class || e.unreachable != d.unreachable || e.cause() != d.cause() {
			return false
		}
		d = e
		return true
	}
	for again := true; again; {
		again = false
		for _, path := range leaves(d.doc, nil) {
			if _, there := get(d.doc, path); there && smaller(c.old.form, d.doc, path, same) {
				again = true
			}
		}
	}
	return d
}

// smaller tries a document without what is at a path.
func smaller(f *form, doc document, path []any, same func(document) bool) bool {
	last := len(path) - 1
	if _, isIndex := path[last].(int); isIndex {
		list, _ := get(doc, path[:last])
		shorter, ok := without(list, path[last:]).([]any)
		return ok && f.changeable(path[:last]) && same(with(doc, path[:last], shorter).(map[string]any))
	}
	out := f.unset(doc, path)
	return out != nil && !reflect.DeepEqual(out, doc) && same(out)
}

// leaves are the paths in a value, the shorter ones first, in order.
func leaves(v any, path []any) (out [][]any) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			out = append(out, append(slices.Clone(path), name))
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			out = append(out, leaves(v[name], append(slices.Clone(path), name))...)
		}
	case []any:
		for i := len(v) - 1; i >= 0; i-- {
			out = append(out, append(slices.Clone(path), i))
		}
	}
	return out
}

func (c *comparison) witness(d difference) Witness {
	return Witness{Document: jsontext.Value(textOf(d.doc)), Words: c.words(d.doc), Old: d.old, New: d.new,
		Event: c.event(d), Commands: []string{
			"sidecar explain FILE --policies " + quoted(c.old.side.Name),
			"sidecar explain FILE --policies " + quoted(c.new.side.Name),
		}}
}

// event is a difference as an event of a decision log: what is recorded is the decision of the old side.
func (c *comparison) event(d difference) jsontext.Value {
	kind, status := authz.Deny, http.StatusForbidden
	switch {
	case d.old.Error != "":
		kind, status = authz.Misconfigured, http.StatusInternalServerError
	case d.old.Allow:
		kind, status = authz.Allow, http.StatusOK
	}
	reasons := []any{}
	for _, code := range d.old.Reasons {
		reasons = append(reasons, map[string]any{"code": code})
	}
	event := map[string]any{
		"decision_id": seed, "timestamp": c.opts.Now, "path": c.old.entrypoint, "input": d.doc,
		"custom": map[string]any{"kind": kind.String(), "status": status, "reasons": reasons,
			"policy_digest": c.old.side.Policy.Digest()},
	}
	if d.old.Answer != nil {
		event["result"] = d.old.Answer
	}
	return jsontext.Value(textOf(event))
}

// quoted is a name as a shell reads it.
func quoted(name string) string {
	if name != "" && !strings.ContainsAny(name, " '\"\\$`!&|;<>()*?[]{}~#\n\t") {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

// summaryOf is a difference in words.
func summaryOf(d difference) string {
	switch d.class {
	case Wider:
		return "allowed now, was denied" + becauseOf(d.old)
	case Narrower:
		return "denied now" + becauseOf(d.new) + ", was allowed"
	}
	if d.old.Allow {
		return "allowed by both, with another answer: " + strings.Join(changedMembers(d.old.Answer, d.new.Answer),
			", ")
	}
	if d.old.Error != "" || d.new.Error != "" || !slices.Equal(d.old.Reasons, d.new.Reasons) {
		return "denied by both, now" + becauseOf(d.new) + ", was" + becauseOf(d.old)
	}
	return "denied by both, with another answer: " + strings.Join(changedMembers(d.old.Answer, d.new.Answer), ", ")
}

func becauseOf(o Outcome) string {
	switch {
	case o.Error != "":
		return " (misconfigured: " + o.Error + ")"
	case len(o.Reasons) > 0:
		return " (" + strings.Join(o.Reasons, ", ") + ")"
	}
	return " (without a reason)"
}

// changedMembers are the members of two answers that differ, by name.
func changedMembers(a, b jsontext.Value) []string {
	var x, y map[string]any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return []string{"the result"}
	}
	both := maps.Clone(x)
	maps.Copy(both, y)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(both)) {
		if !reflect.DeepEqual(x[name], y[name]) {
			out = append(out, name)
		}
	}
	return out
}

// grave says why a finding stands above others.
func (c *comparison) grave(d difference, onlyOld []string) string {
	token, _ := d.doc["token"].(map[string]any)
	switch {
	case d.class != Wider || d.unreachable != "":
	case token["present"] != true:
		return "anonymous"
	case slices.ContainsFunc(onlyOld, func(text string) bool { return strings.HasPrefix(text, "tenant ") }):
		return "cross_tenant"
	}
	return ""
}

// byGravity orders findings: by class, those that the sidecar lets near the policies first, the grave ones above the
// others, then by how many requests they concern.
func byGravity(a, b Finding) int {
	rank := func(f Finding) int {
		switch {
		case f.Unreachable != "":
			return 3
		case f.Grave == "anonymous":
			return 0
		case f.Grave != "":
			return 1
		}
		return 2
	}
	unreachable := func(f Finding) int { return rank(f) / 3 }
	return cmp.Or(cmp.Compare(unreachable(a), unreachable(b)),
		cmp.Compare(slices.Index(order, a.Class), slices.Index(order, b.Class)), cmp.Compare(rank(a), rank(b)),
		cmp.Compare(len(b.Places), len(a.Places)), cmp.Compare(a.Summary, b.Summary))
}
