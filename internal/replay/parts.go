package replay

import "time"

// Obstacle is a class of events that were not decided anew.
type Obstacle struct {
	Class ObstacleClass `json:"class"`
	// Text says what the class means.
	Text  string `json:"text"`
	Count int    `json:"count"`
	// Details are what differs within the class, the most frequent first: members that were masked, entrypoints,
	// builtins.
	Details []Count `json:"details"`
	// Example is a decision of the class.
	Example Reference `json:"example"`
}

// ObstacleClass says why an event cannot be decided anew.
type ObstacleClass string

// The classes of obstacles.
const (
	// NoInput is an event without document.
	NoInput ObstacleClass = "no_input"
	// MaskedInput is one of which members are missing that the policy may read.
	MaskedInput ObstacleClass = "masked_input"
	// OtherInput is one whose document has another version, or members that this version does not know.
	OtherInput ObstacleClass = "other_input"
	// EntrypointGone is one that asked an entrypoint which the policy does not have. Such a call is refused.
	EntrypointGone ObstacleClass = "entrypoint_gone"
	// Network is one whose decision calls a builtin that asks the network; it is not called.
	Network ObstacleClass = "network"
	// Machine is one whose decision reads the machine: its clock or its environment, which the log does not have.
	Machine ObstacleClass = "machine"
	// Deadline is one whose evaluation took longer than its deadline, then or now.
	Deadline ObstacleClass = "deadline"
)

// Reference finds an event.
type Reference struct {
	DecisionID string    `json:"decision_id"`
	Time       time.Time `json:"time"`
	// Log is empty, and Line 0, for an event that came from no file.
	Log  string `json:"log,omitzero"`
	Line int    `json:"line,omitzero"`
}

// Breakdown counts the replayed decisions by what they are about: rows with changes only, the gravest first.
type Breakdown struct {
	Entrypoints Table `json:"entrypoints"`
	Routes      Table `json:"routes"`
	Clients     Table `json:"clients"`
	Tenants     Table `json:"tenants"`
	// Scopes has a decision once for each scope of its token.
	Scopes Table `json:"scopes"`
	// Reasons has a decision once for each code that only one of both decisions has: "+code" and "-code".
	Reasons Table `json:"reasons"`
	// Rules has the changed decisions that were explained, by the rule that decided anew.
	Rules RuleTable `json:"rules"`
}

// Table counts decisions by one property.
type Table struct {
	Rows []Row `json:"rows"`
	// Left counts the changed decisions of rows that are left out, LeftRows those rows.
	Left     int `json:"left,omitzero"`
	LeftRows int `json:"left_rows,omitzero"`
}

// Row counts the decisions with one name: a route, a client. An empty name stands for those that have none.
type Row struct {
	Name string `json:"name"`
	// Decisions is how many were replayed, Counts.Unchanged among them.
	Decisions int    `json:"decisions"`
	Counts    Counts `json:"changes"`
}

// RuleTable counts changed decisions by rule.
type RuleTable struct {
	Rows []RuleRow `json:"rows"`
	// Explained is how many of Changed were explained: evenly from all classes, routes and reasons.
	Explained int `json:"explained"`
	Changed   int `json:"changed"`
}

// RuleRow counts the changed decisions that a rule decided.
type RuleRow struct {
	Rule
	Counts Counts `json:"changes"`
}

// Rule is a body of a rule.
type Rule struct {
	// Rule is data.authz.decision; Part is "default" or "else" for such a body.
	Rule string `json:"rule"`
	Part string `json:"part,omitzero"`
	File string `json:"file"`
	Row  int    `json:"row"`
}

// Example is a decision that changed.
type Example struct {
	Class Class `json:"class"`
	Reference
	Entrypoint string `json:"entrypoint"`
	// Method and Path say what was asked, without query; of a question that is about no HTTP request, the action, and
	// type and id of the resource. Route is its row of Breakdown.Routes.
	Method  string   `json:"method"`
	Path    string   `json:"path"`
	Route   string   `json:"route"`
	Client  string   `json:"client,omitzero"`
	Subject string   `json:"subject,omitzero"`
	Tenant  string   `json:"tenant,omitzero"`
	Scopes  []string `json:"scopes,omitempty"`
	// Was is what the log says, or the baseline; Now is what the candidate says.
	Was Answer `json:"was"`
	Now Answer `json:"now"`
	// Differs names what differs: "kind", "status", "reasons", or members of the result: "upstream_headers".
	Differs []string `json:"differs"`
	// WasBy and NowBy are the rules that decided, where the decision was explained; WasBy needs a baseline.
	WasBy *Rule `json:"was_by,omitempty"`
	NowBy *Rule `json:"now_by,omitempty"`
	// Why explains the decision of the candidate, in lines; empty where it was not explained.
	Why string `json:"why,omitzero"`
	// Command explains it in full.
	Command string `json:"command"`
}

// Answer is one decision.
type Answer struct {
	Kind    string   `json:"kind"`
	Status  int      `json:"status"`
	Reasons []Reason `json:"reasons,omitempty"`
	// Cause is why there is no verdict.
	Cause string `json:"cause,omitzero"`
}

// Reason is why a request is denied.
type Reason struct {
	Code    string `json:"code"`
	Message string `json:"message,omitzero"`
}

// Coverage is what of the candidate the recorded decisions reached.
type Coverage struct {
	// Entrypoints are those of the candidate, with how many recorded decisions asked them.
	Entrypoints []Count `json:"entrypoints"`
	// Decisions is how many evaluations were followed for Rules: some of each entrypoint, route, kind and reasons.
	Decisions int `json:"decisions"`
	// Rules is how many bodies of rules the entrypoints depend on, without the library; Reached is how many of them
	// had a value for some decision; Unreached are the others.
	Rules     int    `json:"rules"`
	Reached   int    `json:"reached"`
	Unreached []Rule `json:"unreached"`
}
