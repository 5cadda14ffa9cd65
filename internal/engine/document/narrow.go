package document

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"slices"
	"unsafe"

	"github.com/authz-sidecar/sidecar/internal/engine/reads"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// narrowed returns what appends less of a member of the request than all of it, or nil.
func narrowed(t reflect.Type, name string, n *part) appender {
	if t != reflect.TypeFor[input.Request]() || !n.all {
		return nil
	}
	switch {
	case name == "segments" && n.narrow.Segments: // Append writes them at the end
		return func(dst []byte, _ unsafe.Pointer) []byte { return dst }
	case name == "headers" && n.narrow.Headers, name == "query" && n.narrow.Query:
		narrow := n.narrow
		return func(dst []byte, at unsafe.Pointer) []byte {
			return appendLists(dst, *(*map[string][]string)(at), narrow.Known)
		}
	}
	return nil
}

// A path of more segments than maxCompared is written as it is, and so is one whose segments would be searched for in
// more than maxSearched bytes in all: each is compared with those before it, and searched for in all that is read, and
// the caller chooses how many there are.
const (
	maxCompared = 64
	maxSearched = 256 << 10
)

// appendSegments appends the segments of a path. In place of one that occurs nowhere else is the position of the first
// that is equal. dst has the rest of the key from a position on.
func appendSegments(dst []byte, from int, segments []string, narrow *reads.Narrowing) []byte {
	rest := dst[from:]
	precise := len(segments) > maxCompared || narrow.Compared && len(segments)*len(rest) > maxSearched
	dst = binary.AppendUvarint(dst, uint64(len(segments)))
	escaped, looked := false, false
	for i, s := range segments {
		known := precise || s == "" || narrow.Known(s)
		if !known && narrow.Compared {
			if !looked { // a text in JSON may be spelled in more than one way
				escaped, looked = bytes.IndexByte(rest, '\\') >= 0, true
			}
			known = escaped || bytes.Contains(rest, unsafe.Slice(unsafe.StringData(s), len(s)))
		}
		if known {
			dst = appendText(append(dst, present), s)
			continue
		}
		dst = binary.AppendUvarint(append(dst, absent), uint64(slices.Index(segments[:i+1], s)))
	}
	return dst
}
