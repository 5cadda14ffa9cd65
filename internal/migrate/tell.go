package migrate

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/input"
)

// tellFacts reports the differences that hold for the whole set, where they apply.
func (s *session) tellFacts(seen *seen) {
	r := &s.report
	paths := seen.has("path", "parsed_path", "request.path", "request.path_parts", "attributes.request.http.path",
		"http_request.path", "request.http.path", "resource.id", "context.request.http.path")
	if paths && s.product.trims {
		r.fact("a slash at the end counts: /a/ is [\"a\", \"\"] and another path than /a, where it was cut off " +
			"before; " +
			"rules that deny /a do not deny /a/")
	}
	if paths {
		r.fact(
			"paths with //, ;, %2F or dot segments are refused before a policy runs, and what reaches it is decoded")
	}
	if len(s.helpersRead()["path_and_query"]) > 0 {
		r.fact("the path had the query in it: data.migrated.path_and_query has it too (parameters sorted), so that " +
			"no comparison " +
			"holds that did not; write input.request.path where the query shall not matter")
	}
	if len(s.need.headers) > 0 || len(r.dynamic) > 0 {
		r.fact("headers are those that input.headers of the configuration names, in lower case, and never one with " +
			"a credential")
	}
	if seen.has("attributes.request.http.host", "host", "vhost", "http_request.host", "request.http.host") {
		r.fact("hosts have no port here: a comparison with the bare name also holds for another port, which is " +
			"input.request.port")
	}
	if s.need.body {
		r.fact("bodies come only with input.body_bytes, cut there: a longer one is no JSON and parsed_body is " +
			"undefined")
	}
	r.fact("a builtin that fails (on an operand of another type, on text that does not parse) refuses the request, " +
		"where it was undefined before")
	r.fact("requests without a token are refused with 401 before a policy runs; rules for everybody need " +
		"decision.token: optional")
	r.fact("input.token.claims is the answer of the authorization server: claims that only the token has are " +
		"absent, which a not takes for a yes" +
		s.claimsRead())
	for _, at := range r.dynamic {
		r.look(at.file, at.row, "names of headers are computed here",
			"list every name that may come out in input.headers")
	}
	s.tellCalls()
	s.tellAnonymous()
}

// tellAnonymous reports rules that are meant for requests without a token.
func (s *session) tellAnonymous() {
	for _, m := range s.modules {
		ast.WalkExprs(m.ast, func(x *ast.Expr) bool {
			if t, ok := x.Terms.(*ast.Term); ok && x.Negated && t.String() == "input.token.present" && !m.test {
				at := placeOf(m, x.Location)
				s.report.look(at.file, at.row, "a rule is for requests without a token",
					"it needs decision.token: optional")
			}
			return false
		})
	}
}

// claimsRead lists the claims that policies read.
func (s *session) claimsRead() string {
	names := map[string]bool{}
	for _, m := range s.modules {
		r := &rewriter{world: s.world}
		r.term = func(t *ast.Term, sc *scope) (*ast.Term, bool) {
			if ref := asRef(t); ref != nil {
				parts := constants(s.throughRules(ref, sc))
				if len(parts) > 2 && parts[0] == "token" && parts[1] == "claims" {
					names[parts[2]] = true
				}
			}
			return t, false
		}
		r.module(m)
	}
	if len(names) == 0 {
		return ""
	}
	return "; read are " + strings.Join(slices.Sorted(maps.Keys(names)), ", ")
}

// throughRules follows a reference to the input, or returns it as it is.
func (s *session) throughRules(ref ast.Ref, sc *scope) ast.Ref {
	if to := s.resolve(ref, sc); isInput(to) {
		return to
	}
	return ref[:1]
}

// tellCalls reports builtins that are off by default.
func (s *session) tellCalls() {
	for _, m := range s.modules {
		ast.WalkTerms(m.ast, func(t *ast.Term) bool {
			name := t.String()
			if name != "http.send" && name != "opa.runtime" && name != "net.lookup_ip_addr" {
				return false
			}
			s.report.left(m.file, rowOf(t), name+" is an undefined function unless engine.allow_builtins names it",
				"have the caller send what it finds in the context, or add engine: {allow_builtins: ["+name+"]}")
			return false
		})
	}
}

// guessHeaders lists names of headers where they are computed: texts in the policies that look like one.
func (s *session) guessHeaders() {
	for _, m := range s.modules {
		ast.WalkTerms(m.ast, func(t *ast.Term) bool {
			text, ok := t.Value.(ast.String)
			low := strings.ToLower(string(text))
			if ok && len(low) > 2 && strings.HasPrefix(low, "x-") && !strings.HasSuffix(low, "-") &&
				strings.Map(headerLetter, low) == low &&
				!input.HoldsCredential(low) {
				s.need.headers[low] = true
			}
			if ref, isRef := t.Value.(ast.Ref); isRef && len(ref) > 1 {
				s.guessHeader(ref, placeOf(m, t.Location))
			}
			return false
		})
	}
}

// guessHeader takes what is looked up in something that is called headers for the name of a header.
func (s *session) guessHeader(ref ast.Ref, at place) {
	for i := 0; i+1 < len(ref); i++ {
		name, ok := ref[i+1].Value.(ast.String)
		if !ok || !strings.Contains(strings.ToLower(strings.Trim(ref[i].String(), `"`)), "headers") {
			continue
		}
		low := strings.ToLower(string(name))
		switch {
		case strings.Map(headerLetter, low) != low:
		case input.HoldsCredential(low):
			s.report.left(at.file, at.row, "the header "+low+" may hold a credential, and never comes", neverComes)
		case len(ref) == i+2:
			s.need.headers[low] = true
		}
	}
}

func headerLetter(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
		return r
	}
	return -1
}
