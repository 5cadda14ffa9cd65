package engine

import "github.com/open-policy-agent/opa/v1/ast"

// baseCache keeps the data that evaluations read, as OPA's own does during one evaluation. The store of a policy is
// never written, so it is as good for the next evaluation.
type baseCache struct {
	root baseNode
	size int
}

// baseNode is a document, or the way to some.
type baseNode struct {
	value    ast.Value
	children map[ast.Value]*baseNode
}

// maxBaseNodes is how many nodes there are before a cache starts anew: policies may read each user by an id.
const maxBaseNodes = 256

// Get implements topdown.BaseCache: the document at ref, or nil.
func (c *baseCache) Get(ref ast.Ref) ast.Value {
	node := &c.root
	for i := range ref {
		if node = node.children[ref[i].Value]; node == nil {
			return nil
		}
		if node.value != nil {
			found, err := node.value.Find(ref[i+1:])
			if err != nil {
				return nil
			}
			return found
		}
	}
	return nil
}

// Put implements topdown.BaseCache.
func (c *baseCache) Put(ref ast.Ref, value ast.Value) {
	if c.size >= maxBaseNodes {
		*c = baseCache{}
	}
	node := &c.root
	for i := range ref {
		child := node.children[ref[i].Value]
		if child == nil {
			child = &baseNode{}
			if node.children == nil {
				node.children = map[ast.Value]*baseNode{}
			}
			node.children[ref[i].Value] = child
			c.size++
		}
		node = child
	}
	node.value, node.children = value, nil
}
