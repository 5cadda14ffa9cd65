// Package dir reads policies from directories into a bundle.Set, and watches the directories.
//
// A Set is what was on disk at one moment, after the changes were over: files that change while they are read are read
// again, and files that a process still writes are waited for. A Watcher does the same at every change.
package dir

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/library"
)

// Load reads everything that cfg names, except tests, and adds the library where it is referred to (package library).
// Its error is bundle.Problems, with everything that is wrong; a directory that is missing or empty is a problem, so
// that no policy is empty by accident.
func Load(cfg Config) (*bundle.Set, error) { return load(cfg, policies, usual()) }

// LoadWithTests is Load with the *_test.rego files, which are then part of the digest too. To it, a directory of
// nothing but tests or suites is not empty.
func LoadWithTests(cfg Config) (*bundle.Set, error) { return load(cfg, policiesAndTests, usual()) }

// Remaining parses what can be parsed of everything that cfg names, except tests. When files changed since Load, it is
// of the files as they are now.
func Remaining(cfg Config) bundle.Remains {
	return bundle.Remaining(library.Complete(readUnchanged(cfg, policies, usual()).contents))
}

// scope says what is read.
type scope uint8

const (
	policies scope = iota
	policiesAndTests
	everything // suites too, which are no part of a set
)

// limits bound what is read. They are far above any sensible policy and far below the memory of a machine.
type limits struct {
	file    int64 // bytes of one file
	packed  int64 // bytes of an archive
	total   int64 // bytes of all files
	depth   int   // directories below a configured one
	entries int   // names in all directories; links can multiply them without any bytes
}

func usual() limits {
	return limits{file: 16 << 20, packed: 64 << 20, total: 256 << 20, depth: 64, entries: 100_000}
}

const (
	tries = 5                     // readings before files are said to change while they are read
	pause = 20 * time.Millisecond // between two of them, growing with each
)

// longestStart is how long changes are waited for where no earlier set can go on deciding.
const longestStart = 10 * time.Second

func load(cfg Config, sc scope, lim limits) (*bundle.Set, error) {
	return build(readStable(cfg, sc, lim))
}

// build builds what was read, with the library where it is referred to.
func build(r reading) (*bundle.Set, error) { return bundle.Build(library.Complete(r.contents)) }

// readStable returns the files once their changes are over: when the last change was a while ago, or when two readings
// a debounce apart were equal, and no file is being written. It is bounded in time. Files that keep changing are a
// problem, because a part of a policy may allow what the whole denies.
func readStable(cfg Config, sc scope, lim limits) reading {
	changes := changes{debounce: cfg.Debounce}
	deadline := time.Now().Add(min(100*cfg.Debounce, longestStart))
	for {
		r, now := readUnchanged(cfg, sc, lim), time.Now()
		if r.unfinished == nil && r.changed().Before(now.Add(-quietFactor*cfg.Debounce)) {
			return r
		}
		if !changes.pending() {
			changes.noticed(now)
		}
		left := changes.observe(r.hash, now)
		if r.unfinished != nil {
			changes.extend(now)
		} else if left == 0 {
			return r
		}
		if !now.Before(deadline) {
			return r.rejected()
		}
		time.Sleep(max(min(left, cfg.Debounce), time.Millisecond))
	}
}

// rejected is r without files, and with the reason why they must not be used.
func (r reading) rejected() reading {
	ps := bundle.Problems{}
	if r.unfinished != nil {
		ps = append(ps, *r.unfinished)
	} else {
		ps.Add(r.name(), bundle.CodeChanging, "files keep changing: put a new version in place by renaming")
	}
	return r.withProblems(ps)
}

// changed is when anything of what was listed last changed.
func (r reading) changed() time.Time {
	newest := r.filesChanged()
	for _, d := range r.dirs {
		if info, err := os.Stat(d); err == nil {
			if at := changedAt(info); at.After(newest) {
				newest = at
			}
		}
	}
	return newest
}

// filesChanged is when any of the files last changed.
func (l listing) filesChanged() (newest time.Time) {
	for _, e := range l.entries {
		if at := changedAt(e.info); at.After(newest) {
			newest = at
		}
	}
	return newest
}

// readUnchanged reads the files until nothing changed between the listing before the reading and the one after it.
func readUnchanged(cfg Config, sc scope, lim limits) reading {
	for try := range tries {
		time.Sleep(time.Duration(try) * pause)
		if r, steady := readOnce(cfg, sc, lim); steady {
			return r
		}
	}
	l := list(cfg, sc, lim)
	for _, s := range l.sources {
		l.problems.Add(s.dir, bundle.CodeChanging, "files change while they are read")
	}
	return reading{listing: l}.withProblems(l.problems)
}

// readOnce reads the files once. It is not steady when they changed meanwhile.
func readOnce(cfg Config, sc scope, lim limits) (r reading, steady bool) {
	before := list(cfg, sc, lim)
	r = read(before, lim)
	return r, r.steady && before.same(list(cfg, sc, lim))
}

// readAgain reads a file that was read before, from where it came.
func (l listing) readAgain(name string) ([]byte, error) {
	for _, s := range l.embedded {
		for _, f := range s.Files {
			if f.Path == name {
				return f.Raw, nil
			}
		}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, usual().file))
}

// cause is the reason that the operating system gave, without the path: the path that was opened is not always the
// configured one, and it would make equal errors unequal.
func cause(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
