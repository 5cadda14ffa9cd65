package document

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Usage is the part of the input that the rules of a policy can read: top-level members by name, members of request
// and token as "request.path", and header fields and parameters of the query as "request.headers.x-tenant". A name is
// there when all of that member is read; "" is the whole input.
//
// It contains too much rather than too little. In compiled Rego every access to the input is a reference that begins
// with input, also behind an alias, in an argument of a function, or in a head.
type Usage map[string]bool

// UsageOf reads all compiled rules, whether an entrypoint depends on them or not.
func UsageOf(c *ast.Compiler) Usage {
	r := Usage{}
	for _, m := range c.Modules {
		r.walk(m)
	}
	return r
}

// walk adds what a module or a rule reads.
func (r Usage) walk(node any) {
	ast.WalkRefs(node, func(ref ast.Ref) bool {
		if ref.HasPrefix(ast.InputRootRef) {
			r.add(ref)
		}
		return false
	})
}

func (r Usage) add(ref ast.Ref) {
	if len(ref) == 1 {
		r[""] = true
		return
	}
	name, ok := ref[1].Value.(ast.String)
	if !ok {
		r[""] = true
		return
	}
	if name != "request" && name != "token" {
		r[string(name)] = true
		return
	}
	var buffer [64]byte
	path := append(buffer[:0], name...)
	for i := 2; i < len(ref) && (i == 2 || string(path) == "request.headers" || string(path) == "request.query"); i++ {
		part, ok := ref[i].Value.(ast.String)
		if !ok {
			break
		}
		path = append(append(path, '.'), part...)
	}
	if !r[string(path)] { // most are there, and need no text of their own
		r[string(path)] = true
	}
}

// names are those of the members of a member within the request that are read, sorted; nil when all may be.
func (r Usage) names(member string) (out []string) {
	within := "request." + member
	if r[""] || r["request"] || r[within] {
		return nil
	}
	for read := range r {
		if name, ok := strings.CutPrefix(read, within+"."); ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// of are the members of the input, or of its member within, that are read at least in part.
func (r Usage) of(members []member, within string) []member {
	var out []member
	for _, m := range members {
		if r[""] || within != "" && (r[within] || r.below(within+"."+m.name)) || within == "" && r.below(m.name) {
			out = append(out, m)
		}
	}
	return out
}

// below reports whether a member is read, at least in part.
func (r Usage) below(name string) bool {
	if r[name] {
		return true
	}
	for read := range r {
		if strings.HasPrefix(read, name+".") {
			return true
		}
	}
	return false
}
