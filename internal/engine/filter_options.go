package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// maxFilterList bounds each list of the options of a filter, maxFilterQueries the alternatives of what partial
// evaluation leaves, and maxFilterBytes the JSON of a filter.
const (
	maxFilterList    = 64
	maxFilterQueries = 1000
	maxFilterBytes   = 1 << 20
)

// boundedOptions refuses options of too many elements.
func boundedOptions(o FilterOptions) error {
	for name, n := range map[string]int{"unknowns": len(o.Unknowns), "options.targetDialects": len(o.Targets),
		"options.disableInlining": len(o.DisableInlining)} {
		if n > maxFilterList {
			return invalid(name + ": want at most " + strconv.Itoa(maxFilterList))
		}
	}
	for i, text := range o.DisableInlining {
		if ref, err := constantRef(text); err != nil || !ref.HasPrefix(ast.DefaultRootRef) {
			return invalid(fmt.Sprintf("options.disableInlining[%d]: want a reference such as data.app.rule", i))
		}
	}
	return nil
}

func bounded(filter []byte) error {
	if len(filter) > maxFilterBytes {
		return authz.Errorf(authz.Misconfigured, "compile the filter: it has more than %d bytes of JSON, the limit",
			maxFilterBytes)
	}
	return nil
}

// constantRef parses a reference whose every part after the first is a text.
func constantRef(text string) (ast.Ref, error) {
	if len(text) > maxOptionBytes {
		return nil, errTooMuch
	}
	ref, err := ast.ParseRef(text)
	if err != nil {
		return nil, err
	}
	for _, t := range ref[1:] {
		if _, ok := t.Value.(ast.String); !ok {
			return nil, fmt.Errorf("%s is no constant", t)
		}
	}
	return ref, nil
}

// saidUnknowns are those of the metadata.
func saidUnknowns(said rego.FilterMetadata) ([]ast.Ref, error) {
	for _, ref := range said.Unknowns {
		if !ref.HasPrefix(ast.InputRootRef) && !ref.HasPrefix(ast.DefaultRootRef) {
			return nil, invalid("unknowns must be prefixed with `input` or `data`: " + ref.String())
		}
	}
	return said.Unknowns, nil
}

// givenUnknowns are those of the question.
func (o FilterOptions) givenUnknowns() ([]ast.Ref, error) {
	out := make([]ast.Ref, len(o.Unknowns))
	for i, text := range o.Unknowns {
		ref, err := constantRef(text)
		if err != nil || !ref.HasPrefix(ast.InputRootRef) && !ref.HasPrefix(ast.DefaultRootRef) {
			return nil, invalid(fmt.Sprintf("unknowns[%d]: want a reference such as input.orders", i))
		}
		out[i] = ref
	}
	return out, nil
}

// facts are the members of the input that no caller may call unknown: a filter must not depend on whether a token may
// be used, but on what it says.
var facts = []string{"version", "request", "token", "subject", "action", "mcp"}

// mayBeUnknown refuses what is known of a question about an ordinary package, and what the policies have.
func (a *askedFilter) mayBeUnknown(ref ast.Ref) error {
	if len(ref) < 2 {
		return invalid("unknowns: " + ref.String() + " is all there is: name a member, such as input.context")
	}
	name, _ := ref[1].Value.(ast.String) // a reference of the metadata may have another value there
	switch {
	case ref.HasPrefix(ast.InputRootRef) && slices.Contains(facts, string(name)):
		return invalid("unknowns: input." + string(name) + " is known: the sidecar says what it is, and a filter cannot " +
			"leave it open")
	case ref.HasPrefix(ast.InputRootRef):
		return nil
	}
	for n := 2; n <= len(ref); n++ {
		if node := a.compiler.RuleTree.Find(ref[:n]); node != nil && (n == len(ref) || len(node.Values) > 0) {
			return invalid("unknowns: " + ref.String() + " is what the policies say")
		}
	}
	path, err := storage.NewPathForRef(ref)
	if err == nil {
		_, err = a.store.Read(context.Background(), a.txn, path)
	}
	if !storage.IsNotFound(err) {
		return invalid("unknowns: " + ref.String() + " is data of the policies")
	}
	return nil
}

// maskRule is the rule that masks columns: the one that the caller names, or else that of the metadata.
func (c *callers) maskRule(named string, filter, said ast.Ref) (ast.Ref, error) {
	if named == "" {
		return said, nil
	}
	ref, err := constantRef(named)
	if err != nil || !ref.HasPrefix(ast.DefaultRootRef) {
		if ref, err = constantRef(filter[:len(filter)-1].String() + "." + named); err != nil {
			return nil, invalid("options.maskRule: want the name of a rule")
		}
	}
	if !c.has(ref) {
		return nil, invalid("options.maskRule: " + ref.String() + " is in no package of opa.packages")
	}
	return ref, nil
}

// RuleOfQuery is the path of the rule that a query asks for, when it asks for nothing else: "data.authz.visible", or
// "data.authz.visible == true". It is nil for any other.
func RuleOfQuery(query string) []string {
	if len(query) > maxQueryBytes {
		return nil
	}
	body, err := ast.ParseBodyWithOpts(query, ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil || len(body) != 1 || body[0].Negated || len(body[0].With) > 0 {
		return nil
	}
	x := body[0]
	asked, _ := x.Terms.(*ast.Term)
	if x.IsEquality() || x.IsCall() && x.Operator().Equal(ast.Equal.Ref()) {
		if !x.Operand(1).Equal(ast.BooleanTerm(true)) {
			return nil
		}
		asked = x.Operand(0)
	}
	if asked == nil {
		return nil
	}
	ref, ok := asked.Value.(ast.Ref)
	if !ok || len(ref) < 2 || !ref.HasPrefix(ast.DefaultRootRef) {
		return nil
	}
	path := make([]string, 0, len(ref)-1)
	for _, t := range ref[1:] {
		name, ok := t.Value.(ast.String)
		if !ok {
			return nil
		}
		path = append(path, string(name))
	}
	return path
}
