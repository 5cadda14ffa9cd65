package policytest

import (
	"maps"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/suggest"
	"github.com/authz-sidecar/sidecar/internal/yamlnode"
)

// noToken is what a matrix calls a request without a token.
const noToken = "none"

func (r *suiteReader) suite(n *yamlnode.Node, s *Suite) {
	var cases, matrix, now *yamlnode.Node
	if n.Kind != yamlnode.Mapping {
		r.complain(n, "the suite must be a mapping")
		return
	}
	s.issuers = configuredIssuers(r.cfg)
	r.mapping(n, "the suite", fields{
		"suite":    r.text(&s.Name),
		"now":      func(v *yamlnode.Node) { now, s.now = v, r.time(v) },
		"token":    r.word(&s.token, "required", "optional"),
		"realm":    r.text(&s.realm),
		"issuer":   func(v *yamlnode.Node) { s.issuers = []issuer.Config{r.issuer(v)} },
		"tokens":   func(v *yamlnode.Node) { s.tokens, r.noTokens = r.tokens(v), v.Kind != yamlnode.Mapping },
		"defaults": func(v *yamlnode.Node) { s.defaults = r.defaults(v) },
		"cases":    func(v *yamlnode.Node) { cases = v },
		"matrix":   func(v *yamlnode.Node) { matrix = v },
	})
	if s.Name == "" {
		r.complain(n, "the suite has no name: suite is missing")
	}
	if now == nil {
		r.complain(n, "now is missing: a decision depends on its time")
	}
	r.jwts(n, s)
	names := map[string]bool{}
	add := func(at *yamlnode.Node, c testCase) {
		if c.name != "" && names[c.name] {
			r.complain(at, "there are two cases %q", c.name)
		}
		names[c.name] = true
		s.cases = append(s.cases, c)
	}
	before := len(r.problems)
	if cases != nil {
		for _, c := range cases.Items {
			add(c, r.testCase(c, s))
		}
		if cases.Kind != yamlnode.List && cases.Kind != yamlnode.Null {
			r.complain(cases, "cases must be a list")
		}
	}
	if matrix != nil {
		r.matrix(matrix, s, add)
	}
	if len(s.cases) == 0 && len(r.problems) == before {
		r.complain(n, "the suite has no cases")
	}
}

// known complains of a name of a token that the suite does not have.
func (r *suiteReader) knownToken(v *yamlnode.Node, name string, s *Suite) {
	known := slices.Sorted(maps.Keys(s.tokens))
	meant := suggest.Closest(name, known)
	switch {
	case r.noTokens || slices.Contains(known, name):
	case meant != "":
		r.complain(v, "there is no token %q; did you mean %q?", name, meant)
	case len(known) == 0:
		r.complain(v, "there is no token %q: write its introspection answer under tokens", name)
	default:
		r.complain(v, "there is no token %q; tokens has %s", name, strings.Join(known, ", "))
	}
}

func (r *suiteReader) testCase(n *yamlnode.Node, s *Suite) testCase {
	c := testCase{row: n.Line, now: s.now}
	var request *yamlnode.Node
	expect := false
	known := r.mapping(n, "a case", fields{
		"name": r.text(&c.name),
		"now":  func(v *yamlnode.Node) { c.now = r.time(v) },
		"token": func(v *yamlnode.Node) {
			if !v.Scalar() || v.Kind == yamlnode.Null {
				r.complain(v, "want the name of a token under tokens")
				return
			}
			c.token = v.Text
			r.knownToken(v, c.token, s)
		},
		"key":        r.word(&c.key, keyShown, "withheld"),
		"entrypoint": r.text(&c.query.Entrypoint),
		"request":    func(v *yamlnode.Node) { request = v },
		"context":    func(v *yamlnode.Node) { c.query.Context = r.object(v, "context") },
		"expect":     func(v *yamlnode.Node) { expect, c.want = true, r.expectation(v) },
	})
	if request != nil {
		c.query.Request = r.request(request, s.defaults)
	}
	if c.name == "" && known {
		r.complain(n, "the case has no name")
	}
	if !expect && known {
		r.complain(n, "the case expects nothing: write expect, such as {allow: true}")
	}
	return c
}

func (r *suiteReader) defaults(n *yamlnode.Node) defaults {
	var d defaults
	r.mapping(n, "defaults", fields{
		"host":      r.text(&d.host),
		"method":    r.text(&d.method),
		"source_ip": r.text(&d.sourceIP),
		"headers":   func(v *yamlnode.Node) { d.headers = lowerNames(r.headers(v)) },
	})
	return d
}

// lowerNames are headers joined as those of a call are.
func lowerNames(given map[string][]string) map[string][]string {
	out := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		lower := httpuri.Lower(name)
		out[lower] = append(out[lower], given[name]...)
	}
	return out
}

func (r *suiteReader) request(n *yamlnode.Node, d defaults) authz.Request {
	req := authz.Request{Method: "GET", Headers: map[string][]string{}, SourceIP: d.sourceIP}
	if d.method != "" {
		req.Method = d.method
	}
	maps.Copy(req.Headers, d.headers)
	r.mapping(n, "request", fields{
		"method":    r.text(&req.Method),
		"url":       r.text(&req.URL),
		"source_ip": r.text(&req.SourceIP),
		"body":      func(v *yamlnode.Node) { r.text(&req.Body)(v); req.HasBody = true },
		"headers": func(v *yamlnode.Node) {
			for name, values := range lowerNames(r.headers(v)) {
				req.Headers[name] = values
				if len(values) == 0 { // takes away that of the defaults
					delete(req.Headers, name)
				}
			}
		},
	})
	if d.host != "" && strings.HasPrefix(req.URL, "/") {
		req.URL = "https://" + d.host + req.URL
	}
	return req
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
