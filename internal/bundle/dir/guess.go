package dir

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// maxGuess bounds the bytes of files that are built before their changes are over.
const maxGuess = 1 << 20

// guess is what was built of files whose changes may not be over.
type guess struct {
	hash string // of the reading; empty when nothing was built
	set  *bundle.Set
	err  error
	told bool
	// small is set when the newest reading was of few bytes: a look at the files costs little then.
	small bool
}

// firstLook is the time from the first sign of a change to the first reading.
func (g *guess) firstLook(debounce time.Duration) time.Duration {
	if g.small {
		return debounce / 4
	}
	return debounce
}

// build builds what was read, unless that was done.
func (g *guess) build(files reading) (*bundle.Set, error) {
	if g.hash == files.hash {
		return g.set, g.err
	}
	return build(files)
}

// tellLikely builds files before their changes are over and tells of the set, once in a series of changes: files that
// keep changing are not built again and again. What was reported already, as at the start, is no guess.
func (r *run) tellLikely(files reading) {
	g := &r.guess
	if r.reports.Likely == nil || !g.small || files.unfinished != nil || files.hash == r.loadedHash ||
		g.told || g.err != nil || g.hash == files.hash {
		return
	}
	g.hash = files.hash
	g.set, g.err = build(files)
	if g.err != nil || r.known && outcomeOf(g.set) == r.reported {
		return
	}
	g.told = true
	r.reports.Likely(g.set)
}

// forgetLikely ends a series of changes.
func (r *run) forgetLikely() {
	told := r.guess.told
	r.guess = guess{small: r.guess.small}
	if told {
		r.reports.Likely(nil)
	}
}
