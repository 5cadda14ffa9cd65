package bundle

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// snapshot is a listing and what its files held.
type snapshot struct {
	listing
	raws [][]byte // beside entries
	// steady is false when a file changed between the listing and the read.
	steady bool
	// unrest is why the files may be part of a change that is not over, as far as one look can tell; nil when nothing
	// says so.
	unrest *Problem
	// digest is that of a Set. mark also covers the problems: equal marks mean equal outcomes.
	digest, mark string
}

// read reads the files of a listing.
func read(l listing, lim limits) snapshot {
	var size int64
	for _, e := range l.entries {
		size += e.info.Size()
	}
	l.problems = slices.Clone(l.problems)
	if size > lim.total {
		for _, s := range l.sources {
			l.problems.add(s.name, CodeLimit, "all files together hold %d bytes, more than %d", size, lim.total)
		}
		l.entries = nil
		return newSnapshot(l, nil, true)
	}
	steady := true
	var unrest *Problem
	kept := make([]entry, 0, len(l.entries))
	raws := make([][]byte, 0, len(l.entries))
	for _, e := range l.entries {
		raw, written, err := readFile(e, lim.file)
		if written {
			unrest = &Problem{File: e.path, Code: CodeChanging, Message: "a process has the file open for writing"}
		}
		switch {
		case errors.Is(err, errChanged), errors.Is(err, fs.ErrNotExist):
			steady = false
		case errors.Is(err, errTooLarge):
			l.problems.add(e.path, CodeLimit, "the file holds more than %d bytes", lim.file)
		case err != nil:
			l.problems.add(e.path, CodeRead, "%s", cause(err))
		default:
			kept, raws = append(kept, e), append(raws, raw)
		}
	}
	for _, e := range l.beside {
		if unrest == nil && isWritten(e.file) {
			unrest = &Problem{File: e.path, Code: CodeChanging, Message: "a process writes this file, which is called like one that is about to take the place of another"}
		}
	}
	l.entries = kept
	s := newSnapshot(l, raws, steady)
	s.unrest = unrest
	return s
}

var (
	errChanged  = errors.New("changed")
	errTooLarge = errors.New("too large")
)

// readFile reads the very file that was listed, or none, and reports whether a process is writing it.
func readFile(e entry, limit int64) (raw []byte, written bool, err error) {
	// A pipe that took the place of the file since it was listed would block for ever without this flag.
	f, err := os.OpenFile(e.file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if !sameFile(info, e.info) {
		return nil, false, errChanged
	}
	raw, err = io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, false, err
	case int64(len(raw)) > limit:
		return nil, false, errTooLarge
	case int64(len(raw)) != info.Size():
		return nil, false, errChanged
	}
	return raw, openForWriting(f), nil
}

// isWritten reports whether a process is writing a file that is not read.
func isWritten(name string) bool {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	return openForWriting(f)
}

func newSnapshot(l listing, raws [][]byte, steady bool) snapshot {
	order := make([]int, len(l.entries))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := l.entries[i], l.entries[j]
		return cmp.Or(cmp.Compare(l.sources[a.source].name, l.sources[b.source].name), cmp.Compare(a.path, b.path))
	})
	h := sha256.New()
	for _, i := range order {
		e := l.entries[i]
		writePart(h, []byte(l.sources[e.source].name))
		writePart(h, []byte(e.path))
		writePart(h, raws[i])
	}
	digest := "sha256:" + hex.EncodeToString(h.Sum(nil))
	for _, s := range l.sources {
		writePart(h, fmt.Appendf(nil, "%d %s", s.kind, s.name))
	}
	writePart(h, []byte(l.problems.Sorted().Error()))
	return snapshot{listing: l, raws: raws, steady: steady, digest: digest, mark: hex.EncodeToString(h.Sum(nil))}
}

// writePart writes a part with its length, so that no two lists of parts are written alike.
func writePart(h hash.Hash, b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	_, _ = h.Write(n[:])
	_, _ = h.Write(b)
}
