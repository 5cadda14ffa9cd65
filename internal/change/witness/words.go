package witness

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/access"
	"github.com/authz-sidecar/sidecar/internal/engine/partial/formula"
)

// contrast is what only one side asks for, in words: of the way that allows the document of a difference, and of the
// way of the other side that comes nearest to it.
func (c *comparison) contrast(r *result, d difference) (onlyOld, onlyNew []string) {
	if r.pair == nil || d.class == Different {
		return []string{}, []string{}
	}
	oldWays, newWays := formula.Alternatives(r.pair.old), formula.Alternatives(r.pair.new)
	s := newSearch(&changer{form: c.old.form, now: c.opts.Now}, r.pair.literals, nil)
	allowing, denying := newWays, oldWays
	if d.class == Narrower {
		allowing, denying = denying, allowing
	}
	met := nearest(s, allowing, d.doc, nil)
	other := nearest(s, denying, d.doc, met)
	allows, denies := c.new, c.old
	if d.class == Narrower {
		allows, denies = denies, allows
	}
	of := phrases(allows, met, r)
	not := phrases(denies, other, r)
	gained, lost := minus(of, not), minus(not, of)
	if d.class == Narrower {
		return gained, lost
	}
	return lost, gained
}

// nearest is the way of which most holds for a document, and of those the one that has most in common with another.
func nearest(s *search, ways [][]formula.Term, doc document, with []formula.Term) (best []formula.Term) {
	score := 0
	for i, way := range ways {
		wrong, _ := s.distance(context.Background(), asAll(way), doc)
		common := 0
		for _, t := range way {
			if slices.ContainsFunc(with, func(o formula.Term) bool { return sameTerm(t, o) }) {
				common++
			}
		}
		if n := 1000*wrong - 10*common + len(way); i == 0 || n < score {
			best, score = way, n
		}
	}
	return best
}

func sameTerm(a, b formula.Term) bool {
	return a.Literal != nil && b.Literal != nil && a.Literal.Key == b.Literal.Key && a.Negated == b.Negated
}

func asAll(way []formula.Term) *formula.Formula {
	parts := make([]*formula.Formula, 0, len(way))
	for _, t := range way {
		switch {
		case t.Literal == nil:
			parts = append(parts, formula.Any(t.Choice...))
		case t.Negated:
			parts = append(parts, formula.Negate(asFormula(t.Literal)))
		default:
			parts = append(parts, asFormula(t.Literal))
		}
	}
	return formula.All(parts...)
}

// phrases are a way in words, without the values of the segments of one request.
func phrases(p *program, way []formula.Term, r *result) []string {
	var segments []string
	list, _ := r.known["segments"].([]any)
	for _, s := range list {
		text, _ := s.(string)
		segments = append(segments, text)
	}
	return access.Phrases(p.Terms(way), p.now, segments)
}

func minus(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(text string) bool { return slices.Contains(b, text) })
}

// words tell what a document has that not every document has.
func (c *comparison) words(doc document) []string {
	out := []string{}
	request, _ := doc["request"].(map[string]any)
	if method, _ := request["method"].(string); method != "" {
		out = append(out, fmt.Sprintf("%s %v", method, request["path"]))
	}
	say := func(name string, v any) { out = append(out, name+": "+c.value(name, v)) }
	for _, part := range []string{"headers", "query"} {
		fields, _ := request[part].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			list, _ := fields[name].([]any)
			noun := access.Noun([]any{"request", part, name})
			if len(list) == 0 {
				out = append(out, noun+": given without a value")
			}
			for _, v := range list {
				say(noun, v)
			}
		}
	}
	for _, name := range []string{"scheme", "host", "port", "source_ip", "body"} {
		if v, ok := request[name]; ok {
			say(access.Noun([]any{"request", name}), v)
		}
	}
	token, _ := doc["token"].(map[string]any)
	if token["present"] != true {
		return append(out, "no token")
	}
	out = append(out, c.tokenWords(token, []any{"token"})...)
	for _, name := range []string{"subject", "action", "resource", "context"} {
		if v, ok := doc[name]; ok {
			say(name, v)
		}
	}
	return out
}

// usualMembers are those that a usable token has anyway.
var usualMembers = map[string]any{"present": true, "active": true, "kind": "access", "source": "introspection",
	"age": float64(0), "stale": false}

func (c *comparison) tokenWords(at map[string]any, path []any) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(at)) {
		v, here := at[name], append(slices.Clone(path), name)
		if usual, known := usualMembers[name]; known && len(path) == 1 && v == usual {
			continue
		}
		switch inner := v.(type) {
		case map[string]any:
			if len(path) == 1 && c.old.form.member(here).kind == objectKind && len(inner) > 0 {
				out = append(out, c.tokenWords(inner, here)...)
				continue
			}
		case []any:
			if len(inner) == 0 {
				continue
			}
		}
		out = append(out, access.Noun(here)+": "+c.value(name, v))
	}
	return out
}

// times are the members of a token that are seconds since the epoch.
var times = []string{"time", "issued_at", "not_before", "expires_at"}

// value is a value in words: a time by its distance from now.
func (c *comparison) value(name string, v any) string {
	switch v := v.(type) {
	case string:
		if v == "" || strings.ContainsAny(v, " ,;\"\n\t") {
			return strconv.Quote(v)
		}
		return v
	case float64:
		from := int64(v) - c.opts.Now.Unix()
		switch {
		case !slices.Contains(times, name), from < -maxRelative, from > maxRelative:
			return strconv.FormatFloat(v, 'f', -1, 64)
		case from > 0:
			return fmt.Sprintf("in %d s", from)
		}
		return fmt.Sprintf("%d s ago", -from)
	case []any:
		parts := make([]string, 0, len(v))
		for _, e := range v {
			parts = append(parts, c.value("", e))
		}
		return strings.Join(parts, ", ")
	}
	return textOf(v)
}

// maxRelative is the greatest distance from now, in seconds, that is told as such.
const maxRelative = 400 * 24 * 3600
