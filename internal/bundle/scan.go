package bundle

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// source is one configured directory.
type source struct {
	name string // cleaned, with forward slashes
	dir  string // as configured
	kind sourceKind
}

type sourceKind uint8

const (
	plain  sourceKind = iota
	folder            // in OPA's bundle layout
)

// entry is a file that is to be read.
type entry struct {
	source int
	rel    []string // directories below the source
	file   string   // where it is opened
	path   string   // as people know it
	kind   fileKind
	info   fs.FileInfo
}

// listing is what there is to read. Two equal listings, with a read between them, mean that nothing changed.
type listing struct {
	sources  []source
	entries  []entry // sorted by source and path
	problems Problems
	ignored  Problems // files of other tools, which are left out
	dirs     []string // every directory that was looked into
	links    []string // every symbolic link that was followed
	beside   []entry  // files that may be about to be renamed to one that is read
}

// same reports whether two listings show the same files in the same state.
func (l listing) same(m listing) bool {
	return slices.Equal(l.problems, m.problems) && slices.Equal(l.sources, m.sources) &&
		slices.EqualFunc(l.entries, m.entries, func(a, b entry) bool {
			return a.path == b.path && sameFile(a.info, b.info)
		})
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && changedAt(a).Equal(changedAt(b))
}

// list looks at everything that cfg names, and reads nothing but directories.
func list(cfg Config, sc scope, lim limits) listing {
	w := &walk{scope: sc, lim: lim, ignore: cfg.Ignore}
	for _, p := range cfg.Paths {
		w.sources = append(w.sources, source{filepath.ToSlash(filepath.Clean(p)), p, plain})
	}
	for _, p := range cfg.Bundles {
		w.sources = append(w.sources, source{filepath.ToSlash(filepath.Clean(p)), p, folder})
	}
	if len(w.sources) == 0 {
		w.problems.add(".", CodeDirectory, "no policy directory is configured")
	}
	for i, s := range w.sources {
		w.root(i, s)
	}
	w.nested()
	slices.SortStableFunc(w.entries, func(a, b entry) int {
		if a.source != b.source {
			return a.source - b.source
		}
		return strings.Compare(a.path, b.path)
	})
	return w.listing
}

type walk struct {
	listing
	scope  scope
	lim    limits
	ignore []string // patterns of names
	seen   int      // names looked at
	full   bool     // lim.entries was said once
	found  int      // files in this source that make it not empty
}

// root looks at one configured directory.
func (w *walk) root(i int, s source) {
	info, err := os.Stat(s.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.problems.add(s.name, CodeDirectory, "the directory does not exist")
		return
	case err != nil:
		w.problems.add(s.name, CodeDirectory, "%s", cause(err))
		return
	case !info.IsDir() && (strings.HasSuffix(s.name, ".tar.gz") || strings.HasSuffix(s.name, ".tgz")):
		w.problems.add(s.name, CodeDirectory, "is not a directory: unpack the archive, and name the folder")
	case !info.IsDir():
		w.problems.add(s.name, CodeDirectory, "is not a directory: name the folder that it is in, %s", path.Dir(s.name))
		return
	}
	w.found = 0
	before := len(w.problems)
	w.dir(i, filepath.Clean(s.dir), nil, []fs.FileInfo{info})
	if w.found == 0 && len(w.problems) == before {
		w.problems.add(s.name, CodeDirectory, "the directory holds no *.rego and no data.json or data.yaml")
	}
}

// dir looks at one directory; above are it and the ones it was reached through.
func (w *walk) dir(src int, dir string, rel []string, above []fs.FileInfo) {
	w.dirs = append(w.dirs, dir)
	show := w.show(src, rel, "")
	names, err := os.ReadDir(dir)
	if err != nil {
		w.problems.add(show, CodeRead, "%s", cause(err))
		return
	}
	for _, n := range names {
		if w.seen++; w.seen > w.lim.entries {
			if !w.full {
				w.full = true
				w.problems.add(show, CodeLimit, "there are more than %d files and directories", w.lim.entries)
			}
			return
		}
		w.name(src, dir, rel, above, n)
	}
}

// name looks at one name in a directory. Hidden names are left alone, with the ..data directories of a mounted
// ConfigMap among them: what they hold is reached once, through the links beside them.
func (w *walk) name(src int, dir string, rel []string, above []fs.FileInfo, n fs.DirEntry) {
	file, show := filepath.Join(dir, n.Name()), w.show(src, rel, n.Name())
	if temporary(n.Name()) && n.Type().IsRegular() {
		w.beside = append(w.beside, entry{file: file, path: show})
	}
	if strings.HasPrefix(n.Name(), ".") && n.Name() != manifestName || ignored(w.ignore, rel, n.Name()) {
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
		w.problems.add(show, CodeRead, "%s", cause(err))
	case info.IsDir() && n.Name() == "node_modules":
		w.ignored.add(show, CodeName, "ignored: packages of Node.js")
	case info.IsDir():
		w.sub(src, file, append(slices.Clone(rel), n.Name()), append(slices.Clone(above), info))
	default:
		w.file(entry{source: src, rel: rel, file: file, path: show, info: info}, n.Name())
	}
}

// dangling is about a link that leads nowhere: a policy or data that is lost is a problem, anything else is left out.
func (w *walk) dangling(show, name string) {
	kind, complaint, _ := classify(name)
	if kind == other && complaint == "" {
		w.ignored.add(show, CodeRead, "ignored: the link leads nowhere")
		return
	}
	w.problems.add(show, CodeRead, "the link leads nowhere")
}

// sub goes into a sub-directory, unless that would never end.
func (w *walk) sub(src int, dir string, rel []string, above []fs.FileInfo) {
	show, info := w.show(src, rel, ""), above[len(above)-1]
	switch {
	case slices.ContainsFunc(above[:len(above)-1], func(a fs.FileInfo) bool { return os.SameFile(a, info) }):
		w.problems.add(show, CodeRead, "the link leads back to a directory above it")
	case len(rel) > w.lim.depth:
		w.problems.add(show, CodeLimit, "the directory is more than %d levels deep", w.lim.depth)
	case !utf8.ValidString(dir):
		w.problems.add(strings.ToValidUTF8(show, "\uFFFD"), CodeName, "the name is not UTF-8")
	default:
		w.dir(src, dir, rel, above)
	}
}

// file takes a file in, leaves it out, or complains about its name.
func (w *walk) file(e entry, name string) {
	kind, complaint, notice := classify(name)
	e.kind = kind
	switch {
	case complaint != "":
		w.problems.add(e.path, CodeName, "%s", complaint)
		return
	case kind == other:
		if notice != "" {
			w.ignored.add(e.path, CodeName, "%s", notice)
		}
		return
	case kind == manifest && w.sources[e.source].kind == plain:
		w.problems.add(e.path, CodeManifest, "this directory is a bundle: name it under bundles, not under paths")
		return
	case kind == manifest && len(e.rel) > 0:
		w.problems.add(e.path, CodeManifest, "only the manifest at the top of a bundle is read")
		return
	case kind == test && w.scope == policies:
		return
	case kind == suite:
		if w.scope == policiesAndTests {
			w.found++
		}
		return
	}
	switch {
	case !utf8.ValidString(name):
		w.problems.add(strings.ToValidUTF8(e.path, "\uFFFD"), CodeName, "the name is not UTF-8")
	case !e.info.Mode().IsRegular():
		w.problems.add(e.path, CodeRead, "is not a regular file")
	default:
		if kind != manifest {
			w.found++
		}
		w.entries = append(w.entries, e)
	}
}

// show returns a path as people know it.
func (w *walk) show(src int, rel []string, name string) string {
	return path.Join(w.sources[src].name, path.Join(rel...), name)
}

// nested complains about a configured directory that is another one or inside it: its files would be loaded twice,
// and nobody could say who owns them.
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
				w.problems.add(b.name, CodeDirectory, "the directory is configured twice, also as %s", a.name)
			case strings.HasPrefix(at[j], strings.TrimSuffix(at[i], "/")+"/"):
				w.problems.add(b.name, CodeDirectory, "the directory is inside %s, which is configured too", a.name)
			}
		}
	}
}
