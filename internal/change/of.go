package change

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/change/witness"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/engine/meaning"
	"github.com/authz-sidecar/sidecar/internal/replay"
)

// Side is one version of the policies.
type Side struct {
	// Name is what the user named it.
	Name string
	// Config names the sources under policies, and says how decisions are made.
	Config *config.Config
	// Set and Policy are those of one load. Both are nil where Problems says why there are none.
	Set      *bundle.Set
	Policy   *engine.Policy
	Problems bundle.Problems
	// TestDirs hold tests and suites that are not beside the policies.
	TestDirs []string
	// Hidden is the beginning of names of files that the report shows as Shown; empty where there is none.
	Hidden, Shown string
	// Commit is the git commit that the files are of; empty where they are of none.
	Commit string
}

// Depth says how much is compared.
type Depth uint8

// The depths.
const (
	// Static compares what can be told without deciding anything.
	Static Depth = iota
	// Full also runs the tests, compares the access matrix, and looks for witnesses.
	Full
)

// Options say what is compared.
type Options struct {
	Depth Depth
	// Tool is the version of the sidecar.
	Tool string
	// Now is the time at which the policies decide; the zero time stands for the present.
	Now time.Time
	// Budget bounds the search for witnesses, and the access matrix as much; 0 stands for witness.DefaultBudget.
	Budget time.Duration
	// Logs are replayed by both sides; nil for none.
	Logs replay.Events
	// MinCoverage is the floor of the coverage in percent; 0 for none.
	MinCoverage float64
	// Allowed are the identifiers of findings that were reviewed.
	Allowed []string
	// Progress, where it is not nil, is told what is being done; total is 0 where that is not known.
	Progress func(stage string, done, total int)
}

// Of compares two versions. The old one must compile; a new one that does not is the whole report. An error is that of
// ctx, or says which part of the comparison failed.
func Of(ctx context.Context, from, to Side, opts Options) (*Change, error) {
	begun := time.Now()
	if opts.Now.IsZero() {
		opts.Now = begun
	}
	if opts.Progress == nil {
		opts.Progress = func(string, int, int) {}
	}
	opts.Now = opts.Now.Truncate(time.Second).UTC()
	c := newChange(opts, begun)
	c.Old, c.New = versionOf(from), versionOf(to)
	switch {
	case from.Set == nil || from.Policy == nil:
		return nil, errors.New("compare policies: the old version does not compile")
	case to.Set == nil || to.Policy == nil:
		c.conclude(comparison{from: from, to: to, opts: opts})
		return c, c.seal(begun)
	}
	from.Policy, to.Policy = from.Policy.Offline(), to.Policy.Offline() // a review asks no other server
	x := comparison{from: from, to: to, opts: opts}
	var err error
	opts.Progress("rules", 0, 0)
	if x.old, err = from.meaning(); err != nil {
		return nil, err
	}
	if x.new, err = to.meaning(); err != nil {
		return nil, err
	}
	c.Old.Rules, c.New.Rules = x.old.count(), x.new.count()
	c.Rules = x.rules()
	c.Entrypoints = x.entrypoints()
	c.Builtins, c.Hosts, c.Input, c.Reads = x.builtins(), x.hosts(), x.members(inputOf), x.members(dataOf)
	c.Data = x.data()
	c.Settings = x.settings()
	if opts.Depth == Full {
		if err := c.examine(ctx, x); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	from.shown(c)
	to.shown(c)
	c.conclude(x)
	return c, c.seal(begun)
}

// newChange is a report whose lists are empty and not null.
func newChange(opts Options, at time.Time) *Change {
	return &Change{Format: Format, Tool: opts.Tool, At: at.UTC().Truncate(time.Second), Now: opts.Now,
		Findings: []Finding{}, Rules: []Rule{}, Entrypoints: []Entrypoint{}, Builtins: []Builtin{}, Hosts: []Host{},
		Input: []Member{}, Reads: []Member{}, Data: Data{Values: []Value{}}, Checks: []Check{}}
}

// comparison is what both sides are.
type comparison struct {
	from, to Side
	opts     Options
	old, new program
}

// program is the meaning of a side.
type program struct{ *meaning.Program }

func (s Side) meaning() (program, error) {
	p, err := meaning.Of(s.Set, s.Config.EngineConfig().Rego(), s.Policy.Entrypoints())
	if err != nil {
		return program{}, fmt.Errorf("compare policies: %s: %w", s.Name, err)
	}
	return program{p}, nil
}

// count is how many definitions of rules there are outside of the library of the binary.
func (p program) count() (n int) {
	for _, d := range p.Definitions {
		if !d.Embedded && d.Parts[meaning.PartName] != "" {
			n++
		}
	}
	return n
}

// examine is the part of a full comparison that decides requests.
func (c *Change) examine(ctx context.Context, x comparison) error {
	x.opts.Progress("tests", 0, 0)
	var err error
	if c.Tests, err = x.tests(ctx, c.Rules); err != nil {
		return err
	}
	x.opts.Progress("check", 0, 0)
	if c.Checks, err = x.checks(ctx); err != nil {
		return err
	}
	x.opts.Progress("access matrix", 0, 0)
	if c.Access, err = x.access(ctx); err != nil {
		return err
	}
	found, err := witness.Compare(ctx, x.from.witnessed(), x.to.witnessed(), witness.Options{Now: x.opts.Now,
		Budget: x.opts.Budget, Requests: x.requests(),
		Progress: func(done, total int) { x.opts.Progress("witnesses", done, total) }})
	if err != nil {
		return fmt.Errorf("look for witnesses: %w", err)
	}
	c.Decisions = &found
	if x.opts.Logs == nil {
		return nil
	}
	c.Replay, err = replay.Run(ctx, x.opts.Logs, replay.Options{
		Candidate: x.to.replayed(), Baseline: x.from.replayed(),
		Progress: func(p replay.Progress) { x.opts.Progress("recorded decisions", p.Decisions, 0) }})
	return err
}

func (s Side) witnessed() witness.Side {
	return witness.Side{Name: s.Name, Set: s.Set, Policy: s.Policy, Config: s.Config}
}

func (s Side) replayed() replay.Side { return replay.Side{Name: s.Name, Set: s.Set, Policy: s.Policy} }
