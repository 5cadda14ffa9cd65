package access_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/access"
	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// A report must claim no more and no less than the policy does: for made-up documents, one of the alternatives is met
// if and only if the policy allows. The conditions are read as their JSON says, by nothing of the code that made them.
func TestARequestIsAllowedIfAndOnlyIfAnAlternativeIsMet(t *testing.T) {
	for name, files := range shapes {
		t.Run(name, func(t *testing.T) {
			cfg := written(t, files)
			cfg.Input.Headers = append(cfg.Input.Headers, "x-country")
			compare(t, cfg, "GET /orders/1", "POST /orders?amount=50", "POST /orders?amount=500", "PUT /internal/x",
				"GET /users/u1", "GET /staff/x", "GET /")
		})
	}
	t.Run("shipped", func(t *testing.T) {
		t.Chdir("../..")
		compare(t, shipped("bundles/example"), "GET /orders", "POST /orders", "GET /orders/42", "DELETE /orders/42",
			"DELETE /orders/archive", "GET /tenants/acme/reports", "GET /healthz", "GET /nowhere")
	})
}

func compare(t *testing.T, cfg *config.Config, requests ...string) {
	set, policy, err := app.Load(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	a, err := access.New(cfg, set, policy, now)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, request := range requests {
		report := requires(t, a, request)
		raw, err := json.Marshal(report.Alternatives)
		if err != nil {
			t.Fatal(err)
		}
		var ways []way
		if err := json.Unmarshal(raw, &ways); err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(ways, func(w way) bool { return slices.ContainsFunc(w.All, condition.unreadable) }) {
			continue // a condition in Rego is for OPA to read
		}
		allowed := 0
		for range 200 {
			doc := madeUp(t, random, request, ways, cfg)
			doc, got := decided(t, policy, cfg, doc)
			met := slices.ContainsFunc(ways, func(w way) bool { return w.met(doc) })
			if met != got {
				t.Fatalf("%s: allowed %v, an alternative is met %v\n%v\n%s", request, got, met, doc, raw)
			}
			if got {
				allowed++
			}
		}
		if len(ways) > 0 && allowed == 0 {
			t.Errorf("%s: none of the made-up documents is allowed", request)
		}
	}
}

// way and condition are the JSON form of a report.
type way struct{ All []condition }

type condition struct {
	Member, Op, Other string
	Not               bool
	Value             any
}

func (c condition) unreadable() bool { return c.Op == "rego" || c.Op == "opaque" || c.Op == "any" }

func (w way) met(doc any) bool {
	return !slices.ContainsFunc(w.All, func(c condition) bool { return c.holds(doc) == c.Not })
}

func (c condition) holds(doc any) bool {
	v, ok := lookUp(doc, c.Member)
	want := c.Value
	if c.Other != "" {
		var there bool
		if want, there = lookUp(doc, c.Other); !there {
			return false
		}
	}
	if !ok {
		return false
	}
	list, _ := v.([]any)
	wanted, _ := want.([]any)
	text, _ := v.(string)
	is := func(x any) func(any) bool { return func(y any) bool { return fmt.Sprint(x) == fmt.Sprint(y) } }
	switch c.Op {
	case "contains":
		return slices.ContainsFunc(list, is(want))
	case "is":
		return is(v)(want)
	case "differs":
		return !is(v)(want)
	case "one_of":
		return slices.ContainsFunc(wanted, is(v))
	case "true":
		return v != false
	case "present":
		return true
	case "lt", "lte", "gt", "gte":
		x, y := v.(float64), want.(float64)
		return map[string]bool{"lt": x < y, "lte": x <= y, "gt": x > y, "gte": x >= y}[c.Op]
	case "startswith":
		return strings.HasPrefix(text, want.(string))
	case "endswith":
		return strings.HasSuffix(text, want.(string))
	case "includes":
		return strings.Contains(text, want.(string))
	case "only_value":
		return len(list) == 1 && is(list[0])(want)
	case "length":
		return float64(len(list)) == want.(float64)
	case "has_other":
		return slices.ContainsFunc(list, func(e any) bool { return !slices.ContainsFunc(wanted, is(e)) })
	}
	panic("unknown op " + c.Op)
}

var part = regexp.MustCompile(`\.([A-Za-z_0-9]+)|\["([^"]+)"\]|\[(\d+)\]`)

// parts are those of a member: names, and indexes.
func parts(member string) (out []any) {
	for _, m := range part.FindAllStringSubmatch(strings.TrimPrefix(member, "input"), -1) {
		if m[3] != "" {
			i, _ := strconv.Atoi(m[3])
			out = append(out, i)
		} else {
			out = append(out, m[1]+m[2])
		}
	}
	return out
}

func lookUp(at any, member string) (any, bool) {
	for _, p := range parts(member) {
		switch key := p.(type) {
		case string:
			object, _ := at.(map[string]any)
			v, ok := object[key]
			if !ok {
				return nil, false
			}
			at = v
		case int:
			list, _ := at.([]any)
			if key >= len(list) {
				return nil, false
			}
			at = list[key]
		}
	}
	return at, true
}

// decided asks the policy itself. It returns the document as the policy sees it: without members that are empty.
func decided(
	t *testing.T, policy *engine.Policy, cfg *config.Config, doc map[string]any,
) (seen map[string]any, allowed bool) {
	t.Helper()
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	d, err := input.Parse(raw)
	if err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	if raw, err = d.AppendJSON(nil); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &seen); err != nil {
		t.Fatal(err)
	}
	r, err := policy.Eval(t.Context(), engine.Question{Entrypoint: cfg.Decision.Entrypoint, Document: d, Time: now,
		Seed: "x"})
	if err != nil {
		return seen, false
	}
	v, err := r.Verdict()
	return seen, err == nil && v.Allow
}
