package dir

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// reading is a listing and what its files held.
type reading struct {
	listing
	contents bundle.Contents
	// steady is false when a file changed between the listing and the reading.
	steady bool
	// unfinished is why the files may be part of a change that is not over, as far as one reading can tell; nil when
	// nothing indicates that.
	unfinished *bundle.Problem
	size       int64 // of all files, in bytes
	// hash covers the digest, the sources and the problems: equal hashes mean equal outcomes of bundle.Build.
	hash string
}

// read reads the files of a listing.
func read(l listing, lim limits) reading {
	var size int64
	for _, e := range l.entries {
		size += e.info.Size()
	}
	ps := slices.Clone(l.problems)
	if size > lim.total {
		for _, s := range l.sources {
			ps.Add(s.name, bundle.CodeLimit, "all files together hold %d bytes, more than %d", size, lim.total)
		}
		return reading{listing: l, size: size}.withProblems(ps)
	}
	r := reading{listing: l, steady: true, contents: contentsOf(l), size: size}
	for _, e := range l.entries {
		limit := lim.file
		if e.packed {
			limit = lim.packed
		}
		raw, written, err := readFile(e, limit)
		if written {
			r.unfinished = unfinished(e, "a process has the file open for writing")
		}
		switch {
		case errors.Is(err, errChanged), errors.Is(err, fs.ErrNotExist):
			r.steady = false
		case errors.Is(err, errTooLarge):
			ps.Add(e.path, bundle.CodeLimit, "the file holds more than %d bytes", limit)
		case err != nil:
			ps.Add(e.path, bundle.CodeRead, "%s", cause(err))
		case e.packed:
			r.unpack(e, raw, &ps)
		default:
			files := &r.contents.Sources[e.source].Files
			file := bundle.File{Path: e.path, Raw: raw}
			*files = append(*files, bundle.SourceFile{File: file, Kind: e.kind, Dirs: e.rel})
		}
	}
	for _, e := range l.temporary {
		if r.unfinished == nil && isWritten(e.file) {
			r.unfinished = unfinished(e, "a process writes this file, which is called like one that is about to "+
				"take the place of another")
		}
	}
	return r.finish(ps)
}

func unfinished(e entry, message string) *bundle.Problem {
	return &bundle.Problem{File: e.path, Code: bundle.CodeChanging, Message: message}
}

// withProblems is r with problems in place of its files.
func (r reading) withProblems(ps bundle.Problems) reading {
	r.contents, r.steady = contentsOf(r.listing), true
	return r.finish(ps)
}

// contentsOf returns the sources of a listing, without files.
func contentsOf(l listing) bundle.Contents {
	c := bundle.Contents{Ignored: l.ignored, ReadAgain: l.readAgain}
	for _, s := range l.sources {
		c.Sources = append(c.Sources, bundle.Source{Name: s.name, Layout: s.layout})
	}
	c.Sources = append(c.Sources, l.embedded...)
	return c
}

// finish adds the problems and the hash.
func (r reading) finish(ps bundle.Problems) reading {
	r.contents.Problems = ps
	h := sha256.New()
	_, _ = io.WriteString(h, r.contents.Digest())
	for _, s := range r.sources {
		_, _ = fmt.Fprintf(h, "\n%d %q", s.layout, s.name)
	}
	for _, s := range r.contents.Sources {
		_, _ = io.WriteString(h, signedText(s.Name, s.Signed))
	}
	_, _ = io.WriteString(h, "\n"+ps.Sorted().Error())
	r.hash = hex.EncodeToString(h.Sum(nil))
	return r
}

var (
	errChanged  = errors.New("changed")
	errTooLarge = errors.New("too large")
)

// readFile reads the very file that was listed, or none, and reports whether a process is writing it.
func readFile(e entry, limit int64) (raw []byte, written bool, err error) {
	// A pipe that replaced the file since it was listed would block for ever without this flag.
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
	var held bytes.Buffer
	held.Grow(int(min(info.Size(), limit)) + bytes.MinRead) // with room to see the end
	_, err = held.ReadFrom(io.LimitReader(f, limit+1))
	raw = held.Bytes()
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
