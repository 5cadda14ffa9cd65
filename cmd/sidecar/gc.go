package main

import (
	"context"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// headroom is how much the heap may grow between two collections under load. A sidecar with few tokens lives in some
// 5 MB, smallHeap, and collecting each time that doubles would cost a quarter of its CPU. Where little is allocated,
// each byte that is alive beyond smallHeap takes two bytes from the headroom, down to leastHeadroom, or to a quarter
// of what is alive.
const (
	headroom      = 32 << 20
	leastHeadroom = 8 << 20
	smallHeap     = 5 << 20
)

// What collections may cost: mostCollections a second, which look at mostMarked bytes a second in all. That takes some
// 80 ms of CPU where most of what is alive are answers about tokens, which hold no pointers.
const (
	mostCollections = 6
	mostMarked      = 120 << 20
)

// defaultPercent is Go's default for GOGC.
const defaultPercent = 100

// pacer sets when garbage is collected: it keeps the headroom while the heap is small, and is at most Go's own pace
// when it is large. GOGC and GOMEMLIMIT, when they are set, win.
type pacer struct {
	mu     sync.Mutex
	off    bool
	set    int    // the GOGC in force
	room   uint64 // what the requests need between two collections
	until  uint64 // what the heap may grow to, for a work that runs aside, as long as there were
	cycles uint64 // so many collections
}

func newPacer() *pacer {
	return &pacer{off: os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "", set: defaultPercent, room: headroom}
}

// run follows the load until ctx ends.
func (p *pacer) run(ctx context.Context) {
	if p.off {
		return
	}
	var idle idleness
	var allocated, rate uint64
	const looks = 4 // a second: GOGC is of what was alive when it was set, and that may grow fast
	tick := time.NewTicker(time.Second / looks)
	defer tick.Stop()
	for n := 0; ; n++ {
		p.mu.Lock()
		now, second := readHeap(), n%looks == 0
		if second {
			allocated, rate = now.allocated, now.allocated-allocated
		}
		p.room = headroomFor(now.live, rate)
		p.adjust(now)
		p.mu.Unlock()
		if second && idle.begins(now) {
			debug.FreeOSMemory()
			_ = releaseProgram() // which a system may refuse
		}
		select {
		case <-ctx.Done():
			p.mu.Lock()
			defer p.mu.Unlock()
			debug.SetGCPercent(defaultPercent)
			p.off = true
			return
		case <-tick.C:
		}
	}
}

// workRoom is what the heap may grow by, from what it holds, for a work that runs aside. Go begins a collection when
// seven tenths of the way from what is alive are gone, or later: 7 to 16 MiB are left, and a compile of the shipped
// policies takes 8. mostRoom is the most above what is alive, for works that follow each other.
const (
	workRoom = 16 << 20 * 10 / 7
	mostRoom = 64 << 20
)

// makeRoom leaves workRoom until the next collection.
func (p *pacer) makeRoom() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off {
		return
	}
	now := readHeap()
	p.cycles, p.until = now.cycles, roomFor(now)
	p.adjust(now)
}

// roomFor returns what the heap may grow to for a work that begins.
func roomFor(now heapUse) uint64 { return min(now.objects+workRoom, now.live+mostRoom) }

// adjust sets GOGC for the room that is wanted.
func (p *pacer) adjust(now heapUse) {
	if want := percentFor(now.live, p.wanted(now)); differs(want, p.set) {
		debug.SetGCPercent(want)
		p.set = want
	}
}

// wanted returns how many bytes may be allocated between the latest collection and the next.
func (p *pacer) wanted(now heapUse) uint64 {
	if now.cycles != p.cycles || p.until < now.live {
		return p.room
	}
	return max(p.room, p.until-now.live)
}

// headroomFor returns how many bytes may be allocated between two collections, where live bytes are alive and rate
// bytes are allocated in a second.
func headroomFor(live, rate uint64) uint64 {
	need := max(rate/mostCollections, uint64(float64(rate)*float64(live)/mostMarked))
	small := headroom - min(2*(max(live, smallHeap)-smallHeap), headroom)
	return min(max(need, small, leastHeadroom, live/4), max(headroom, live))
}

// percentFor returns the GOGC that leaves a heap of live bytes room for so many more.
func percentFor(live, room uint64) int {
	const least = 4 << 20 // Go lets a heap grow to 4 MB times GOGC/100 in any case
	return int(room * defaultPercent / max(live, least))
}

// differs reports whether a change is worth setting.
func differs(want, set int) bool { return want*10 < set*9 || want*9 > set*10 }
