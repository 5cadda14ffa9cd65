package main

import "runtime/metrics"

// idleness tells when a process has come to rest with memory that it does not need: after its start, after a reload
// and after a wave of requests. Giving that back costs one collection.
type idleness struct {
	before    heapUse
	quiet     int    // seconds
	collected uint64 // bytes allocated in all when memory was last given back
	live      uint64 // what was alive then: later collections may have been before the end of a reload
	given     bool   // memory was given back since the last look
}

// heapUse is what idleness and the pacer look at, in bytes.
type heapUse struct {
	allocated uint64 // since the start of the process
	objects   uint64 // alive, or dead and not yet swept
	held      uint64 // of the system's memory, for objects that are alive, dead, or none
	live      uint64 // after the latest collection
	cycles    uint64 // no bytes: collections since the start of the process
}

const (
	quietRate    = 1 << 20 // allocated in a second by a process that is at rest
	quietSeconds = 3
	worthwhile   = 8 << 20 // that is held beyond what is alive, or was allocated since the last time, at the least
)

// worth is how many bytes are worth a collection, which costs the more the more is alive: a quarter of that.
func (h heapUse) worth() uint64 { return max(worthwhile, h.live/4) }

// begins reports whether memory should be given back. It is asked once a second.
func (i *idleness) begins(now heapUse) bool {
	i.quiet++
	if now.allocated-i.before.allocated > quietRate {
		i.quiet = 0
	}
	i.before = now
	if i.given {
		i.live, i.given = now.live, false
	}
	again := i.collected != 0
	worth := now.worth()
	if i.quiet < quietSeconds || now.held < min(i.live, now.live)+worth || again && now.allocated-i.collected < worth {
		return false
	}
	i.collected, i.given = now.allocated, true
	return true
}

func readHeap() heapUse {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(s)
	u := func(i int) uint64 { return s[i].Value.Uint64() }
	return heapUse{allocated: u(0), live: u(1), objects: u(2), held: u(2) + u(3) + u(4), cycles: u(5)}
}
