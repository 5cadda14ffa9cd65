// Package trace follows an evaluation of OPA, and says by which rules and values it came to its result.
package trace

import (
	"github.com/authz-sidecar/sidecar/internal/input"
)

// Explanation says how the rules led to a decision. The zero value is that of a decision which no policy made.
type Explanation struct {
	// Decided leads from the body of the entrypoint that gave the answer down to the rule whose value the answer is,
	// or that chose it.
	Decided []RuleOutcome `json:"decided"`
	// Held are the rules that the last of Decided needed, and that held.
	Held []RuleOutcome `json:"held"`
	// Reasons are the origins of the reasons of the result, in their order. A reason whose rule was not found is
	// absent.
	Reasons []Reason `json:"reasons"`
	// WouldAllow are the bodies whose value can allow and did not: of the entrypoint, or of the rule that the answer
	// of the entrypoint is taken from. It is empty for a request that is allowed.
	WouldAllow []RuleOutcome `json:"would_allow"`
	// Rules are those that were evaluated, by file and row, without causes.
	Rules []RuleOutcome `json:"rules"`
	// Prints are what print() wrote, in bounds. PrintsErased counts the calls of print() that the policies were
	// compiled without.
	Prints       []Print `json:"prints"`
	PrintsErased int     `json:"prints_erased,omitzero"`
	// Incomplete says why rules may be absent, and is empty when none are.
	Incomplete string `json:"incomplete,omitzero"`

	// Document is what the policies read, or nil when no policy was asked.
	Document *input.Document `json:"-"`
}

// RuleOutcome is the outcome of one body of a rule.
type RuleOutcome struct {
	// Rule is a path: data.authz.allow.
	Rule string `json:"rule"`
	// Part is "default" or "else" for such a body, and else "".
	Part string `json:"part,omitzero"`
	File string `json:"file"`
	Row  int    `json:"row"`
	// Fired is set when the rule had a value.
	Fired bool `json:"fired"`
	// Failed is the first expression, in a rule that did not fire, for which there was no solution. It is nil where
	// the arguments of a call did not match.
	Failed *Expr `json:"failed,omitzero"`
	// Held is the last expression of a rule that fired, where that is a cause.
	Held *Expr `json:"held,omitzero"`
}

// Expr is an expression with the values that it was evaluated with. Failed, it was undefined or false.
type Expr struct {
	// Text is that of the policy; it may have several lines.
	Text string `json:"text"`
	File string `json:"file"`
	Row  int    `json:"row"`
	// Operands are both sides of a comparison, the arguments of a call, or the expression itself where it is a
	// reference. Constants are left out.
	Operands []Operand `json:"operands,omitzero"`
	// Times is how often the expression failed, in an iteration; the operands are those of the first time.
	Times int `json:"times,omitzero"`
	// Causes are the outcomes of the rules that the expression needed: those that did not fire, or under a "not" those
	// that fired. It is only filled within Explanation.Decided and WouldAllow.
	Causes []RuleOutcome `json:"causes,omitzero"`
}

// Operand is one value of an expression.
type Operand struct {
	// Text is that of the policy: input.token.tenant.
	Text string `json:"text"`
	// Path is the reference with its variables replaced, where that is not Text: input.request.headers["x-tenant"] for
	// input.request.headers[name].
	Path string `json:"path,omitzero"`
	// Value is JSON, shortened, where sets are {...}; "" when the operand is undefined.
	Value     string `json:"value,omitzero"`
	Undefined bool   `json:"undefined,omitzero"`
	// Missing is the shortest part of an undefined reference that is undefined too: input.token.auth. It is empty when
	// that is the whole reference.
	Missing string `json:"missing,omitzero"`
}

// Reason is the rule that made a reason.
type Reason struct {
	Code string `json:"code"`
	Rule string `json:"rule"`
	Part string `json:"part,omitzero"`
	File string `json:"file"`
	Row  int    `json:"row"`
	// Held is the last expression of that rule.
	Held *Expr `json:"held,omitzero"`
}

// Print is one text that print() wrote.
type Print struct {
	File string `json:"file"`
	Row  int    `json:"row"`
	Text string `json:"text"`
}
