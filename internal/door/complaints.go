package door

import (
	"log/slog"
	"time"

	"golang.org/x/time/rate"
)

// Complaints limit what the log tells of checks that were not decided: a line a second and cause.
type Complaints struct {
	log *slog.Logger
	by  map[Undecided]*rate.Sometimes
}

// NewComplaints writes to log about checks that end so.
func NewComplaints(log *slog.Logger, why ...Undecided) *Complaints {
	c := &Complaints{log, map[Undecided]*rate.Sometimes{}}
	for _, u := range why {
		c.by[u] = &rate.Sometimes{First: 1, Interval: time.Second}
	}
	return c
}

// About tells that a check of a caller was not decided. more are further attributes.
func (c *Complaints) About(u Undecided, cause error, caller string, more ...any) {
	due := false
	c.by[u].Do(func() { due = true }) // Sometimes holds a lock while its function runs
	if due {
		c.log.Warn("a check was refused without a decision",
			append([]any{"why", string(u), "cause", cause, "caller", caller}, more...)...)
	}
}
