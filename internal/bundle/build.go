package bundle

import "slices"

// part is a source with everything that was found in it.
type part struct {
	src      source
	manifest string // as people know it; empty when there is none
	// owner is true when a manifest was understood, so that roots mean something.
	owner  bool
	roots  []string
	bundle Bundle
	data   []datum
}

// datum is a data file, with what is needed to say where in it something is.
type datum struct {
	entry located
	path  string
	at    []string
	value any
}

// located is a file that positions can be looked for in.
type located struct {
	kind fileKind
	raw  []byte
}

// build parses the files of a snapshot and checks them against each other.
func (s snapshot) build() (*Set, error) {
	parts, ps := s.parts()
	if len(ps) > 0 {
		return nil, ps.Sorted()
	}
	return setOf(s, parts), nil
}

// parts are the sources with what can be read of them, and what is wrong.
func (s snapshot) parts() ([]part, Problems) {
	ps := slices.Clone(s.problems)
	parts := make([]part, len(s.sources))
	for i, src := range s.sources {
		parts[i] = part{src: src, bundle: Bundle{Name: src.name, Dir: src.dir, RegoVersion: 1}}
	}
	for i, e := range s.entries {
		parts[e.source].take(e, s.raws[i], &ps)
	}
	if len(s.problems) == 0 {
		checkComplete(parts, &ps)
	}
	checkRoots(parts, &ps)
	checkConflicts(parts, &ps)
	return parts, ps
}

func setOf(s snapshot, parts []part) *Set {
	set := &Set{Digest: s.digest, Ignored: s.ignored.Sorted()}
	for _, p := range parts {
		set.Bundles = append(set.Bundles, p.finish())
	}
	return set
}

// take parses one file. A parser that panics is a problem of the file that made it: nothing that somebody saves may end
// the process.
func (p *part) take(e entry, raw []byte, ps *Problems) {
	defer func() {
		if r := recover(); r != nil {
			ps.add(e.path, CodeData, "cannot be parsed: a parser failed (%T)", r)
		}
	}()
	f := File{Path: e.path, Raw: raw}
	switch e.kind {
	case module:
		p.bundle.Modules = append(p.bundle.Modules, f)
	case test:
		p.bundle.Tests = append(p.bundle.Tests, f)
	case manifest:
		p.manifest = e.path
		p.readManifest(f, ps)
	case dataJSON, dataYAML:
		file := located{e.kind, raw}
		value, err := file.decode()
		if err != nil {
			*ps = append(*ps, err.in(e.path, CodeData))
			return
		}
		if _, object := value.(map[string]any); !object && len(e.rel) == 0 {
			ps.add(e.path, CodeData, "data at the top of a directory must be an object")
			return
		}
		p.data = append(p.data, datum{entry: file, path: e.path, at: slices.Clone(e.rel), value: value})
	case other, suite:
	}
}

// checkComplete complains about what is missing.
func checkComplete(parts []part, ps *Problems) {
	rego := false
	for _, p := range parts {
		rego = rego || len(p.bundle.Modules)+len(p.bundle.Tests) > 0
		if p.src.kind == folder && p.manifest == "" {
			ps.add(p.src.name, CodeManifest, "the bundle has no .manifest")
		}
	}
	if !rego {
		for _, p := range parts {
			ps.add(p.src.name, CodeDirectory, "there is no *.rego in any configured directory")
		}
	}
}

func (p *part) finish() Bundle {
	p.bundle.Roots = p.roots
	for _, d := range p.data {
		p.bundle.Data = append(p.bundle.Data, DataFile{Path: d.path, At: d.at, Value: d.value})
	}
	return p.bundle
}

// fault is what is wrong inside one file.
type fault struct {
	row, col int
	message  string
}

func (f *fault) in(file, code string) Problem {
	return Problem{File: file, Row: f.row, Col: f.col, Code: code, Message: f.message}
}

// maxNesting bounds how deep the values in one file are nested.
const maxNesting = 256

const (
	tooDeep = "values are nested more than 256 levels deep"
	isEmpty = "the file is empty"
)

func (l located) decode() (any, *fault) {
	if l.kind == dataYAML {
		return decodeYAML(l.raw)
	}
	return decodeJSON(l.raw)
}

// locate returns where in a file the member or element at a path begins; zeros when it is not there.
func locate(l located, at []string) (row, col int) {
	if l.kind == dataYAML {
		return locateYAML(l.raw, at)
	}
	return locateJSON(l.raw, at)
}
