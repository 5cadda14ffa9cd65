package bundle

import "slices"

// part is a source with everything that was found in it.
type part struct {
	src      Source
	manifest string // its path; empty when there is none
	// owner is true when a manifest was understood, so that roots mean something.
	owner  bool
	roots  []string
	bundle Bundle
	data   []parsedData
}

// parsedData is a data file and its value.
type parsedData struct {
	SourceFile
	value *dataValue
}

// document is the data document with nothing but the value of d, for membersOf.
func (d parsedData) document() any { return wrap(d.Dirs, d.value) }

// Build parses the files and checks them against each other. Its error is Problems, with everything that is wrong.
func Build(c Contents) (*Set, error) {
	parts, ps := c.parts()
	if len(ps) > 0 {
		return nil, ps.Sorted()
	}
	return c.set(parts), nil
}

// parts are the sources with what can be read of them, and what is wrong.
func (c Contents) parts() ([]part, Problems) {
	ps := slices.Clone(c.Problems)
	parts := make([]part, len(c.Sources))
	for i, src := range c.Sources {
		parts[i] = part{src: src, bundle: Bundle{Name: src.Name, Revision: src.Revision, RegoVersion: 1,
			Digest: src.ContentDigest, Signed: src.Signed, Embedded: src.Layout == Embedded}}
		for _, f := range src.sorted() {
			parts[i].take(f, &ps)
		}
	}
	if len(c.Problems) == 0 {
		checkComplete(parts, &ps)
	}
	checkRoots(parts, &ps)
	checkConflicts(parts, &ps)
	return parts, ps
}

func (c Contents) set(parts []part) *Set {
	set := &Set{Digest: c.Digest(), Ignored: c.Ignored.Sorted(), readAgain: c.ReadAgain}
	for _, p := range parts {
		set.Bundles = append(set.Bundles, p.finish())
	}
	return set
}

// take parses one file. A panic of a parser is a problem of the file that caused it: a saved file must never end the
// process.
func (p *part) take(f SourceFile, ps *Problems) {
	defer func() {
		if r := recover(); r != nil {
			ps.Add(f.Path, CodeData, "cannot be parsed: a parser failed (%T)", r)
		}
	}()
	switch f.Kind {
	case Module:
		p.bundle.Modules = append(p.bundle.Modules, f.File)
	case Test:
		p.bundle.Tests = append(p.bundle.Tests, f.File)
	case Manifest:
		p.manifest = f.Path
		p.readManifest(f.File, ps)
	case DataJSON, DataYAML:
		value, err := valueOf(f)
		if err != nil {
			*ps = append(*ps, err.in(f.Path, CodeData))
			return
		}
		if !value.object && len(f.Dirs) == 0 {
			ps.Add(f.Path, CodeData, "data at the top of a directory must be an object")
			return
		}
		p.data = append(p.data, parsedData{f, value})
	case Other, Suite:
	}
}

// checkComplete adds a problem for everything that is missing.
func checkComplete(parts []part, ps *Problems) {
	rego := false
	for _, p := range parts {
		rego = rego || len(p.bundle.Modules)+len(p.bundle.Tests) > 0
		if p.src.Layout == Bundled && p.manifest == "" {
			ps.Add(p.src.Name, CodeManifest, "the bundle has no .manifest")
		}
	}
	if !rego {
		for _, p := range parts {
			ps.Add(p.src.Name, CodeDirectory, "there is no *.rego in any configured directory")
		}
	}
}

func (p *part) finish() Bundle {
	p.bundle.Roots = p.roots
	for _, d := range p.data {
		p.bundle.Data = append(p.bundle.Data, DataFile{Path: d.Path, At: slices.Clone(d.Dirs), value: d.value})
	}
	return p.bundle
}

// maxNesting bounds how deep the values in one file are nested.
const maxNesting = 256

const (
	tooDeep = "values are nested more than 256 levels deep"
	isEmpty = "the file is empty"
)

// Decode returns the value of a data file or of a manifest. Its error has a position and a message only.
func (f SourceFile) Decode() (any, *Problem) {
	if f.Kind == DataYAML {
		return decodeYAML(f.Raw)
	}
	return decodeJSON(f.Raw)
}

// locate returns where in a data file the member or element at a path begins; zeros when it is not there.
func (f SourceFile) locate(at []string) (row, col int) {
	if f.Kind == DataYAML {
		return locateYAML(f.Raw, at)
	}
	return locateJSON(f.Raw, at)
}
