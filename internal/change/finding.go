package change

import "github.com/authz-sidecar/sidecar/internal/engine/meaning"

// Kind says what a finding is about. The constants are in the order of their rank.
type Kind string

// The kinds, from the gravest.
const (
	KindProblem  Kind = "problem"      // the new version does not compile
	KindWider    Kind = "wider"        // a request is newly allowed
	KindReach    Kind = "reach"        // a builtin of the network or the machine, or a host, is newly reachable
	KindDeny     Kind = "deny-removed" // what denied a request is gone, as a rule or a condition
	KindTest     Kind = "test"         // a test that fails, is gone, or was changed with the rule that it tests
	KindInput    Kind = "input"        // a member of the input is newly read
	KindSettings Kind = "settings"     // an entrypoint, or the configuration
	KindData     Kind = "data"         // data that rules read have changed
	KindNarrower Kind = "narrower"     // a request is newly denied
	KindAnswer   Kind = "answer"       // a request is answered otherwise, and allowed as before
	KindBuiltin  Kind = "builtin"      // another builtin is newly called, as of the clock
	KindCheck    Kind = "check"        // a new finding of check
	KindRule     Kind = "rule"         // a rule was added, removed or changed, and nothing above says so
	KindLess     Kind = "less"         // what is no longer read, reached or found
	KindForm     Kind = "form"         // format, comments, places
)

// Level says how much a finding wants a look.
type Level string

// The levels.
const (
	Grave   Level = "error"   // refuses the change, unless it is reviewed
	Notable Level = "warning" // wants a look
	Plain   Level = "note"
)

// Finding is one thing that a change means.
type Finding struct {
	// ID names the finding for --allow: the kind and twelve digits of a digest of what it is about. It is the same in
	// each report about the same change.
	ID    string `json:"id"`
	Kind  Kind   `json:"kind"`
	Level Level  `json:"level"`
	// Title is one sentence, without a full stop.
	Title string `json:"title"`
	// Details are further lines: for a wider one the witness, request and token.
	Details []string `json:"details,omitempty"`
	// Places are where, in the new version; those of Gone are in the old one.
	Places []meaning.Place `json:"places,omitempty"`
	Gone   []meaning.Place `json:"gone,omitempty"`
	// Allowed is set where the finding is a reviewed one.
	Allowed bool `json:"allowed,omitzero"`
}
