package migrate

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/input"
)

// header is the target of a header, or of all of them.
func (n *renamer) header(rest ast.Ref, at place, how sound) target {
	style := n.product.headers
	arrays := style.values == arrayValues || style.values == anyValues && len(rest) > 1 && !isText(rest[1])
	if len(rest) == 0 || !isText(rest[0]) {
		return n.headersByVariable(rest, arrays, at, how)
	}
	name := string(rest[0].Value.(ast.String))
	low := strings.ToLower(name)
	if pseudo, ok := map[string]string{":path": isURI, ":method": "input.request.method",
		":authority": "input.request.host", ":scheme": "input.request.scheme", "host": "input.request.host"}[low]; ok {
		return n.byWord(pseudo, rest[1:], how)
	}
	if how == loud {
		n.tellHeader(name, low, at)
	}
	if style.names == lowerNames {
		low = name
	}
	base := helperIfNot(arrays, "header_text")
	return target{ref: join(base, append(ast.Ref{ast.StringTerm(low)}, rest[1:]...)), direct: true}
}

// helperIfNot is a helper, or the headers as they are.
func helperIfNot(arrays bool, name string) ast.Ref {
	if arrays {
		return ownRef("input.request.headers")
	}
	return helper(name)
}

const neverComes = "decide by input.token; it is undefined here"

// tellHeader says what a header needs.
func (n *renamer) tellHeader(name, low string, at place) {
	switch {
	case input.HoldsCredential(low):
		n.report.left(at.file, at.row, "the header "+low+" may hold a credential, and never comes",
			neverComes)
	case n.product.headers.names == lowerNames && low != name:
		n.report.note(at.file, at.row, fmt.Sprintf("headers[%q] was never there: %s has names in lower case", name,
			n.product.title), "it is undefined here too; write "+low+" if it is meant")
	default:
		n.need.headers[low] = true
		for path := range n.seen.negated {
			if strings.HasSuffix(strings.ToLower(path), "headers."+low) {
				n.underNot(path, "every request while input.headers does not name "+low, at)
			}
		}
	}
}

func (n *renamer) headersByVariable(rest ast.Ref, arrays bool, at place, how sound) target {
	name := "header_text"
	if n.product.headers.names == canonicalNames {
		name = "canonical_header_text"
		if arrays {
			name = "canonical_headers"
		}
	}
	if how == loud {
		n.report.dynamicHeaders(at)
		n.guessHeaders()
	}
	if arrays && name != "canonical_headers" {
		return target{ref: join(ownRef("input.request.headers"), rest)}
	}
	return target{ref: join(helper(name), rest)}
}

func isText(t *ast.Term) bool {
	_, ok := t.Value.(ast.String)
	return ok
}

// parameter is the target of a parameter of the query, or of all of them.
func (n *renamer) parameter(rest ast.Ref, at place, how sound) target {
	if len(rest) > 0 && rest[0].Equal(ast.StringTerm("access_token")) && how == loud {
		n.report.left(at.file, at.row, "the parameter access_token never comes", "decide by input.token")
	}
	if len(rest) > 1 && !isText(rest[1]) {
		return target{ref: join(ownRef("input.request.query"), rest), direct: true}
	}
	return target{ref: join(helper("query_text"), rest), direct: true}
}
