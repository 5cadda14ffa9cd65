package engine

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/document"
	"github.com/authz-sidecar/sidecar/internal/engine/reads"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// requestValues keeps the values of rules that follow from the method of a request, from the segments of its path and
// from data alone, such as the route that it takes, for the next request that takes it. They are found by a key. All
// segments that occur neither in the rules nor in the data are alike in it, so that the many paths with identifiers
// have few keys. Rules that can tell such segments apart are left out.
//
// It is safe for concurrent use; nil keeps nothing.
type requestValues struct {
	refs  []ast.Ref
	key   *document.Key
	seed  maphash.Seed
	slots [requestSlots]atomic.Pointer[valuesOfRequest]
}

const (
	// requestSlots is how many keys there are values of. Another key takes the slot of one before.
	requestSlots = 1024
	// maxRequestKey is the length of a key whose values are not kept, in bytes.
	maxRequestKey = 1 << 10
)

// valuesOfRequest are the values of refs for requests with a key, each nil while it is not known. It is immutable.
type valuesOfRequest struct {
	key    string
	values []*keptValue
}

// newRequestValues returns nil when the rule at ref depends on no rule whose value can be kept.
func newRequestValues(w *runtime, p *reads.Program, ref ast.Ref) *requestValues {
	named := keptRules(p, ref, func(p reads.Path) bool {
		return len(p) > 1 && p[0].Name == "request" && (p[1].Name == "method" || p[1].Name == "segments")
	})
	if len(named.refs) == 0 || len(named.refs) > maxKeptRefs {
		return nil
	}
	refs, read, narrow := p.NarrowedSegments(w.baseData, named.refs)
	if len(refs) == 0 {
		return nil
	}
	return &requestValues{refs: refs, seed: maphash.MakeSeed(),
		key: document.NewKey(read.Paths, &narrow, &document.View{})}
}

// requestRun is one evaluation with a request.
type requestRun struct {
	of    *requestValues
	key   []byte
	known []*keptValue
}

// fill puts what is known of the request of a document into the cache of an evaluation. The document may be nil.
func (t *requestValues) fill(v *evaluation, d *input.Document) (run requestRun) {
	if t == nil || d == nil {
		return run
	}
	v.key = t.key.Append(v.key[:0], d)
	if len(v.key) > maxRequestKey {
		v.key = nil
		return run
	}
	run.of, run.key = t, v.key
	if known := t.slot(run.key).Load(); known != nil && known.key == string(run.key) {
		run.known = known.values
		put(v.values, t.refs, run.known)
	}
	return run
}

// keep takes what an evaluation without an error found out about its request.
func (run requestRun) keep(values *virtualCache) {
	if run.of == nil {
		return
	}
	if more, ok := foundValues(values, run.of.refs, run.known, maxKeptValue); ok {
		run.of.slot(run.key).Store(&valuesOfRequest{key: string(run.key), values: more})
	}
}

func (t *requestValues) slot(key []byte) *atomic.Pointer[valuesOfRequest] {
	return &t.slots[maphash.Bytes(t.seed, key)%requestSlots]
}
