package dir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// dirWatcher watches the directories that decide what is loaded. The zero value reports no events.
type dirWatcher struct {
	fs       *fsnotify.Watcher
	dirs     watchSet
	archives map[string]bool // where archives are, by the names that events have
}

// watchDirs watches what cfg names. With an error, some of it may be watched all the same.
func watchDirs(open func() (*fsnotify.Watcher, error), cfg Config) (dirWatcher, error) {
	w, err := open()
	if err != nil {
		return dirWatcher{}, fmt.Errorf("watch policies: %s", cause(err))
	}
	d := dirWatcher{fs: w, dirs: watchSet{}, archives: archivesOf(cfg)}
	// A directory that is made while others are being added is found by the next listing.
	for range tries {
		before := len(d.dirs)
		if err = d.add(watchSetOf(list(cfg, policiesAndTests, usual()))); err != nil || len(d.dirs) == before {
			break
		}
	}
	return d, err
}

// archivesOf are the configured archives: the names in the directories that are watched, and those that links lead to.
func archivesOf(cfg Config) map[string]bool {
	at := map[string]bool{}
	for _, name := range cfg.Bundles {
		if !IsArchive(name) {
			continue
		}
		if dir, err := filepath.EvalSymlinks(filepath.Dir(name)); err == nil {
			if abs, err := filepath.Abs(dir); err == nil {
				at[filepath.Join(abs, filepath.Base(name))] = true
			}
		}
		if real, err := filepath.EvalSymlinks(name); err == nil {
			if abs, err := filepath.Abs(real); err == nil {
				at[abs] = true
			}
		}
	}
	return at
}

func (d dirWatcher) add(dirs watchSet) error {
	var failed error
	for dir, read := range dirs {
		if _, added := d.dirs[dir]; !added {
			err := d.fs.Add(dir)
			if errors.Is(err, fs.ErrNotExist) {
				continue // removed since the listing, which an event of its parent reports
			}
			if err != nil {
				failed = fmt.Errorf("watch directory %q: %s", dir, cause(err))
				continue
			}
		}
		d.dirs[dir] = read
	}
	return failed
}

func (d dirWatcher) events() <-chan fsnotify.Event {
	if d.fs == nil {
		return nil
	}
	return d.fs.Events
}

func (d dirWatcher) errors() <-chan error {
	if d.fs == nil {
		return nil
	}
	return d.fs.Errors
}

func (d dirWatcher) close() {
	if d.fs != nil {
		_ = d.fs.Close()
	}
}

// relevance is what an event means for what is loaded.
type relevance uint8

const (
	irrelevant relevance = iota
	possible             // a file that is read may have changed: only a reading shows it
	certain              // a file that is read has changed, or has come or gone
)

// relevance says what an event means. Only files that are read extend the wait for the end of changes: a log that is
// written beside the policies must not prevent loading them.
func (d dirWatcher) relevance(ev fsnotify.Event) relevance {
	if d.archives[ev.Name] {
		return certain
	}
	if kind, complaint, _ := bundle.Classify(filepath.Base(ev.Name)); kind != bundle.Other || complaint != "" {
		if d.dirs[filepath.Dir(ev.Name)] {
			return certain
		}
		return possible // the target of a link, or a file beside a directory of policies
	}
	if info, err := os.Lstat(ev.Name); err == nil && info.Mode().IsRegular() {
		return irrelevant
	}
	return possible
}

// watchSet holds directories to watch, by their real paths. True are those that policies are read from; the others
// decide where a path leads.
type watchSet map[string]bool

// watchSetOf returns the directories to watch for a listing.
func watchSetOf(l listing) watchSet {
	s, seen := watchSet{}, map[string]bool{}
	for _, src := range l.sources {
		s.addPath(src.dir, seen)
	}
	for _, link := range l.links {
		s.addPath(link, seen)
	}
	for _, d := range l.dirs {
		if real, err := filepath.EvalSymlinks(d); err == nil {
			if abs, err := filepath.Abs(real); err == nil {
				s[abs] = true
			}
		}
	}
	return s
}

// addPath adds the directories that decide where a path leads: the nearest one above it that exists, and that of each
// symbolic link on the way. seen holds the paths that were followed.
func (s watchSet) addPath(path string, seen map[string]bool) {
	at, err := filepath.Abs(path)
	if err != nil {
		return
	}
	for exists := false; at != filepath.Dir(at); at = filepath.Dir(at) {
		if exists && seen[at] {
			return
		}
		dir, err := filepath.EvalSymlinks(filepath.Dir(at))
		if err != nil {
			continue
		}
		target, err := os.Readlink(at)
		if !exists || err == nil {
			s[dir] = false
		}
		exists = true
		if err == nil && !seen[at] {
			seen[at] = true
			if !filepath.IsAbs(target) {
				target = filepath.Join(dir, target)
			}
			s.addPath(target, seen)
		}
		seen[at] = true
	}
}
