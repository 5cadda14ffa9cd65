package bundle

import (
	"os"
	"time"
)

// Load reads everything that cfg names, except tests. Its error is Problems, with all there is to complain about;
// a directory that is missing or holds nothing is among it, so that no policy is ever empty by accident.
//
// What it returns was on disk at one moment: when files change while they are read, they are read again.
func Load(cfg Config) (*Set, error) { return load(cfg, policies, usual()) }

// LoadWithTests is Load with the *_test.rego files, which are then part of the digest too. A directory that holds
// nothing but tests or suites is not empty for it.
func LoadWithTests(cfg Config) (*Set, error) { return load(cfg, policiesAndTests, usual()) }

// Ignored lists the files that cfg leaves out although they look like data, as Set.Ignored has them. It reads directories only.
func Ignored(cfg Config) Problems { return list(cfg, policies, usual()).ignored.Sorted() }

// scope says what is read.
type scope uint8

const (
	policies scope = iota
	policiesAndTests
)

// limits bound what is read. They are far above any sensible policy and far below the memory of a machine.
type limits struct {
	file    int64 // bytes of one file
	total   int64 // bytes of all files
	depth   int   // directories below a configured one
	entries int   // names in all directories; links can multiply them without any bytes
}

func usual() limits {
	return limits{file: 16 << 20, total: 256 << 20, depth: 64, entries: 100_000}
}

const (
	tries = 5                     // reads before files are said never to stand still
	pause = 20 * time.Millisecond // between two reads, growing with each
)

// longestStart is how long files that change are waited for where there is no earlier set to go on with.
const longestStart = 10 * time.Second

func load(cfg Config, sc scope, lim limits) (*Set, error) { return settled(cfg, sc, lim).build() }

// settled returns the files once they have come to rest: when the last change was a while ago, or when two looks a
// debounce apart were equal, and no file is being written. It is bounded in time: files that do not come to rest are a
// problem, for a part of a policy may allow what the whole denies.
func settled(cfg Config, sc scope, lim limits) snapshot {
	r := rest{debounce: cfg.Debounce}
	deadline := time.Now().Add(min(100*cfg.Debounce, longestStart))
	for {
		snap, now := take(cfg, sc, lim), time.Now()
		if snap.unrest == nil && snap.changed().Before(now.Add(-quietFactor*cfg.Debounce)) {
			return snap
		}
		if !r.waits() {
			r.notice(now)
		}
		left := r.look(snap.mark, now)
		if snap.unrest != nil {
			r.hold(now)
		} else if left == 0 {
			return snap
		}
		if !now.Before(deadline) {
			return snap.restless()
		}
		time.Sleep(max(min(left, cfg.Debounce), time.Millisecond))
	}
}

// restless is s with nothing but the reason why it must not be used.
func (s snapshot) restless() snapshot {
	var ps Problems
	switch {
	case s.unrest != nil:
		ps = Problems{*s.unrest}
	default:
		ps.add(s.sources[0].name, CodeChanging, "files keep changing: put a new version in place by renaming")
	}
	return newSnapshot(listing{sources: s.sources, dirs: s.dirs, links: s.links, problems: ps}, nil, true)
}

// changed is when anything of what was listed last changed.
func (s snapshot) changed() time.Time {
	var newest time.Time
	for _, e := range s.entries {
		if at := changedAt(e.info); at.After(newest) {
			newest = at
		}
	}
	for _, d := range s.dirs {
		if info, err := os.Stat(d); err == nil {
			if at := changedAt(info); at.After(newest) {
				newest = at
			}
		}
	}
	return newest
}

// take reads the files until nothing changed between the look before reading and the one after it.
func take(cfg Config, sc scope, lim limits) snapshot {
	for try := range tries {
		time.Sleep(time.Duration(try) * pause)
		if snap, steady := glance(cfg, sc, lim); steady {
			return snap
		}
	}
	snap := snapshot{listing: list(cfg, sc, lim)}
	for _, s := range snap.sources {
		snap.problems.add(s.dir, CodeChanging, "files change while they are read")
	}
	return newSnapshot(listing{sources: snap.sources, dirs: snap.dirs, links: snap.links, problems: snap.problems}, nil, true)
}

// glance reads the files once. It is not steady when they changed meanwhile.
func glance(cfg Config, sc scope, lim limits) (snap snapshot, steady bool) {
	before := list(cfg, sc, lim)
	snap = read(before, lim)
	return snap, snap.steady && before.same(list(cfg, sc, lim))
}
