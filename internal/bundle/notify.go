package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// eyes are the watches on everything that decides what is loaded. The zero value sees nothing.
type eyes struct {
	fs *fsnotify.Watcher
	// names says which names matter in each directory; all of them when it is nil.
	names map[string]map[string]bool
}

// openEyes watches what cfg names. With an error, it may still see some of it.
func openEyes(open func() (*fsnotify.Watcher, error), cfg Config) (eyes, error) {
	w, err := open()
	if err != nil {
		return eyes{}, fmt.Errorf("watch policies: %s", cause(err))
	}
	e := eyes{fs: w, names: map[string]map[string]bool{}}
	// A directory that is made while others are being watched is found by the next look around.
	for range tries {
		before := len(e.names)
		if err = e.add(sights(list(cfg, policiesAndTests, usual()))); err != nil || len(e.names) == before {
			break
		}
	}
	return e, err
}

func (e eyes) add(names map[string]map[string]bool) error {
	var failed error
	for dir, n := range names {
		if _, seen := e.names[dir]; !seen {
			err := e.fs.Add(dir)
			if errors.Is(err, fs.ErrNotExist) {
				continue // gone again, which the directory that it was in reports
			}
			if err != nil {
				failed = fmt.Errorf("watch directory %q: %s", dir, cause(err))
				continue
			}
		}
		e.names[dir] = n
	}
	return failed
}

func (e eyes) events() <-chan fsnotify.Event {
	if e.fs == nil {
		return nil
	}
	return e.fs.Events
}

func (e eyes) errors() <-chan error {
	if e.fs == nil {
		return nil
	}
	return e.fs.Errors
}

// sign is what an event says about what is loaded.
type sign uint8

const (
	nothing sign = iota
	perhaps      // it may have changed: a look tells
	surely       // a file that is read has changed, or has come or gone
)

// weigh says what an event means. Files that are not read are no reason to wait: a log that is written beside the policies
// must not keep them from being loaded.
func (e eyes) weigh(ev fsnotify.Event) sign {
	base := filepath.Base(ev.Name)
	names, watched := e.names[filepath.Dir(ev.Name)]
	if watched && names != nil && !names[base] {
		return nothing
	}
	if kind, complaint, _ := classify(base); kind != other || complaint != "" {
		return surely
	}
	if info, err := os.Lstat(ev.Name); err == nil && info.Mode().IsRegular() {
		return nothing
	}
	return perhaps
}

func (e eyes) close() {
	if e.fs != nil {
		_ = e.fs.Close()
	}
}

// sights returns the directories to watch for a listing, by their real paths, and the names that matter in each: all
// names in a directory of policies, and elsewhere only those that lead to one.
func sights(l listing) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	roads := append([]string{}, l.links...)
	for _, s := range l.sources {
		roads = append(roads, s.dir)
	}
	for _, road := range roads {
		for _, s := range signposts(road) {
			if out[s.dir] == nil {
				out[s.dir] = map[string]bool{}
			}
			out[s.dir][s.name] = true
		}
	}
	for _, d := range l.dirs {
		if real, err := filepath.EvalSymlinks(d); err == nil {
			if abs, err := filepath.Abs(real); err == nil {
				out[abs] = nil
			}
		}
	}
	return out
}

// signpost is a name in a directory that decides where a path leads.
type signpost struct{ dir, name string }

// signposts returns the last name of a path and each symbolic link on the way to it, with the real paths of the
// directories that they are in. It ends at the first name that does not exist.
func signposts(path string) []signpost {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	var out []signpost
	at, rest := string(filepath.Separator), elements(abs)
	for steps := 0; len(rest) > 0 && steps < 1000; steps++ {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		if err != nil {
			return append(out, signpost{at, name})
		}
		if info.Mode()&os.ModeSymlink == 0 {
			if len(rest) == 0 {
				out = append(out, signpost{at, name})
			}
			at = next
			continue
		}
		out = append(out, signpost{at, name})
		target, err := os.Readlink(next)
		if err != nil {
			return out
		}
		if filepath.IsAbs(target) {
			at = string(filepath.Separator)
		}
		rest = append(elements(target), rest...)
	}
	return out
}

// elements splits a path, without the elements that stay in place.
func elements(path string) []string {
	var out []string
	for e := range strings.SplitSeq(filepath.ToSlash(path), "/") {
		if e != "" && e != "." {
			out = append(out, e)
		}
	}
	return out
}
