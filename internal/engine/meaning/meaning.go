// Package meaning says what compiled policies mean without evaluating them: their rules as text and in a form that
// overlooks format, and for each entrypoint what its answers may depend on: rules, members of the input and of data,
// builtins, and the hosts that http.send may reach. It says too much rather than too little.
package meaning

// Place is a rule, and where it is.
type Place struct {
	// Rule is data.authz.allowed; empty for a place outside of rules.
	Rule string `json:"rule,omitzero"`
	File string `json:"file,omitzero"`
	Row  int    `json:"row,omitzero"`
}

// Text is a definition of a rule as it is written.
type Text struct {
	File string `json:"file"`
	Row  int    `json:"row"`
	// Rego is the source from the first character of the rule to its last, with its else branches.
	Rego string `json:"rego"`
	// Metadata is the annotation of the rule as JSON; empty where it has none.
	Metadata string `json:"metadata,omitzero"`
}
