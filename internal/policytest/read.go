package policytest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/oauth"
)

// suiteReader reads one file and gathers all that is wrong with it.
type suiteReader struct {
	file     string
	problems bundle.Problems
}

// fields says what is done with each key of a mapping.
type fields map[string]func(*yaml.Node)

func (r *suiteReader) complain(n *yaml.Node, format string, args ...any) {
	r.problems = append(r.problems, bundle.Problem{File: r.file, Row: n.Line, Col: n.Column, Code: codeSuite, Message: fmt.Sprintf(format, args...)})
}

// mapping reads n key by key. A key that is not known, or there twice, is wrong.
func (r *suiteReader) mapping(n *yaml.Node, what string, known fields) {
	r.members(n, what, func(k, v *yaml.Node) {
		read, ok := known[k.Value]
		if !ok {
			r.complain(k, "unknown key %q in %s, want one of %s", k.Value, what, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
			return
		}
		read(v)
	})
}

// members calls each with every key and value of n.
func (r *suiteReader) members(n *yaml.Node, what string, each func(k, v *yaml.Node)) {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		r.complain(n, "%s must be a mapping", what)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if seen[k.Value] {
			r.complain(k, "key %q is there twice in %s", k.Value, what)
			continue
		}
		seen[k.Value] = true
		each(k, resolve(n.Content[i+1]))
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func (r *suiteReader) suite(n *yaml.Node, s *Suite) {
	var cases, now *yaml.Node
	r.mapping(n, "the suite", fields{
		"suite":  r.text(&s.Name),
		"now":    func(v *yaml.Node) { now, s.now = v, r.time(v) },
		"token":  r.word(&s.token, "required", "optional"),
		"realm":  r.text(&s.realm),
		"issuer": func(v *yaml.Node) { s.issuer = r.issuer(v) },
		"tokens": func(v *yaml.Node) { s.tokens = r.tokens(v) },
		"cases":  func(v *yaml.Node) { cases = v },
	})
	if s.Name == "" {
		r.complain(n, "the suite has no name: suite is missing")
	}
	if now == nil {
		r.complain(n, "now is missing: a decision depends on its time")
	}
	if cases == nil || cases.Kind != yaml.SequenceNode || len(cases.Content) == 0 {
		r.complain(n, "the suite has no cases")
		return
	}
	names := map[string]bool{}
	for _, c := range cases.Content {
		tc := r.testCase(resolve(c), s)
		if tc.name != "" && names[tc.name] {
			r.complain(c, "there are two cases %q", tc.name)
		}
		names[tc.name] = true
		s.cases = append(s.cases, tc)
	}
}

func (r *suiteReader) issuer(n *yaml.Node) introspect.Config {
	c := introspect.Config{Endpoint: oauth.Config{Name: "suite"}}
	before := len(r.problems)
	r.mapping(n, "issuer", fields{
		"dialect":         r.text(&c.Dialect.Dialect),
		"issuer":          r.text(&c.Endpoint.Issuer),
		"audience":        r.texts(&c.Dialect.Audience),
		"absent_audience": r.text(&c.Dialect.AbsentAudience),
		"tenant":          r.texts(&c.Dialect.Tenant),
		"roles":           r.texts(&c.Dialect.Roles),
	})
	if _, err := introspect.Static(c, nil); err != nil && len(r.problems) == before {
		r.complain(n, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return c
}

func (r *suiteReader) tokens(n *yaml.Node) map[string]answer {
	out := map[string]answer{}
	r.members(n, "tokens", func(k, v *yaml.Node) {
		if v.Kind == yaml.MappingNode && len(v.Content) == 2 && v.Content[0].Value == "error" {
			kinds := map[string]authz.Kind{"unavailable": authz.Unavailable, "misconfigured": authz.Misconfigured}
			kind, ok := kinds[v.Content[1].Value]
			if !ok {
				r.complain(v.Content[1], "error of a token must be unavailable or misconfigured")
			}
			out[k.Value] = answer{fails: kind}
			return
		}
		out[k.Value] = answer{json: r.object(v, "a token")}
	})
	return out
}

func (r *suiteReader) testCase(n *yaml.Node, s *Suite) testCase {
	c := testCase{row: n.Line}
	expect := false
	r.mapping(n, "a case", fields{
		"name": r.text(&c.name),
		"token": func(v *yaml.Node) {
			r.text(&c.token)(v)
			if _, ok := s.tokens[c.token]; !ok {
				r.complain(v, "there is no token %q", c.token)
			}
		},
		"key":        r.word(&c.key, keyShown, "withheld"),
		"entrypoint": r.text(&c.query.Entrypoint),
		"request":    func(v *yaml.Node) { c.query.Request = r.request(v) },
		"context":    func(v *yaml.Node) { c.query.Context = r.object(v, "context") },
		"expect":     func(v *yaml.Node) { expect, c.want = true, r.expectation(v) },
	})
	if c.name == "" {
		r.complain(n, "the case has no name")
	}
	if !expect {
		r.complain(n, "the case expects nothing")
	}
	return c
}

func (r *suiteReader) request(n *yaml.Node) authz.Request {
	req := authz.Request{Method: "GET", Headers: map[string][]string{}}
	r.mapping(n, "request", fields{
		"method":    r.text(&req.Method),
		"url":       r.text(&req.URL),
		"source_ip": r.text(&req.SourceIP),
		"body":      func(v *yaml.Node) { r.text(&req.Body)(v); req.HasBody = true },
		"headers": func(v *yaml.Node) {
			given := r.headers(v)
			for _, name := range slices.Sorted(maps.Keys(given)) { // joined as those of a call are
				lower := httpuri.Lower(name)
				req.Headers[lower] = append(req.Headers[lower], given[name]...)
			}
		},
	})
	return req
}

func (r *suiteReader) expectation(n *yaml.Node) expectation {
	var e expectation
	var allow string
	r.mapping(n, "expect", fields{
		"allow":            r.word(&allow, "true", "false"),
		"kind":             r.word(&e.kind, kindNames()...),
		"status":           func(v *yaml.Node) { e.status = r.integer(v) },
		"reasons":          func(v *yaml.Node) { e.reasons = new([]string); r.texts(e.reasons)(v) },
		"challenge":        func(v *yaml.Node) { e.challenge = new(string); r.text(e.challenge)(v) },
		"headers":          func(v *yaml.Node) { e.headers = r.headers(v) },
		"upstream_headers": func(v *yaml.Node) { e.upstreamHeaders = r.headers(v) },
		"context":          func(v *yaml.Node) { e.context = r.object(v, "context") },
	})
	switch {
	case allow == "" && e.kind == "":
		r.complain(n, "expect has neither allow nor kind")
	case allow != "" && e.kind != "" && (allow == "true") != (e.kind == authz.Allow.String()):
		r.complain(n, "expect contradicts itself: allow is %s and kind is %s", allow, e.kind)
	case e.kind == "" && allow == "true":
		e.kind = authz.Allow.String()
	case e.kind == "":
		e.kind = authz.Deny.String()
	}
	return e
}

func kindNames() []string {
	var names []string
	for _, k := range authz.Kinds {
		names = append(names, k.String())
	}
	return names
}

// headers reads one value or a list of them for each name.
func (r *suiteReader) headers(n *yaml.Node) map[string][]string {
	out := map[string][]string{}
	r.members(n, "headers", func(k, v *yaml.Node) {
		var values []string
		if v.Kind == yaml.ScalarNode {
			values = []string{v.Value}
		} else {
			r.texts(&values)(v)
		}
		out[k.Value] = values
	})
	return out
}

func (r *suiteReader) text(to *string) func(*yaml.Node) {
	return func(v *yaml.Node) {
		if v.Kind != yaml.ScalarNode || v.ShortTag() == "!!null" {
			r.complain(v, "want text")
			return
		}
		*to = v.Value
	}
}

func (r *suiteReader) word(to *string, words ...string) func(*yaml.Node) {
	return func(v *yaml.Node) {
		if v.Kind != yaml.ScalarNode || !slices.Contains(words, v.Value) {
			r.complain(v, "want one of %s", strings.Join(words, ", "))
			return
		}
		*to = v.Value
	}
}

func (r *suiteReader) texts(to *[]string) func(*yaml.Node) {
	return func(v *yaml.Node) {
		if v.Kind != yaml.SequenceNode {
			r.complain(v, "want a list of texts")
			return
		}
		for _, e := range v.Content {
			var s string
			r.text(&s)(resolve(e))
			*to = append(*to, s)
		}
	}
}

func (r *suiteReader) integer(v *yaml.Node) int {
	n, err := strconv.Atoi(v.Value)
	if err != nil || v.Kind != yaml.ScalarNode {
		r.complain(v, "want an integer")
	}
	return n
}

func (r *suiteReader) time(v *yaml.Node) time.Time {
	t, err := time.Parse(time.RFC3339, v.Value)
	if err != nil || v.Kind != yaml.ScalarNode {
		r.complain(v, "want a time of RFC 3339, such as 2026-11-20T12:00:00Z")
	}
	return t
}

// object reads a mapping as a JSON object.
func (r *suiteReader) object(v *yaml.Node, what string) []byte {
	if v.Kind != yaml.MappingNode {
		r.complain(v, "%s must be a mapping", what)
		return nil
	}
	var members map[string]any
	if err := v.Decode(&members); err != nil {
		_, why, _ := strings.Cut(err.Error(), "line ") // what comes before says nothing
		r.complain(v, "%s cannot be read: line %s", what, strings.ReplaceAll(why, "\n", " "))
		return nil
	}
	b, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		r.complain(v, "%s cannot be said in JSON: its keys must be strings", what)
	}
	return b
}
