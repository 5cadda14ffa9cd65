package bundle

import (
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

func load(cfg Config, sc scope, lim limits) (*Set, error) { return take(cfg, sc, lim).build() }

// take reads the files until nothing changed between the look before reading and the one after it.
func take(cfg Config, sc scope, lim limits) snapshot {
	before := list(cfg, sc, lim)
	for try := range tries {
		if try > 0 {
			time.Sleep(time.Duration(try) * pause)
			before = list(cfg, sc, lim)
		}
		snap := read(before, lim)
		if after := list(cfg, sc, lim); snap.steady && before.same(after) {
			return snap
		}
	}
	var ps Problems
	for _, s := range before.sources {
		ps.add(s.dir, CodeChanging, "files change while they are read")
	}
	return newSnapshot(listing{sources: before.sources, dirs: before.dirs, links: before.links, problems: ps}, nil, true)
}
