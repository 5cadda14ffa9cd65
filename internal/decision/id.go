package decision

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// entropy is random bytes for the ids of many decisions: one read for each id costs more than all the rest of it.
type entropy struct {
	bytes [1000]byte
	used  int
}

var entropies = sync.Pool{New: func() any {
	e := new(entropy)
	e.used = len(e.bytes)
	return e
}}

// newID returns a decision id: a ULID. Its 80 random bits keep apart the decisions of one millisecond.
func newID(now time.Time) string {
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(now)) // fails in the year 10889 only
	e := entropies.Get().(*entropy)
	if len(e.bytes)-e.used < 10 {
		_, _ = rand.Read(e.bytes[:]) // never fails, by its own documentation
		e.used = 0
	}
	e.used += copy(id[6:], e.bytes[e.used:])
	entropies.Put(e)
	return id.String()
}
