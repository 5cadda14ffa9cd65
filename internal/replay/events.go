package replay

import (
	"io"

	"github.com/authz-sidecar/sidecar/internal/decisionlog"
)

// Events is where recorded decisions come from: Logs, or Records.
type Events interface {
	// Next returns the next event, and io.EOF at the end. Its Line is good until the next call.
	Next() (Item, error)
	// Read tells how many bytes of how many were read, and 0 where that is not known.
	Read() (done, total int64)
}

// Item is a recorded decision: the line of a log, or the record itself.
type Item struct {
	Line   []byte
	Record *decisionlog.Record
	// Log and Number say where Line stands, from 1.
	Log    string
	Number int
}

// Records are decisions that were kept in memory, such as the recent ones of a gate. Input of each is the
// *input.Document that the policy read, and Result what it returned, before any mask.
func Records(list []*decisionlog.Record) Events { return &records{list} }

type records struct{ list []*decisionlog.Record }

func (r *records) Next() (Item, error) {
	if len(r.list) == 0 {
		return Item{}, io.EOF
	}
	next := r.list[0]
	r.list = r.list[1:]
	return Item{Record: next}, nil
}

func (r *records) Read() (done, total int64) { return 0, 0 }
