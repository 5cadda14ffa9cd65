package replay

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/engine"
)

// Side is one policy. Set and Policy are those of one load.
type Side struct {
	// Name is how the user named it, such as a path.
	Name string
	// Set has data.routes, by which decisions are named; nil names them by method and path.
	Set    *bundle.Set
	Policy *engine.Policy
}

// Options say what is replayed, and how.
type Options struct {
	Candidate Side
	// Baseline decides anew too, and the candidate is compared with it. Without its Policy the candidate is compared
	// with what the log says.
	Baseline Side

	// Since and Until bound the time of the events: from Since, before Until. Zero times bound nothing.
	Since, Until time.Time
	// Last takes only so many of the latest events, Sample so many of all, evenly; 0 takes all. At most one is set.
	Last, Sample int
	Filter       Filter

	Limits Limits
	// Examples is how many there are of each class; 0 stands for 3.
	Examples int
	// Explain is how many changed decisions are explained at most; 0 stands for 200, and less than 0 for none.
	Explain int
	// Followed less than 0 leaves the rules out of the coverage, for which some decisions are evaluated once more.
	Followed int
	// ExplainFlags are the flags of sidecar explain for the candidate, such as "--policies" and "policies".
	ExplainFlags []string
	// Workers is how many evaluate at once; 0 stands for the number of processors.
	Workers int
	// Progress, where it is not nil, is called now and then, by one goroutine at a time.
	Progress func(Progress)
}

// Filter chooses events. Each list is of names, one of which must be that of the event; an empty list chooses all.
type Filter struct {
	Entrypoints []string `json:"entrypoints,omitempty"`
	Clients     []string `json:"clients,omitempty"`
	Tenants     []string `json:"tenants,omitempty"`
	// Routes are names of rows of Breakdown.Routes, or "METHOD /path" with * for one segment and ** at the end for
	// any.
	Routes []string `json:"routes,omitempty"`
}

// Limits are the gate. A nil limit is none.
type Limits struct {
	DenyToAllow *Limit
	AllowToDeny *Limit
	// Errors is about ToError and EntrypointGone.
	Errors        *Limit
	NotReplayable *Limit
	// Empty says what a replay without a replayed decision is: refused, unless it is EmptyPasses.
	Empty Empty
}

// Empty says whether a replay passes that replayed nothing.
type Empty bool

// The values of Empty.
const (
	EmptyFails  Empty = false
	EmptyPasses Empty = true
)

// Progress is how far a replay is.
type Progress struct {
	// Bytes of Total were read; Total is 0 when it is not known.
	Bytes, Total int64
	Decisions    int
}
