package access_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// lists are the members that are arrays of texts.
var lists = []string{"scopes", "audiences", "roles", "groups", "permissions", "amr"}

// madeUp is a document about a request: each member that a condition names has one of the values that conditions name
// for it, one beside them, or is absent.
func madeUp(t *testing.T, r *rand.Rand, request string, ways []way, cfg *config.Config) map[string]any {
	t.Helper()
	method, url, _ := strings.Cut(request, " ")
	known, err := input.NewRules(cfg.Input).Request(&authz.Request{Method: method, URL: url})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{"version": 1, "request": map[string]any{
		"method": known.Method, "path": known.Path, "raw_path": known.RawPath, "segments": known.Segments,
		"query": known.Query, "headers": map[string]any{}},
		"token": map[string]any{"present": true, "active": true, "kind": "access", "scopes": []any{}, "roles": []any{},
			"groups": []any{}, "permissions": []any{}, "age": 0, "stale": false}})
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	wanted := map[string]bool{}
	if len(ways) > 0 { // most of what one alternative asks for
		for _, c := range ways[r.IntN(len(ways))].All {
			if !c.Not {
				wanted[c.Member+c.Op] = true
			}
		}
	}
	shared := []string{"acme", "initech", "s1", ""}[r.IntN(4)]
	for _, w := range ways {
		for _, c := range w.All {
			if likely := wanted[c.Member+c.Op]; likely && r.IntN(20) > 0 || !likely && r.IntN(8) == 0 {
				put(doc, parts(c.Member), valueFor(r, c, shared))
			}
			if c.Other != "" && r.IntN(20) > 0 {
				put(doc, parts(c.Other), shared)
			}
		}
	}
	return doc
}

// valueFor is a value for the member of a condition.
func valueFor(r *rand.Rand, c condition, shared string) any {
	value := c.Value
	if c.Other != "" {
		value = shared
	}
	if many, ok := value.([]any); ok && len(many) > 0 {
		value = many[r.IntN(len(many))]
	}
	path := parts(c.Member)
	last, _ := path[len(path)-1].(string)
	switch {
	case c.Op == "length":
		return slices.Repeat([]any{"some"}, int(value.(float64))+r.IntN(2))
	case slices.Contains(lists, last), strings.Contains(c.Member, "headers[") && len(path) == 3:
		out := []any{}
		if r.IntN(12) > 0 && value != nil {
			out = append(out, value)
		}
		if r.IntN(8) == 0 {
			out = append(out, "other")
		}
		return out
	case c.Op == "lt" || c.Op == "lte" || c.Op == "gt" || c.Op == "gte":
		return value.(float64) + float64(r.IntN(3)-1)
	}
	if last == "level" || last == "time" {
		return r.IntN(8)
	}
	if number, ok := value.(float64); ok {
		return number
	}
	text, ok := value.(string)
	if !ok || r.IntN(8) == 0 {
		return []string{"", "other", "acme"}[r.IntN(3)]
	}
	return []string{text, text + "x", "x" + text, text, text, text, text, text}[r.IntN(8)]
}

// put gives a member of a document a value, unless the request is known to have it.
func put(doc map[string]any, path []any, value any) {
	at := doc
	for i, p := range path {
		name, ok := p.(string)
		if !ok {
			return
		}
		if i == len(path)-1 {
			at[name] = value
			return
		}
		if _, isIndex := path[i+1].(int); isIndex {
			at[name] = []any{value}
			return
		}
		next, ok := at[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[name] = next
		}
		at = next
	}
}
