// Package change says what a change of policies means: which requests are newly allowed or denied, what the policies
// newly reach and read, which rules and data differ, and what the tests of both versions say.
//
//	c, err := change.Of(ctx, old, new, change.Options{})
//	err = c.WriteText(os.Stdout, 100)
package change

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/access"
	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/change/witness"
	"github.com/authz-sidecar/sidecar/internal/replay"
)

// Format is the value of Change.Format.
const Format = "sidecar-review/1"

// Change is what two versions of policies differ in. Its JSON form is stable: members are added, not changed. Texts
// and values come from policies, tests and logs, and are escaped where they are shown.
type Change struct {
	Format string `json:"format"`
	// Tool is the version of the sidecar that compared.
	Tool string `json:"tool"`
	// At is when; Now is the time at which the policies decided.
	At  time.Time `json:"at"`
	Now time.Time `json:"now"`
	Old Version   `json:"old"`
	New Version   `json:"new"`
	// Outcome is the summary in one word.
	Outcome Outcome `json:"outcome"`
	// Findings are the whole change, a line each, what matters most first.
	Findings []Finding `json:"findings"`

	Rules       []Rule       `json:"rules"`
	Entrypoints []Entrypoint `json:"entrypoints"`
	Builtins    []Builtin    `json:"builtins"`
	Hosts       []Host       `json:"hosts"`
	Input       []Member     `json:"input"`
	Reads       []Member     `json:"reads"` // of data
	Data        Data         `json:"data"`
	// Checks are the findings of check that came or went.
	Checks []Check `json:"checks"`
	// Settings are the keys of the configuration that decisions depend on and that differ.
	Settings []Setting `json:"settings,omitempty"`
	// Tests is nil where none were run, as Access is where the routes were not looked at.
	Tests  *Tests  `json:"tests,omitempty"`
	Access *Access `json:"access,omitempty"`
	// Decisions are the requests that both versions decide differently, with witnesses; nil where none were looked
	// for. Replay are the recorded decisions that flip; nil without a log.
	Decisions *witness.Findings `json:"decisions,omitempty"`
	Replay    *replay.Report    `json:"replay,omitempty"`
	// Open is what the comparison does not know, in words: parts that were left out for lack of time or of files.
	Open []string `json:"open,omitempty"`
	// Seconds is how long the comparison took.
	Seconds float64 `json:"seconds"`
	// Digest is "sha256:<hex>" over the canonical JSON (RFC 8785) of the report without this member.
	Digest string `json:"digest"`
}

// Outcome is what a change amounts to.
type Outcome string

// The outcomes, from the gravest.
const (
	Unloadable Outcome = "unloadable" // the new version does not compile: see New.Problems
	Wider      Outcome = "wider"      // a request that was denied is allowed
	Failing    Outcome = "failing"    // a test of the new version fails
	Differs    Outcome = "differs"    // neither, and the policies differ in meaning
	Same       Outcome = "same"       // texts differ in format, comments and places of rules at most
)

// Version is one side of a change.
type Version struct {
	// Name is what the command was given, such as "policies,bundles/example".
	Name string `json:"name"`
	// Revision is the one that decisions carry.
	Revision string `json:"revision,omitzero"`
	// Digest is "sha256:<hex>". Covers says over what: "bundle" is the content digest of the one bundle, which
	// signatures, the status and decisions name; "files" covers all files of all sources, with their names; for
	// "commit" it is "git:<commit>".
	Digest string `json:"digest"`
	Covers string `json:"covers"`
	// Sources are the directories, bundles and archives, in the order of the configuration, without the library.
	Sources []Source `json:"sources"`
	// EmbeddedLibrary is the version of the library that the policies use; empty where they use none.
	EmbeddedLibrary string   `json:"library,omitzero"`
	Entrypoints     []string `json:"entrypoints"`
	Modules         int      `json:"modules"`
	Rules           int      `json:"rules"`
	// Problems are why this version does not compile.
	Problems []Problem `json:"problems,omitempty"`
}

// Source is a directory, a bundle folder or an archive.
type Source struct {
	Name string `json:"name"`
	// Kind is "directory" or "bundle".
	Kind     string `json:"kind"`
	Revision string `json:"revision,omitzero"`
	// Digest is the content digest of a bundle: that which its signature and the status name, and of a folder that of
	// the archive which sidecar bundle build makes of it.
	Digest string   `json:"digest,omitzero"`
	Roots  []string `json:"roots,omitempty"`
	// Signed is what was verified of its signatures.
	Signed bundle.Signed `json:"signed,omitzero"`
}

// Problem is why a version does not compile, with a place.
type Problem struct {
	File    string `json:"file"`
	Row     int    `json:"row,omitzero"`
	Col     int    `json:"col,omitzero"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// String is the problem as check prints it.
func (p Problem) String() string { return bundle.Problem(p).String() }

// Access is the access matrix before and after.
type Access struct {
	Old *access.Matrix `json:"old"`
	New *access.Matrix `json:"new"`
	// Rows are those that differ, wider ones first.
	Rows []Row `json:"rows"`
}

// Row is a route whose row in the matrix differs.
type Row struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Route  string `json:"route,omitzero"`
	How    How    `json:"change"`
	// Direction is what the needs of both rows tell.
	Direction Direction `json:"direction"`
	// Old and New are nil for an added and a removed row.
	Old *access.Row `json:"old,omitempty"`
	New *access.Row `json:"new,omitempty"`
	// Gained and Lost are tokens of the suites, as "suite/token", that may take the route now, or no longer.
	Gained []string `json:"gained,omitempty"`
	Lost   []string `json:"lost,omitempty"`
}

// Direction says who gets through by comparison.
type Direction string

// The directions.
const (
	IsWider    Direction = "wider"
	IsNarrower Direction = "narrower"
	IsBoth     Direction = "both"    // some requests are newly allowed, others newly denied
	IsUnknown  Direction = "unknown" // the conditions cannot be compared
)
