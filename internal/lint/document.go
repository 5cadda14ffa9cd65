package lint

import "encoding/json"

// document is what the rules of the pack see of one module, as their input. A place is [row, column], from 1.
type document struct {
	File    string   `json:"file"`
	Package []string `json:"package"` // data, authz
	Place   place    `json:"place"`   // of the package
	Title   bool     `json:"title"`   // some metadata have a title
	Test    bool     `json:"test"`
	// Log is set for the policies of the decision log, whose input is another.
	Log bool `json:"log"`
	// NotKeyword is set when the module imports future.keywords.not: a negated call with an undefined argument holds.
	NotKeyword bool `json:"not_keyword"`

	Branches []branch `json:"branches"`
	Exprs    []expr   `json:"exprs"`
	// Calls are all calls by the name of the function, wherever they are: "startswith", "data.lib.f", "equal".
	Calls map[string][]call `json:"calls"`
	// Refs are all references to the input, by the first two names: "input.request".
	Refs map[string][]reference `json:"refs"`
	// Headers are the members with one of the names upstream_headers and response_headers, of all objects.
	Headers []member `json:"headers"`
	// Locals are the declared variables and the arguments, Iterators those that only a reference declares.
	Locals    []local `json:"locals"`
	Iterators []local `json:"iterators"`
}

type place [2]int

// branch is a rule, or one else of a rule.
type branch struct {
	Name  string `json:"name"`
	Path  string `json:"path"` // data.authz.allow
	Kind  string `json:"kind"` // complete, function, set, object
	Place place  `json:"place"`
	// Else counts from 1 for the first else of a rule; 0 is the rule itself.
	Else    int  `json:"else"`
	Default bool `json:"default"`
	// Bare is set when there is no body.
	Bare  bool  `json:"bare"`
	Value *term `json:"value,omitempty"`
	// Entrypoint is set for the rule of an entrypoint, Reached for each that an entrypoint depends on.
	Entrypoint bool `json:"entrypoint"`
	Reached    bool `json:"reached"`
	// Allows and Denies say what it means for a decision that the body holds.
	Allows bool `json:"allows"`
	Denies bool `json:"denies"`
	// Refuses is set when the value denies.
	Refuses bool `json:"refuses"`
	// Reads are the parts of the input that the condition depends on, through other rules too: input.request,
	// input.token. The condition is the body and what the value has for allow.
	Reads []string `json:"reads"`
}

// expr is an expression of a body.
type expr struct {
	Branch  int   `json:"branch"`
	Place   place `json:"place"`
	Negated bool  `json:"negated"`
	// Form is call, term, assign, some or every. An assignment gives a declared variable a value.
	Form string `json:"form"`
	Text string `json:"text"`
	// Before are the expressions that have been evaluated before, of this body and of those around it.
	Before []int `json:"before"`
	// Paths are all paths under input that occur in the expression.
	Paths []string `json:"paths"`
	Term  *term    `json:"term,omitempty"` // of a term, the value of an assignment, the domain of every
	// Call is the name of a call, Args its arguments.
	Call string `json:"call,omitempty"`
	Args []term `json:"args,omitempty"`
	Top  bool   `json:"top"` // in the body of the branch itself
}

// call is a call of a function, a builtin or an operator.
type call struct {
	Branch int   `json:"branch"`
	Place  place `json:"place"`
	// Expr is the expression around the call, or -1 in a head.
	Expr    int    `json:"expr"`
	Negated bool   `json:"negated"` // the expression is negated
	Args    []term `json:"args"`
	Text    string `json:"text"`
}

// reference is a reference to the input.
type reference struct {
	Branch int      `json:"branch"`
	Place  place    `json:"place"`
	Expr   int      `json:"expr"` // -1 in a head
	Path   []string `json:"path"`
	Text   string   `json:"text"` // as textOfPath
	// Written is set when the reference is in the text as it stands, not behind a variable.
	Written bool `json:"written"`
}

// member is the value of a member of an object.
type member struct {
	Branch int    `json:"branch"`
	Place  place  `json:"place"`
	Name   string `json:"name"`
	Value  term   `json:"value"`
}

type local struct {
	Name  string `json:"name"`
	Place place  `json:"place"`
}

// term is a value in a rule. A variable is described as what it was given.
type term struct {
	Kind  string `json:"kind"` // as ast.ValueName, and ref, var, call, comprehension, text
	Text  string `json:"text"` // as written, or nearly
	Place place  `json:"place"`
	// Constant is set when there are neither variables nor references; Value is then the value, but for sets.
	Constant bool            `json:"constant"`
	Value    json.RawMessage `json:"value,omitempty"`
	// Path is the place under input or data that the term stands for, with "_" for variables.
	Path []string `json:"path,omitempty"`
	// Optional is set when the path is of a member of the input that may be absent.
	Optional bool `json:"optional"`
	// Ref is the path as a reference is written.
	Ref string `json:"ref,omitempty"`
	// Name is the name of a call, Items its arguments, the elements of an array or set, or the values of an object.
	Name  string   `json:"name,omitempty"`
	Items []term   `json:"items,omitempty"`
	Keys  []string `json:"keys,omitempty"` // of an object
	// Defaulted is set for an object.get.
	Defaulted bool `json:"defaulted"`
	// Renamed is set when the term is written as a variable. Uses counts how often the rule names a variable of
	// "some x in xs", its declaration included.
	Renamed bool `json:"renamed"`
	Uses    int  `json:"uses"`
}
