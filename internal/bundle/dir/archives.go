package dir

import (
	"bytes"
	"errors"
	"slices"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
)

// Held is a bundle that comes from elsewhere than Paths and Bundles.
type Held struct {
	*archive.Archive
	// Signed is what was verified of its signatures.
	Signed bundle.Signed
}

// Held are the bundles of Beside that there are now.
func (c Config) Held() []Held {
	if c.Beside == nil {
		return nil
	}
	held, _ := c.Beside()
	return held
}

// sourceOf is what a scope reads of an archive.
func sourceOf(a *archive.Archive, sc scope) bundle.Source {
	switch sc {
	case policiesAndTests:
		return a.WithTests()
	case everything:
		return a.WithSuites()
	}
	return a.Policies()
}

// beside adds the bundles of Config.Beside.
func (w *walk) beside(of func() ([]Held, bundle.Problems)) {
	held, problems := of()
	w.embedded = slices.Clone(w.embedded)
	for _, h := range held {
		source := sourceOf(h.Archive, w.scope)
		source.Signed = h.Signed
		w.embedded = append(w.embedded, source)
		w.ignored = append(w.ignored, h.Ignored...)
	}
	w.problems = append(w.problems, problems...)
}

// unpack takes the files of an archive that is configured like a directory.
func (r *reading) unpack(e entry, raw []byte, ps *bundle.Problems) {
	a, err := archive.Read(e.path, bytes.NewReader(raw), archive.Limits{})
	if problems, ok := errors.AsType[bundle.Problems](err); ok {
		*ps = append(*ps, problems...)
		return
	} else if err != nil {
		ps.Add(e.path, bundle.CodeRead, "%s", cause(err))
		return
	}
	r.contents.Sources[e.source] = sourceOf(a, r.scope)
	r.contents.Ignored = append(r.contents.Ignored, a.Ignored...)
}
