package input

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// fieldSets keeps maps of headers that requests often have, such as the one of a tenant, so that documents share them.
// It is bounded: what is kept gives way to what comes later. It is safe for concurrent use.
type fieldSets struct {
	kept [setSlots]atomic.Pointer[fieldSet]
	// missed is the latest set in each place that was looked for in vain. A set is kept when it is looked for again.
	missed [setSlots]atomic.Uint64
}

// fieldSet is an immutable map of headers.
type fieldSet struct {
	hash    uint64
	fields  map[string][]string
	longest int // of the names and values, in bytes
}

const (
	setSlots = 256
	// setBytes bounds the values of a set that is kept.
	setBytes = 256
)

var setSeed = maphash.MakeSeed()

// hash names the headers of names. It is false for those that are not kept: none, several fields of a name, long ones.
func (s *fieldSets) hash(names []string, headers map[string][]string) (sum uint64, n int, ok bool) {
	room := setBytes
	for i, name := range names {
		values, there := headers[name]
		if !there {
			continue
		}
		if len(values) != 1 || len(values[0]) > room {
			return 0, 0, false
		}
		room -= len(values[0])
		n++
		sum = (sum ^ uint64(i+1)) * 0x9e3779b97f4a7c15
		sum ^= maphash.String(setSeed, values[0])
	}
	return sum, n, n > 0
}

// get returns the map of the headers of names, or nil when it is not kept.
func (s *fieldSets) get(names []string, headers map[string][]string) *fieldSet {
	sum, n, ok := s.hash(names, headers)
	if !ok {
		return nil
	}
	known := s.kept[sum%setSlots].Load()
	if known == nil || known.hash != sum || len(known.fields) != n {
		return nil
	}
	for _, name := range names {
		if values, there := headers[name]; there {
			if same := known.fields[name]; len(same) != 1 || same[0] != values[0] {
				return nil
			}
		}
	}
	return known
}

// keep is told of a map of the headers of names that get did not know, and in which there is no token.
func (s *fieldSets) keep(names []string, fields map[string][]string) {
	sum, n, ok := s.hash(names, fields)
	if !ok || n != len(fields) {
		return
	}
	if known := s.kept[sum%setSlots].Load(); known != nil && known.hash == sum {
		return
	}
	if s.missed[sum%setSlots].Swap(sum) != sum {
		return
	}
	own := &fieldSet{hash: sum, fields: make(map[string][]string, n)}
	for name, values := range fields {
		own.fields[strings.Clone(name)] = []string{strings.Clone(values[0])} // not in the memory of the request
		own.longest = max(own.longest, len(name), len(values[0]))
	}
	s.kept[sum%setSlots].Store(own)
}
