package engine

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// virtualCache keeps the values of rules during one evaluation, in a short list that is reused. OPA's own cache is a
// tree of maps, which costs a fifth of the allocations of a small policy (ADR 0011). A frame that outgrows its list
// continues in OPA's.
type virtualCache struct {
	frames []frame
}

// maxListed is how many values the list of a frame holds.
const maxListed = 48

// frame has the values that are valid within one "with".
type frame struct {
	values []cached
	// refs has the elements of the references of values, since OPA reuses those it passes.
	refs []*ast.Term
	// rest has the values that do not fit the list; nil while all do.
	rest topdown.VirtualCache
}

// cached is the value of one reference.
type cached struct {
	ref       ast.Ref
	shape     int
	value     *ast.Term
	undefined bool
}

// shapeOf is the same for references that are equal, and tells apart most others.
func shapeOf(ref ast.Ref) int {
	shape := len(ref) << 16
	if s, ok := ref[len(ref)-1].Value.(ast.String); ok && s != "" {
		shape |= int(s[0])<<8 | len(s)&0xff
	}
	return shape
}

// newVirtualCache returns an empty cache.
func newVirtualCache() *virtualCache {
	return &virtualCache{frames: make([]frame, 1, 2)}
}

// clear empties c and keeps its memory for another evaluation.
func (c *virtualCache) clear() {
	for i := range c.frames {
		c.frames[i].reset()
	}
	c.frames = c.frames[:1]
}

func (f *frame) reset() {
	clear(f.values)
	clear(f.refs)
	f.values, f.refs, f.rest = f.values[:0], f.refs[:0], nil
}

// Push implements topdown.VirtualCache.
func (c *virtualCache) Push() {
	if n := len(c.frames); n < cap(c.frames) {
		c.frames = c.frames[:n+1] // reuses the memory of an earlier frame
		return
	}
	c.frames = append(c.frames, frame{})
}

// Pop implements topdown.VirtualCache.
func (c *virtualCache) Pop() {
	last := len(c.frames) - 1
	c.frames[last].reset()
	c.frames = c.frames[:last]
}

// Get implements topdown.VirtualCache: a value, or whether ref is known to be undefined.
func (c *virtualCache) Get(ref ast.Ref) (*ast.Term, bool) {
	f := &c.frames[len(c.frames)-1]
	if at := f.find(ref, shapeOf(ref)); at >= 0 {
		if f.values[at].undefined {
			return nil, true
		}
		return f.values[at].value, false
	}
	if f.rest != nil {
		return f.rest.Get(ref)
	}
	return nil, false
}

// Put implements topdown.VirtualCache.
func (c *virtualCache) Put(ref ast.Ref, value *ast.Term) {
	f, shape := &c.frames[len(c.frames)-1], shapeOf(ref)
	switch at := f.find(ref, shape); {
	case at >= 0 && value == nil:
		f.values[at].undefined = true
	case at >= 0:
		f.values[at].value = value
	case len(f.values) < maxListed:
		from := len(f.refs)
		f.refs = append(f.refs, ref...)
		f.values = append(f.values, cached{f.refs[from:], shape, value, value == nil})
	default:
		if f.rest == nil {
			f.rest = topdown.NewVirtualCache()
		}
		f.rest.Put(ref, value)
	}
}

// know is Put, before an evaluation, of a reference that is not there and does not change.
func (c *virtualCache) know(ref ast.Ref, value *ast.Term) {
	f := &c.frames[0]
	if len(f.values) == maxListed {
		c.Put(ref, value)
		return
	}
	f.values = append(f.values, cached{ref, shapeOf(ref), value, value == nil})
}

// listed is how many values the list has.
func (c *virtualCache) listed() int { return len(c.frames[len(c.frames)-1].values) }

// since returns the values of the list but for the first ones.
func (c *virtualCache) since(first int) []cached { return c.frames[len(c.frames)-1].values[first:] }

// Keys implements topdown.VirtualCache: the references that have a value.
func (c *virtualCache) Keys() []ast.Ref {
	f := &c.frames[len(c.frames)-1]
	var out []ast.Ref
	for _, k := range f.values {
		if k.value != nil {
			out = append(out, k.ref.Copy())
		}
	}
	if f.rest != nil {
		out = append(out, f.rest.Keys()...)
	}
	return out
}

// find returns the position of ref, which has that shape, in the list, or -1. It compares from the end, where
// references differ most.
func (f *frame) find(ref ast.Ref, shape int) int {
next:
	for i := range f.values {
		if f.values[i].shape != shape {
			continue
		}
		has := f.values[i].ref
		for j := len(ref) - 1; j >= 0; j-- {
			if has[j] != ref[j] && !has[j].Equal(ref[j]) {
				continue next
			}
		}
		return i
	}
	return -1
}
