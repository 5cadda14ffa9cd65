package change

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/engine/meaning"
)

// How says what became of something.
type How string

// What may become of something.
const (
	Added   How = "added"
	Removed How = "removed"
	Changed How = "changed"
	// Moved is a rule that is the same in another file, Restyled one whose format or comments differ.
	Moved    How = "moved"
	Restyled How = "restyled"
)

// Rule is one definition of a rule that came, went or differs. A path may have several definitions.
type Rule struct {
	// Path is data.authz.allowed.
	Path string `json:"path"`
	How  How    `json:"change"`
	// Old and New are nil for an added and a removed definition.
	Old *meaning.Text `json:"old,omitempty"`
	New *meaning.Text `json:"new,omitempty"`
	// Parts are what differs in a changed definition: "conditions", "value", "else", "arguments", "metadata",
	// "default".
	Parts []string `json:"parts,omitempty"`
	// Dropped and Gained are the conditions of the body that only one version has, as Rego.
	Dropped []string `json:"dropped,omitempty"`
	Gained  []string `json:"gained,omitempty"`
	// Bears says how the rule bears on what is allowed, in the old version where that has it. Denies is set where more
	// of the rule means that less is allowed: others ask that it is undefined or empty.
	Bears  meaning.Bearing `json:"bears"`
	Denies bool            `json:"denies,omitzero"`
	// Entrypoints are those whose answers may depend on it, in either version.
	Entrypoints []string `json:"entrypoints,omitempty"`
}

// Entrypoint is one that came, went, or asks for other facts.
type Entrypoint struct {
	Path string `json:"path"`
	How  How    `json:"change"`
	// Old and New are what its metadata say, in words: freshness, scope.
	Old string `json:"old,omitzero"`
	New string `json:"new,omitzero"`
}

// Builtin is one that entrypoints newly reach, or no longer.
type Builtin struct {
	Name string `json:"name"`
	// Class is "network", "machine", "clock", "random", "crypto", "token" or "other".
	Class       string          `json:"class"`
	How         How             `json:"change"`
	Entrypoints []string        `json:"entrypoints"`
	Places      []meaning.Place `json:"places"`
}

// Host is a host that http.send may reach newly, or no longer.
type Host struct {
	// Host is a name with its port, where one is written; "*" for any, where the URL is computed.
	Host        string          `json:"host"`
	How         How             `json:"change"`
	Entrypoints []string        `json:"entrypoints"`
	Places      []meaning.Place `json:"places"`
}

// Member is a member of the input or of data that is newly read, or no longer.
type Member struct {
	// Path is input.token.claims.email; "_" stands for a name that is computed.
	Path        string          `json:"path"`
	How         How             `json:"change"`
	Entrypoints []string        `json:"entrypoints"`
	Places      []meaning.Place `json:"places"`
}

// Data are the differences of the data.
type Data struct {
	// Values are the first of them, those that rules read before others.
	Values []Value `json:"values"`
	// Left counts those that are left out.
	Left int `json:"left,omitzero"`
}

// Value is a value of the data that came, went or differs.
type Value struct {
	// Path is data.routes["/orders"].GET.scopes[0].
	Path string `json:"path"`
	How  How    `json:"change"`
	// Old and New are JSON; a large value is a text that says how large it is.
	Old jsontext.Value `json:"old,omitempty"`
	New jsontext.Value `json:"new,omitempty"`
	// File and Row are where it is, in the version that has it, the new one first.
	File string `json:"file,omitzero"`
	Row  int    `json:"row,omitzero"`
	// Readers are rules that read it and that entrypoints depend on; without one, no decision depends on it.
	Readers []string `json:"readers"`
}

// Check is a finding of check.
type Check struct {
	How     How    `json:"change"` // Added or Removed
	File    string `json:"file"`
	Row     int    `json:"row,omitzero"`
	Col     int    `json:"col,omitzero"`
	Code    string `json:"code"`
	Level   string `json:"level"` // error, warning, note
	Message string `json:"message"`
}

// Setting is a key of the configuration that differs.
type Setting struct {
	Key string `json:"key"`
	Old string `json:"old"`
	New string `json:"new"`
}

// Tests are what the tests of both versions say.
type Tests struct {
	Old *Run `json:"old,omitempty"`
	New *Run `json:"new,omitempty"`
	// OldOnNew are the tests and suites of the old version, run against the new policies.
	OldOnNew *Run `json:"old_on_new,omitempty"`
	// Broken passed before and fail now, by the same name; Failing fail in the new version and did not exist, or
	// failed before.
	Broken  []Test `json:"broken"`
	Failing []Test `json:"failing"`
	// OldFailing are tests of the old version that pass with the old policies and fail with the new ones, without
	// those of Broken.
	OldFailing []Test `json:"old_failing"`
	Removed    []Test `json:"removed"`
	Added      []Test `json:"added"`
	// Rewritten are tests whose text changed together with a rule that they test.
	Rewritten []Test `json:"rewritten"`
}

// Run is one run of tests.
type Run struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
	// Coverage is in percent of the lines of the policies; nil where it was not measured.
	Coverage *float64 `json:"coverage,omitempty"`
	// Problems are why the tests do not load.
	Problems []Problem `json:"problems,omitempty"`
}

// Test is a Rego test, or a case of a suite.
type Test struct {
	// Group is the package of a Rego test ("data.authz_test"), or the name of a suite.
	Group string `json:"group"`
	Name  string `json:"name"`
	File  string `json:"file"`
	Row   int    `json:"row"`
	// Output is why it fails.
	Output []string `json:"output,omitempty"`
	// Rules are those that changed with a rewritten test.
	Rules []string `json:"rules,omitempty"`
}
