package replay

import (
	"context"
	"errors"
)

// Run decides events anew. When ctx ends, the report is about what was done until then, and says so in Partial. An
// error means that a log cannot be read; the report is then about what was read before.
func Run(ctx context.Context, events Events, o Options) (*Report, error) {
	return nil, errors.New("replay decisions: not done yet")
}
