package builtins

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// reachable is graph.reachable with one visit a node. OPA 1.22.4 visits a node once for each path of one length to it,
// and their number grows exponentially. Operands of wrong types are left to OPA's implementation.
func reachable(bctx topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
	graph, ok := operands[0].Value.(ast.Object)
	queue, err := term.List(operands[1].Value)
	if !ok || err != nil {
		return topdown.GetBuiltin(ast.ReachableBuiltin.Name)(bctx, operands, iter)
	}
	seen, reached := ast.NewSet(), ast.NewSet()
	for ; len(queue) > 0; queue = queue[1:] {
		if bctx.Cancel != nil && bctx.Cancel.Cancelled() {
			return deadlineError(bctx.Location)
		}
		node := queue[0]
		edges := graph.Get(node)
		if edges == nil || reached.Contains(node) {
			continue
		}
		reached.Add(node)
		next, _ := term.List(edges.Value) // a value that is no collection has no neighbours
		for _, n := range next {
			if !seen.Contains(n) {
				seen.Add(n)
				queue = append(queue, n)
			}
		}
	}
	return iter(ast.NewTerm(reached))
}

// maxPathNodes is how many nodes all paths of graph.reachable_paths may have together.
const maxPathNodes = 1 << 20

// reachablePaths is graph.reachable_paths, refused when its paths are too many: their number grows exponentially with
// the graph.
func reachablePaths(bctx topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
	graph, ok := operands[0].Value.(ast.Object)
	roots, err := term.List(operands[1].Value)
	if ok && err == nil {
		p := &pathCounter{graph: graph, left: maxPathNodes, cancel: bctx.Cancel}
		for _, root := range roots {
			p.walk(root)
		}
		if p.left < 0 {
			return halt(&limitError{ast.ReachablePathsBuiltin.Name,
				fmt.Sprintf("would make paths of more than %d nodes", maxPathNodes)}, bctx.Location)
		}
	}
	return topdown.GetBuiltin(ast.ReachablePathsBuiltin.Name)(bctx, operands, iter)
}

type pathCounter struct {
	graph  ast.Object
	path   []*ast.Term
	left   int
	cancel topdown.Cancel
}

// walk follows all paths from node and subtracts the length of each from left.
func (p *pathCounter) walk(node *ast.Term) {
	for _, before := range p.path {
		if before.Equal(node) {
			p.left -= len(p.path)
			return
		}
	}
	if p.left--; p.left < 0 || p.cancel != nil && p.cancel.Cancelled() {
		p.left = min(p.left, -1)
		return
	}
	edges := p.graph.Get(node)
	if edges == nil {
		p.left -= len(p.path)
		return
	}
	p.path = append(p.path, node)
	next, _ := term.List(edges.Value)
	if len(next) == 0 {
		p.left -= len(p.path)
	}
	for _, n := range next {
		if p.left >= 0 {
			p.walk(n)
		}
	}
	p.path = p.path[:len(p.path)-1]
}
