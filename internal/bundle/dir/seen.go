package dir

import (
	"slices"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// seen is what polls know of files: while a listing stays the same, files need not be read again. The first reading
// does not do: a file that is written right after it may show the same times, which file systems count in steps. The
// reading that counts is one of files that neither the system's clock nor two polls say have changed lately.
type seen struct {
	listing listing
	since   time.Time // when it was first seen; zero when none was
	trusted bool
}

// coarsest is longer than the steps in which file systems count times.
const coarsest = 2100 * time.Millisecond

// still reports whether the files of a listing at now are those that were read. If not, they are to be read, and then
// told to read.
func (s *seen) still(l listing, now time.Time) bool {
	if s.since.IsZero() || !sameSources(s.listing, l) {
		*s = seen{listing: l, since: now}
		return false
	}
	if s.trusted {
		return true
	}
	s.trusted = now.Sub(s.since) >= coarsest && l.filesChanged().Before(now.Add(-coarsest))
	return false
}

// read is told that the files were read, and hold what is loaded. A reading with a problem is not trusted: a file that
// cannot be read for a while, as without file descriptors, stays the same when it can. Neither is one of a file that a
// process writes: what is written through a mapping need not show in its times.
func (s *seen) read(r reading) {
	s.trusted = s.trusted && sameSources(s.listing, r.listing) && len(r.contents.Problems) == 0 && r.unfinished == nil
}

// sameSources is listing.same, with the sources that are no files.
func sameSources(a, b listing) bool {
	return a.same(b) && slices.EqualFunc(a.embedded, b.embedded, func(x, y bundle.Source) bool {
		known := x.Layout == bundle.Embedded || x.ContentDigest != ""
		return known && x.Name == y.Name && x.Layout == y.Layout && x.Revision == y.Revision &&
			x.ContentDigest == y.ContentDigest && len(x.Files) == len(y.Files) &&
			signedText(x.Name, x.Signed) == signedText(y.Name, y.Signed)
	})
}
