package policytest

import (
	"strconv"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/suggest"
	"github.com/authz-sidecar/sidecar/internal/yamlnode"
)

func (r *suiteReader) expectation(n *yamlnode.Node) expectation {
	var e expectation
	var allow string
	before := len(r.problems)
	r.mapping(n, "expect", fields{
		"allow":            r.word(&allow, "true", "false"),
		"kind":             r.word(&e.kind, kindNames()...),
		"status":           func(v *yamlnode.Node) { e.status = r.status(v) },
		"reasons":          func(v *yamlnode.Node) { e.reasons = new([]string); r.texts(e.reasons)(v) },
		"challenge":        func(v *yamlnode.Node) { e.challenge = new(string); r.text(e.challenge)(v) },
		"headers":          func(v *yamlnode.Node) { e.headers = r.headers(v) },
		"upstream_headers": func(v *yamlnode.Node) { e.upstreamHeaders = r.headers(v) },
		"context":          func(v *yamlnode.Node) { e.context = r.object(v, "context") },
		"obligations":      func(v *yamlnode.Node) { e.obligations = r.list(v, "obligations") },
	})
	switch {
	case allow == "" && e.kind == "" && len(r.problems) > before: // one of them is what the problems are about
	case allow == "" && e.kind == "":
		r.complain(n, "expect has neither allow nor kind: write allow: true, or allow: false")
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

// matrix reads requests by name, each with what tokens get, and adds a case for each of these.
func (r *suiteReader) matrix(n *yamlnode.Node, s *Suite, add func(*yamlnode.Node, testCase)) {
	if _, ok := s.tokens[noToken]; ok {
		r.complain(n, "a token is called %q, which stands for no token in a matrix: rename it", noToken)
	}
	r.members(n, "matrix", func(name, row *yamlnode.Node) {
		c := testCase{now: s.now}
		var request, cells *yamlnode.Node
		r.mapping(row, "a row of the matrix", fields{
			"now":        func(v *yamlnode.Node) { c.now = r.time(v) },
			"key":        r.word(&c.key, keyShown, "withheld"),
			"entrypoint": r.text(&c.query.Entrypoint),
			"request":    func(v *yamlnode.Node) { request = v },
			"context":    func(v *yamlnode.Node) { c.query.Context = r.object(v, "context") },
			"expect":     func(v *yamlnode.Node) { cells = v },
		})
		if request == nil {
			r.complain(name, "the row has no request")
		} else {
			c.query.Request = r.request(request, s.defaults)
		}
		if cells == nil || cells.Kind == yamlnode.Mapping && len(cells.Members) == 0 {
			r.complain(name, "the row expects nothing: write what each token gets, such as {%s: 401}", noToken)
			return
		}
		r.members(cells, "expect", func(token, cell *yamlnode.Node) {
			one := c
			one.name, one.row, one.want = name.Text+" / "+token.Text, token.Line, r.cell(cell)
			if token.Text != noToken {
				one.token = token.Text
				r.knownToken(token, one.token, s)
			}
			add(token, one)
		})
	})
}

// cell reads what a token gets: a whole expectation, or one word of it.
func (r *suiteReader) cell(v *yamlnode.Node) expectation {
	if v.Kind == yamlnode.Mapping {
		return r.expectation(v)
	}
	if v.Kind == yamlnode.Int && !v.Quoted {
		return expectation{status: r.status(v)}
	}
	if v.Kind != yamlnode.Text || v.Text == "" {
		r.complain(v, "want allow, deny, another kind, a status, the code of the only reason, or what expect holds, "+
			"such as {kind: deny, reasons: [a, b]}")
		return expectation{}
	}
	for _, kind := range kindNames() {
		if v.Text == kind {
			return expectation{kind: kind}
		}
		if suggest.Within(strings.ToLower(v.Text), kind, 1) {
			r.complain(v, "this is no kind of a decision; did you mean %q?", kind)
			return expectation{}
		}
	}
	if _, err := strconv.Atoi(v.Text); err == nil {
		r.complain(v, "a status is a number: write it without quotes")
		return expectation{}
	}
	return expectation{refused: true, reasons: &[]string{v.Text}}
}

// status reads one that a decision can have: any other would state what never comes, and 0 nothing at all.
func (r *suiteReader) status(v *yamlnode.Node) int {
	status, err := strconv.Atoi(v.Text)
	if err != nil || (status != 200 && (status < 400 || status > 599)) {
		r.complain(v, "want the status of a decision: 200, or 400 to 599")
	}
	return status
}
