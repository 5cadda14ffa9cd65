package policytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/oauth"
	"github.com/authz-sidecar/sidecar/internal/yamlnode"
)

// suiteReader reads one file and gathers all that is wrong with it.
type suiteReader struct {
	file     string
	problems bundle.Problems
}

// fields says what is done with each key of a mapping.
type fields map[string]func(*yamlnode.Node)

func (r *suiteReader) complain(n *yamlnode.Node, format string, args ...any) {
	r.problems = append(r.problems, bundle.Problem{File: r.file, Row: n.Line, Col: n.Column, Code: codeSuite,
		Message: fmt.Sprintf(format, args...)})
}

// mapping reads n key by key. A key that is unknown is a problem.
func (r *suiteReader) mapping(n *yamlnode.Node, what string, known fields) {
	r.members(n, what, func(k, v *yamlnode.Node) {
		read, ok := known[k.Text]
		if !ok {
			keys := strings.Join(slices.Sorted(maps.Keys(known)), ", ")
			r.complain(k, "unknown key %q in %s, want one of %s", k.Text, what, keys)
			return
		}
		read(v)
	})
}

// members calls each with every key and value of n. A key that occurs twice is a problem.
func (r *suiteReader) members(n *yamlnode.Node, what string, each func(k, v *yamlnode.Node)) {
	if n.Kind != yamlnode.Mapping {
		r.complain(n, "%s must be a mapping", what)
		return
	}
	for _, m := range n.Members {
		if m.Flaw != yamlnode.None {
			r.complain(m.Key, "%s", m.Complaint())
			continue
		}
		each(m.Key, m.Value)
	}
}

func (r *suiteReader) suite(n *yamlnode.Node, s *Suite) {
	var cases, now *yamlnode.Node
	r.mapping(n, "the suite", fields{
		"suite":  r.text(&s.Name),
		"now":    func(v *yamlnode.Node) { now, s.now = v, r.time(v) },
		"token":  r.word(&s.token, "required", "optional"),
		"realm":  r.text(&s.realm),
		"issuer": func(v *yamlnode.Node) { s.issuer = r.issuer(v) },
		"tokens": func(v *yamlnode.Node) { s.tokens = r.tokens(v) },
		"cases":  func(v *yamlnode.Node) { cases = v },
	})
	if s.Name == "" {
		r.complain(n, "the suite has no name: suite is missing")
	}
	if now == nil {
		r.complain(n, "now is missing: a decision depends on its time")
	}
	if cases == nil || len(cases.Items) == 0 {
		r.complain(n, "the suite has no cases")
		return
	}
	names := map[string]bool{}
	for _, c := range cases.Items {
		tc := r.testCase(c, s)
		if tc.name != "" && names[tc.name] {
			r.complain(c, "there are two cases %q", tc.name)
		}
		names[tc.name] = true
		s.cases = append(s.cases, tc)
	}
}

func (r *suiteReader) issuer(n *yamlnode.Node) issuer.Config {
	c := issuer.Config{Endpoint: oauth.Config{Name: "suite"}}
	before := len(r.problems)
	r.mapping(n, "issuer", fields{
		"dialect":         r.text(&c.Dialect.Dialect),
		"issuer":          r.text(&c.Endpoint.Issuer),
		"audience":        r.texts(&c.Dialect.Audience),
		"absent_audience": r.text(&c.Dialect.AbsentAudience),
		"tenant":          r.texts(&c.Dialect.Tenant),
		"roles":           r.texts(&c.Dialect.Roles),
	})
	if _, err := issuer.Static(c, nil); err != nil && len(r.problems) == before {
		r.complain(n, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return c
}

func (r *suiteReader) tokens(n *yamlnode.Node) map[string]answer {
	out := map[string]answer{}
	r.members(n, "tokens", func(k, v *yamlnode.Node) {
		if len(v.Members) == 1 && v.Members[0].Key.Text == "error" {
			kinds := map[string]authz.Kind{"unavailable": authz.Unavailable, "misconfigured": authz.Misconfigured}
			why := v.Members[0].Value
			kind, ok := kinds[why.Text]
			if !ok {
				r.complain(why, "error of a token must be unavailable or misconfigured")
			}
			out[k.Text] = answer{fails: kind}
			return
		}
		out[k.Text] = answer{json: r.object(v, "a token")}
	})
	return out
}

func (r *suiteReader) testCase(n *yamlnode.Node, s *Suite) testCase {
	c := testCase{row: n.Line}
	expect := false
	r.mapping(n, "a case", fields{
		"name": r.text(&c.name),
		"token": func(v *yamlnode.Node) {
			r.text(&c.token)(v)
			if _, ok := s.tokens[c.token]; !ok {
				r.complain(v, "there is no token %q", c.token)
			}
		},
		"key":        r.word(&c.key, keyShown, "withheld"),
		"entrypoint": r.text(&c.query.Entrypoint),
		"request":    func(v *yamlnode.Node) { c.query.Request = r.request(v) },
		"context":    func(v *yamlnode.Node) { c.query.Context = r.object(v, "context") },
		"expect":     func(v *yamlnode.Node) { expect, c.want = true, r.expectation(v) },
	})
	if c.name == "" {
		r.complain(n, "the case has no name")
	}
	if !expect {
		r.complain(n, "the case expects nothing")
	}
	return c
}

func (r *suiteReader) request(n *yamlnode.Node) authz.Request {
	req := authz.Request{Method: "GET", Headers: map[string][]string{}}
	r.mapping(n, "request", fields{
		"method":    r.text(&req.Method),
		"url":       r.text(&req.URL),
		"source_ip": r.text(&req.SourceIP),
		"body":      func(v *yamlnode.Node) { r.text(&req.Body)(v); req.HasBody = true },
		"headers": func(v *yamlnode.Node) {
			given := r.headers(v)
			for _, name := range slices.Sorted(maps.Keys(given)) { // joined as those of a call are
				lower := httpuri.Lower(name)
				req.Headers[lower] = append(req.Headers[lower], given[name]...)
			}
		},
	})
	return req
}

func (r *suiteReader) expectation(n *yamlnode.Node) expectation {
	var e expectation
	var allow string
	r.mapping(n, "expect", fields{
		"allow":            r.word(&allow, "true", "false"),
		"kind":             r.word(&e.kind, kindNames()...),
		"status":           func(v *yamlnode.Node) { e.status = r.integer(v) },
		"reasons":          func(v *yamlnode.Node) { e.reasons = new([]string); r.texts(e.reasons)(v) },
		"challenge":        func(v *yamlnode.Node) { e.challenge = new(string); r.text(e.challenge)(v) },
		"headers":          func(v *yamlnode.Node) { e.headers = r.headers(v) },
		"upstream_headers": func(v *yamlnode.Node) { e.upstreamHeaders = r.headers(v) },
		"context":          func(v *yamlnode.Node) { e.context = r.object(v, "context") },
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
func (r *suiteReader) headers(n *yamlnode.Node) map[string][]string {
	out := map[string][]string{}
	r.members(n, "headers", func(k, v *yamlnode.Node) {
		var values []string
		if v.Scalar() {
			values = []string{v.Text}
		} else {
			r.texts(&values)(v)
		}
		out[k.Text] = values
	})
	return out
}

func (r *suiteReader) text(to *string) func(*yamlnode.Node) {
	return func(v *yamlnode.Node) {
		if !v.Scalar() || v.Kind == yamlnode.Null {
			r.complain(v, "want text")
			return
		}
		*to = v.Text
	}
}

func (r *suiteReader) word(to *string, words ...string) func(*yamlnode.Node) {
	return func(v *yamlnode.Node) {
		if !slices.Contains(words, v.Text) {
			r.complain(v, "want one of %s", strings.Join(words, ", "))
			return
		}
		*to = v.Text
	}
}

func (r *suiteReader) texts(to *[]string) func(*yamlnode.Node) {
	return func(v *yamlnode.Node) {
		if v.Kind != yamlnode.List {
			r.complain(v, "want a list of texts")
			return
		}
		for _, e := range v.Items {
			var s string
			r.text(&s)(e)
			*to = append(*to, s)
		}
	}
}

func (r *suiteReader) integer(v *yamlnode.Node) int {
	n, err := strconv.Atoi(v.Text)
	if err != nil {
		r.complain(v, "want an integer")
	}
	return n
}

func (r *suiteReader) time(v *yamlnode.Node) time.Time {
	t, err := time.Parse(time.RFC3339, v.Text)
	if err != nil {
		r.complain(v, "want a time of RFC 3339, such as 2026-11-20T12:00:00Z")
	}
	return t
}

// object reads a mapping as a JSON object.
func (r *suiteReader) object(v *yamlnode.Node, what string) []byte {
	if v.Kind != yamlnode.Mapping {
		r.complain(v, "%s must be a mapping", what)
		return nil
	}
	value, failed := v.JSON()
	if failed != nil {
		r.problems = append(r.problems, r.problem(failed))
		return nil
	}
	b, err := json.Marshal(value)
	if err != nil {
		r.complain(v, "%s cannot be written as JSON: %v", what, err)
	}
	return b
}

func (r *suiteReader) problem(err *yamlnode.Error) bundle.Problem {
	return bundle.Problem{File: r.file, Row: err.Line, Col: err.Column, Code: codeSuite, Message: err.Message}
}
