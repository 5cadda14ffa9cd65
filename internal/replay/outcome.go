package replay

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/decision"
)

// outcome is what became of one item.
type outcome struct {
	*event
	log    string
	number int
	// size is that of the line in bytes.
	size int
	// bad is why the line is no event; then event is nil.
	bad error
	// skipped is set where the replay ended before.
	skipped bool
	// outside is set where the selection leaves the event out.
	outside bool
	// obstacle is why the event was not decided anew, and details are what differs between events of the class.
	obstacle ObstacleClass
	details  []string
	// mayAllow is set where the obstacle is that of the candidate alone, and the baseline denies.
	mayAllow bool

	class   Class
	route   string
	now     Answer
	differs []string
	// otherwise is set where the baseline decides otherwise than the log says.
	otherwise bool
	// unlogged is set where the result was compared without parts, or not at all, because the log lacks them.
	unlogged bool
	// item is what was read, for one that may be chosen.
	item *Item
}

func (o *outcome) reference() Reference {
	return Reference{DecisionID: o.id, Time: o.time, Log: o.log, Line: o.number}
}

func (o *outcome) recorded() decision.Recorded {
	return decision.Recorded{DecisionID: o.id, Time: o.time, Entrypoint: o.entrypoint, Document: o.doc}
}

// classOf compares two answers of which parts differ, or none.
func classOf(was, now *Answer, same bool) Class {
	before, after := was.outcome(), now.outcome()
	switch {
	case before != after && after == failed:
		return ToError
	case before != after && before == failed:
		return FromError
	case before != after && after == allowed:
		return DenyToAllow
	case before != after:
		return AllowToDeny
	case same:
		return Unchanged
	}
	return AnswerChanged
}

type ending uint8

const (
	denied ending = iota
	allowed
	failed
)

// outcome is how a decision ends for the client: a kind that is neither an allow nor an error refuses.
func (a *Answer) outcome() ending {
	switch a.Kind {
	case authz.Allow.String():
		return allowed
	case authz.Misconfigured.String(), authz.Internal.String(), authz.Unavailable.String():
		return failed
	}
	return denied
}

// inWindow reports whether a time is within the bounds of o.
func (o *Options) inWindow(at time.Time) bool {
	return (o.Since.IsZero() || !at.Before(o.Since)) && (o.Until.IsZero() || at.Before(o.Until))
}
