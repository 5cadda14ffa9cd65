package dir

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// source is one configured directory.
type source struct {
	name   string // cleaned, with forward slashes
	dir    string // as configured
	layout bundle.Layout
}

// entry is a file that is to be read.
type entry struct {
	source int
	rel    []string // directories below the source
	file   string   // where it is opened
	path   string   // as messages show it
	kind   bundle.Kind
	info   fs.FileInfo
	// packed is set for an archive that is configured like a directory.
	packed bool
}

// listing is what there is to read. Two equal listings, with a reading between them, mean that nothing changed.
type listing struct {
	scope     scope
	sources   []source
	embedded  []bundle.Source
	entries   []entry // in the order of the walk
	problems  bundle.Problems
	ignored   bundle.Problems // files of other tools, which are left out
	dirs      []string        // every directory that was listed
	links     []string        // every symbolic link that was followed
	temporary []entry         // files that may be about to be renamed to one that is read
}

// same reports whether two listings show the same files in the same state.
func (l listing) same(m listing) bool {
	return slices.Equal(l.problems, m.problems) && slices.Equal(l.sources, m.sources) &&
		slices.EqualFunc(l.entries, m.entries, func(a, b entry) bool {
			return a.path == b.path && sameFile(a.info, b.info)
		})
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() &&
		a.ModTime().Equal(b.ModTime()) && changedAt(a).Equal(changedAt(b))
}

// list lists everything that cfg names. It reads directories only.
func list(cfg Config, sc scope, lim limits) listing {
	w := walked(cfg, sc, lim)
	w.nested()
	return w.listing
}

// name is that of the first source, for problems that are of no single one.
func (l listing) name() string {
	switch {
	case len(l.sources) > 0:
		return l.sources[0].name
	case len(l.embedded) > 0:
		return l.embedded[0].Name
	}
	return "."
}

// walked is list without a look at how the directories lie to each other.
func walked(cfg Config, sc scope, lim limits) *walk {
	w := &walk{listing: listing{scope: sc}, lim: lim, ignore: cfg.Ignore}
	w.embedded = cfg.Embedded
	if cfg.Beside != nil {
		w.beside(cfg.Beside)
	}
	for _, p := range cfg.Paths {
		w.sources = append(w.sources, source{filepath.ToSlash(filepath.Clean(p)), p, bundle.Plain})
	}
	for _, p := range cfg.Bundles {
		w.sources = append(w.sources, source{filepath.ToSlash(filepath.Clean(p)), p, bundle.Bundled})
	}
	if len(w.sources)+len(w.embedded)+len(w.problems) == 0 {
		w.problems.Add(".", bundle.CodeDirectory, "no policy directory is configured")
	}
	for i, s := range w.sources {
		w.root(i, s)
	}
	return w
}

type walk struct {
	listing
	lim    limits
	ignore []string // patterns of names
	seen   int      // names listed
	full   bool     // the problem with lim.entries was added
	found  int      // files in this source that make it not empty
}

// root lists one configured directory.
func (w *walk) root(i int, s source) {
	info, err := os.Stat(s.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		what := "directory"
		if IsArchive(s.name) {
			what = "archive"
		}
		w.problems.Add(s.name, bundle.CodeDirectory, "the %s does not exist", what)
		return
	case err != nil:
		w.problems.Add(s.name, bundle.CodeDirectory, "%s", cause(err))
		return
	case IsArchive(s.name) && info.Mode().IsRegular() && s.layout == bundle.Bundled:
		w.entries = append(w.entries, entry{source: i, file: s.dir, path: s.name, info: info, packed: true})
		return
	case IsArchive(s.name) && !info.IsDir():
		w.problems.Add(s.name, bundle.CodeDirectory, "is an archive of a bundle: name it under policies.bundles")
		return
	case !info.IsDir():
		w.problems.Add(s.name, bundle.CodeDirectory,
			"is not a directory: name the folder that it is in, %s", path.Dir(s.name))
		return
	}
	w.found = 0
	before := len(w.problems)
	w.dir(i, filepath.Clean(s.dir), nil, []fs.FileInfo{info})
	if w.found == 0 && len(w.problems) == before {
		w.problems.Add(s.name, bundle.CodeDirectory, "the directory holds no *.rego and no data.json or data.yaml")
	}
}

// dir lists one directory; above are it and the ones it was reached through.
func (w *walk) dir(src int, dir string, rel []string, above []fs.FileInfo) {
	w.dirs = append(w.dirs, dir)
	show := w.show(src, rel, "")
	names, err := os.ReadDir(dir)
	if err != nil {
		w.problems.Add(show, bundle.CodeRead, "%s", cause(err))
		return
	}
	for _, n := range names {
		if w.seen++; w.seen > w.lim.entries {
			if !w.full {
				w.full = true
				w.problems.Add(show, bundle.CodeLimit, "there are more than %d files and directories", w.lim.entries)
			}
			return
		}
		w.name(src, dir, rel, above, n)
	}
}

// name lists one name in a directory. Hidden names are skipped, the ..data directories of a mounted ConfigMap among
// them: their files are reached once, through the links beside them.
func (w *walk) name(src int, dir string, rel []string, above []fs.FileInfo, n fs.DirEntry) {
	file, show := filepath.Join(dir, n.Name()), w.show(src, rel, n.Name())
	if temporary(n.Name()) && n.Type().IsRegular() {
		w.temporary = append(w.temporary, entry{file: file, path: show})
	}
	if strings.HasPrefix(n.Name(), ".") && n.Name() != bundle.ManifestName || ignored(w.ignore, rel, n.Name()) {
		return
	}
	if n.Type()&fs.ModeSymlink != 0 {
		w.links = append(w.links, file)
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.dangling(show, n.Name())
	case err != nil:
		w.problems.Add(show, bundle.CodeRead, "%s", cause(err))
	case info.IsDir() && n.Name() == "node_modules":
		w.ignored.Add(show, bundle.CodeName, "ignored: packages of Node.js")
	case info.IsDir():
		w.sub(src, file, append(slices.Clone(rel), n.Name()), append(slices.Clone(above), info))
	default:
		w.file(entry{source: src, rel: rel, file: file, path: show, info: info}, n.Name())
	}
}

// dangling handles a link whose target is missing: lost policy or data is a problem, anything else is left out.
func (w *walk) dangling(show, name string) {
	kind, complaint, _ := bundle.Classify(name)
	if kind == bundle.Other && complaint == "" {
		w.ignored.Add(show, bundle.CodeRead, "ignored: the link leads nowhere")
		return
	}
	w.problems.Add(show, bundle.CodeRead, "the link leads nowhere")
}

// sub lists a sub-directory, unless a link makes that endless.
func (w *walk) sub(src int, dir string, rel []string, above []fs.FileInfo) {
	show, info := w.show(src, rel, ""), above[len(above)-1]
	switch {
	case slices.ContainsFunc(above[:len(above)-1], func(a fs.FileInfo) bool { return os.SameFile(a, info) }):
		w.problems.Add(show, bundle.CodeRead, "the link leads back to a directory above it")
	case len(rel) > w.lim.depth:
		w.problems.Add(show, bundle.CodeLimit, "the directory is more than %d levels deep", w.lim.depth)
	case !utf8.ValidString(dir):
		w.problems.Add(strings.ToValidUTF8(show, "\uFFFD"), bundle.CodeName, "the name is not UTF-8")
	default:
		w.dir(src, dir, rel, above)
	}
}

// file adds a file, leaves it out, or adds a problem with its name.
func (w *walk) file(e entry, name string) {
	kind, complaint, notice := bundle.Classify(name)
	e.kind = kind
	misplaced := w.sources[e.source].layout.Misplaced(kind, e.rel)
	switch {
	case complaint != "":
		w.problems.Add(e.path, bundle.CodeName, "%s", complaint)
		return
	case kind == bundle.Other:
		if notice != "" {
			w.ignored.Add(e.path, bundle.CodeName, "%s", notice)
		}
		return
	case misplaced != "":
		w.problems.Add(e.path, bundle.CodeManifest, "%s", misplaced)
		return
	case kind == bundle.Test && w.scope == policies:
		return
	case kind == bundle.Suite && w.scope != everything:
		if w.scope == policiesAndTests {
			w.found++
		}
		return
	}
	switch {
	case !utf8.ValidString(name):
		w.problems.Add(strings.ToValidUTF8(e.path, "\uFFFD"), bundle.CodeName, "the name is not UTF-8")
	case !e.info.Mode().IsRegular():
		w.problems.Add(e.path, bundle.CodeRead, "is not a regular file")
	default:
		if kind != bundle.Manifest {
			w.found++
		}
		w.entries = append(w.entries, e)
	}
}

// show returns a path as messages show it.
func (w *walk) show(src int, rel []string, name string) string {
	return path.Join(w.sources[src].name, path.Join(rel...), name)
}

// nested adds a problem for a configured directory that is another one or inside it: its files would be loaded twice,
// with two owners.
func (w *walk) nested() {
	at := make([]string, len(w.sources))
	for i, s := range w.sources {
		if r, err := filepath.EvalSymlinks(s.dir); err == nil {
			at[i], _ = filepath.Abs(r)
		}
	}
	for i, a := range w.sources {
		for j, b := range w.sources {
			switch {
			case i == j || at[i] == "" || at[j] == "":
			case at[i] == at[j] && i < j:
				w.problems.Add(b.name, bundle.CodeDirectory, "the directory is configured twice, also as %s", a.name)
			case strings.HasPrefix(at[j], strings.TrimSuffix(at[i], "/")+"/") && !IsArchive(b.name):
				w.problems.Add(b.name, bundle.CodeDirectory,
					"the directory is inside %s, which is configured too", a.name)
			}
		}
	}
}
