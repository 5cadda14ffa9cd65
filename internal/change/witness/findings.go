package witness

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Class says how the new policies differ from the old ones.
type Class string

// The classes, the gravest first. Two policies are never called equal: Same is about the shapes that were looked at.
const (
	Wider     Class = "wider"               // the new policies allow what the old ones deny
	Narrower  Class = "narrower"            // the new policies deny what the old ones allow
	Different Class = "answers_differently" // both allow or both deny, with another answer
	Undecided Class = "not_decided"         // no difference was found, and not every shape is proved
	Same      Class = "same_for_these_shapes"
)

// Word is the class as reports show it: WIDER.
func (c Class) Word() string {
	return map[Class]string{Wider: "WIDER", Narrower: "NARROWER", Different: "ANSWERS DIFFERENTLY",
		Undecided: "NOT DECIDED", Same: "SAME FOR THESE SHAPES"}[c]
}

// Findings are the differences between two versions of the policies, and how far these were looked for. Their JSON
// form is stable: members are added, not changed.
type Findings struct {
	// Result is the gravest class among all entrypoints.
	Result Class `json:"result"`
	// Old and New are the names of the sides.
	Old string `json:"old"`
	New string `json:"new"`
	// Now is the time of all evaluations.
	Now time.Time `json:"now"`
	// Findings are ordered by gravity.
	Findings []Finding `json:"findings"`
	// Entrypoints are those that both sides have, sorted by path.
	Entrypoints []Entrypoint `json:"entrypoints"`
	// Took is the time that the comparison took, in seconds.
	Took float64 `json:"took_s"`
}

// Entrypoint says how far the shapes of requests of one entrypoint were looked at.
type Entrypoint struct {
	Path   string `json:"path"`
	Result Class  `json:"result"`
	// Shapes is how many there are: Proved + Differing + Open + Left.
	Shapes int `json:"shapes"`
	// Proved is how many are proved to be allowed under the same conditions, for all tokens.
	Proved int `json:"proved"`
	// Differing is how many have a finding.
	Differing int `json:"differing"`
	// Open is how many may be wider, as there is neither a proof nor a witness of that; Left is how many were not
	// looked at in time.
	Open int `json:"open"`
	Left int `json:"left"`
	// Candidates is how many documents both policies decided.
	Candidates int `json:"candidates"`
	// Reasons say why shapes are open, the most frequent first.
	Reasons []OpenReason `json:"open_reasons"`
	// Times is how many times of day and week were looked at, where the policies read the clock: what is proved holds
	// at Findings.Now alone. It is 0 for other policies.
	Times int `json:"times,omitzero"`
	// Opaque are the rules that partial evaluation could not look into.
	Opaque []string `json:"opaque"`
}

// OpenReason is why shapes are open.
type OpenReason struct {
	Text   string `json:"text"`
	Shapes int    `json:"shapes"`
	// Example is one of the shapes: "GET /orders".
	Example string `json:"example"`
}

// Finding is one difference: a cause, the requests that it concerns, and a witness for the first of them.
type Finding struct {
	Class      Class  `json:"class"`
	Entrypoint string `json:"entrypoint"`
	// Summary is the difference in words: "allowed now, was denied (missing_role)".
	Summary string `json:"summary"`
	// Places are the requests that it concerns; the first is that of the witness.
	Places []Place `json:"places"`
	// Everywhere is set when it concerns every shape of the entrypoint.
	Everywhere bool `json:"everywhere,omitzero"`
	// Grave says why the finding stands above others: "anonymous", or "cross_tenant"; empty for the rest.
	Grave string `json:"grave,omitzero"`
	// Unreachable says why the sidecar never lets the witness near the policies, such as an inactive token; empty
	// where it does. The finding counts only if that first lock fails.
	Unreachable string `json:"only_if_the_first_lock_fails,omitzero"`
	// OnlyOld and OnlyNew are the conditions in words that only one side asks for.
	OnlyOld []string `json:"only_old"`
	OnlyNew []string `json:"only_new"`
	Witness Witness  `json:"witness"`
}

// Place is the request of a finding, with "*" for a segment that may be any. It is empty for an entrypoint that is not
// asked about requests.
type Place struct {
	Method string `json:"method,omitzero"`
	Path   string `json:"path,omitzero"`
	// Route is the id of the route in the new policies, or in the old ones where the new ones have none.
	Route string `json:"route,omitzero"`
}

// Witness is an input document that the two policies decide differently. Both were asked.
type Witness struct {
	// Document has no member that could be left out.
	Document jsontext.Value `json:"document"`
	// Words tell the document: "x-tenant: t1", "scopes: orders:write", "login: 301 s ago".
	Words []string `json:"words"`
	// Now is the time at which the policies decide differently, where it is another one than Findings.Now.
	Now time.Time `json:"now,omitzero"`
	Old Outcome   `json:"old"`
	New Outcome   `json:"new"`
	// Event is the document as an event of a decision log, for "sidecar explain FILE --policies PATH", which shows how
	// either policy decides it.
	Event jsontext.Value `json:"event"`
	// Commands show both decisions, where FILE holds the event.
	Commands []string `json:"commands"`
}

// Outcome is what one policy makes of a document.
type Outcome struct {
	Allow bool `json:"allow"`
	// Reasons are the codes of a denial.
	Reasons []string `json:"reasons"`
	// Error is why there is no verdict, such as a builtin that failed: the sidecar then denies.
	Error string `json:"error,omitzero"`
	// Answer is the whole result of the policy.
	Answer jsontext.Value `json:"answer,omitzero"`

	// asksOthers is set where there is no verdict because another server is never asked.
	asksOthers bool
}
