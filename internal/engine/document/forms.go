package document

import (
	"sync"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// forms keeps the tokens that were converted lately, in bounded memory. Slots of claims refer to them weakly: a token
// that gave way is converted anew when it is asked for.
//
// What gives way is chosen by a clock: the oldest that was not used since the hand last came by.
type forms struct {
	mu    sync.Mutex
	ring  []*cachedToken // in order of arrival, from hand on
	hand  int
	bytes int
}

const (
	maxForms     = 2048
	maxFormBytes = 4 << 20
)

// keep adds a form. One that is larger than a quarter of the room is kept by its users alone.
func (f *forms) keep(form *cachedToken) {
	if form.size > maxFormBytes/4 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bytes += form.size
	if len(f.ring) < maxForms && f.bytes <= maxFormBytes {
		f.ring = append(f.ring, form)
		return
	}
	f.replace(form)
	for f.bytes > maxFormBytes {
		f.remove()
	}
}

// replace puts form in the place of the next that gives way.
func (f *forms) replace(form *cachedToken) {
	at := f.victim()
	f.bytes -= f.ring[at].size
	f.ring[at] = form
	f.hand = at + 1
}

// remove takes out the next that gives way. The last of the ring takes its place.
func (f *forms) remove() {
	at, last := f.victim(), len(f.ring)-1
	f.bytes -= f.ring[at].size
	f.ring[at], f.ring[last] = f.ring[last], nil
	f.ring = f.ring[:last]
	f.hand = at
}

// victim is the place of the next that gives way. There is one: after a whole turn every bit is clear.
func (f *forms) victim() int {
	for {
		if f.hand >= len(f.ring) {
			f.hand = 0
		}
		if used := &f.ring[f.hand].used; !used.Load() {
			return f.hand
		} else {
			used.Store(false)
		}
		f.hand++
	}
}

// formSize estimates the memory of converted members, in bytes.
func formSize(members [][2]*ast.Term) int {
	n := formOverhead
	for _, m := range members {
		n += term.MemberSize(m[1].Value)
	}
	return n
}

// formOverhead is a form, its slice, and the object of the latest request, in bytes.
const formOverhead = 512

// markUsed sets a bit. A line in many readers' caches stays shared.
func markUsed(b *atomic.Bool) {
	if !b.Load() {
		b.Store(true)
	}
}
