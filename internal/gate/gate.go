// Package gate says what must hold of new policies before they decide. Package stage asks it.
package gate

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/replay"
)

// The names of the gates.
const (
	CapabilitiesName = "capabilities"
	TestsName        = "tests"
	ReplayName       = "replay"
)

// Names lists every gate, in the order in which they are asked.
var Names = [...]string{CapabilitiesName, TestsName, ReplayName}

// The modes of a gate.
const (
	Off    = "off"
	Warn   = "warn"
	Refuse = "refuse"
)

// Config says which gates are asked.
type Config struct {
	Timeout      time.Duration `yaml:"timeout" default:"30s" min:"100ms" max:"10m" doc:"Longest time that the gates take, together. A gate that is not done by then has not passed."`
	Retry        time.Duration `yaml:"retry" default:"1m" min:"1s" max:"24h" doc:"How often refused policies are looked at again: the gates are asked anew when tests changed, or when enough decisions were made where there were too few."`
	Capabilities Capabilities  `yaml:"capabilities" doc:"Gate: builtins that reach the network or the machine, and hosts of http.send."`
	Tests        Tests         `yaml:"tests" doc:"Gate: Rego tests and decision suites."`
	Replay       Replay        `yaml:"replay" doc:"Gate: the latest decisions, decided anew by the new policies and by those that serve."`
}

// Capabilities is about what the entrypoints of new policies may reach.
type Capabilities struct {
	Mode  string   `yaml:"mode" default:"warn" enum:"off|warn|refuse" doc:"What happens when entrypoints reach more than the policies that serve do, or than allow lists."`
	Allow []string `yaml:"allow" doc:"Builtins of engine.allow_builtins, and hosts of http.send, that may be reached: http.send, api.example.com, api.example.com:8443, *.example.com; * is any host. When the list is empty, new policies are compared with those that serve."`
}

// Tests is about tests of the policies.
type Tests struct {
	Mode        string   `yaml:"mode" default:"off" enum:"off|warn|refuse" doc:"What happens when a test fails, there are none, or the coverage is too low."`
	Paths       []string `yaml:"paths" path:"read" doc:"Directories of Rego tests and suites of your own, run together with those beside the policies and in bundles."`
	MinCoverage float64  `yaml:"min_coverage" max:"100" doc:"Least share of the lines of the policies that tests evaluate, in percent. 0 measures nothing."`
}

// Replay is about recent decisions.
type Replay struct {
	Mode             string `yaml:"mode" default:"off" enum:"off|warn|refuse" doc:"What happens when more recent decisions change than the limits allow. Decisions are kept in memory unless it is off."`
	Last             int    `yaml:"last" default:"1000" min:"1" max:"1000000" doc:"Latest decisions that are kept in memory."`
	Bytes            int64  `yaml:"bytes" default:"16777216" min:"65536" doc:"Most memory spent on them, estimated. The oldest are dropped."`
	MaxDenyToAllow   string `yaml:"max_deny_to_allow" default:"0" doc:"Most denied requests that new policies may allow: a number, a percentage such as 0.5%, or none for no limit."`
	MaxAllowToDeny   string `yaml:"max_allow_to_deny" default:"1%" doc:"Most allowed requests that they may deny."`
	MaxErrors        string `yaml:"max_errors" default:"0" doc:"Most requests for which they may give no verdict."`
	MaxNotReplayable string `yaml:"max_not_replayable" default:"none" doc:"Most decisions that cannot be made anew, such as those that asked the network."`
	MinDecisions     int    `yaml:"min_decisions" default:"100" min:"1" doc:"Fewer decisions than that are too few to compare by a share; a limit that is a number counts in any case."`
	TooFew           string `yaml:"too_few" default:"pass" enum:"pass|refuse" doc:"What happens then, as at a start: pass, or the same as for a limit that is not kept."`
}

// Check reports what can be the name neither of a builtin nor of a host.
func (c Capabilities) Check(fault func(key, cause, hint string)) {
	for i, name := range c.Allow {
		if name == "" || strings.ContainsAny(name, "/ ") {
			fault(fmt.Sprintf("allow[%d]", i), fmt.Sprintf("%q is neither a builtin nor a host", name),
				"write the host alone, such as api.example.com, api.example.com:8443 or *.example.com")
		}
	}
}

// Doubts are what is well-formed in c and probably not what is meant, with the key of each.
func (c Config) Doubts(doubt func(key, cause, hint string)) {
	const hint = "set the mode to warn or refuse"
	if c.Capabilities.Mode == Off && len(c.Capabilities.Allow) > 0 {
		doubt("capabilities.allow", "is set, and the gate is off: nothing is compared with it", hint)
	}
	if c.Tests.Mode == Off && len(c.Tests.Paths) > 0 {
		doubt("tests.paths", "is set, and the gate is off: no test runs before policies decide", hint)
	}
	if c.Tests.Mode == Off && c.Tests.MinCoverage > 0 {
		doubt("tests.min_coverage", "is set, and the gate is off: no coverage is measured", hint)
	}
}

// Check reports directories that are none.
func (t Tests) Check(fault func(key, cause, hint string)) {
	for i, dir := range t.Paths {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			fault(fmt.Sprintf("paths[%d]", i), fmt.Sprintf("directory %q does not exist, or is no directory", dir),
				"create it, or correct its name; a relative one starts at the configuration file")
		}
	}
}

const noLimit = "none"

// Limits are the limits of r, in the terms of package replay.
func (r Replay) Limits() (l replay.Limits, err error) {
	l.Empty = replay.EmptyPasses // MinDecisions judges that
	r.each(func(_, text string, limit **replay.Limit) {
		if parsed, failed := replay.ParseLimit(text); failed != nil {
			err = failed
		} else {
			*limit = &parsed
		}
	}, &l)
	return l, err
}

// each calls do for each limit that is set.
func (r Replay) each(do func(key, text string, limit **replay.Limit), l *replay.Limits) {
	for _, limit := range []struct {
		key, text string
		into      **replay.Limit
	}{
		{"max_deny_to_allow", r.MaxDenyToAllow, &l.DenyToAllow},
		{"max_allow_to_deny", r.MaxAllowToDeny, &l.AllowToDeny},
		{"max_errors", r.MaxErrors, &l.Errors},
		{"max_not_replayable", r.MaxNotReplayable, &l.NotReplayable},
	} {
		if limit.text != noLimit && limit.text != "" {
			do(limit.key, limit.text, limit.into)
		}
	}
}

// Check reports limits that are none, and too few decisions by their number.
func (r Replay) Check(fault func(key, cause, hint string)) {
	r.each(func(key, text string, _ **replay.Limit) {
		if _, err := replay.ParseLimit(text); err != nil {
			fault(key, err.Error(), "write a number such as 0, a percentage such as 0.5%, or none")
		}
	}, &replay.Limits{})
	if r.MinDecisions > r.Last && r.Last > 0 {
		fault("min_decisions", "is more than last: there would always be too few",
			"write a smaller number, or a larger last")
	}
}
