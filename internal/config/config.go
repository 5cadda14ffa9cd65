// Package config reads one strict YAML file and the environment into the Config structs of the other packages.
//
// It knows no key by name. Keys, defaults, bounds and descriptions are struct tags (see package conf), and rules that
// span keys are Check methods: a new key needs no code here. All faults are reported at once, each with its line and a
// hint.
package config

import (
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/decisionlog"
	"github.com/authz-sidecar/sidecar/internal/door/authzen"
	"github.com/authz-sidecar/sidecar/internal/door/opa"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/proof"
	"github.com/authz-sidecar/sidecar/internal/resource"
	"github.com/authz-sidecar/sidecar/internal/signals/receivers"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
	"github.com/authz-sidecar/sidecar/internal/upstreamtoken"
)

// MaxBytes bounds a configuration file.
const MaxBytes = 1 << 20

// Config is the whole configuration, in the layout of the file.
type Config struct {
	Listen          Listen               `yaml:"listen" default:"api.address=127.0.0.1:8181,admin.address=127.0.0.1:8282" doc:"Where the sidecar listens."`
	Issuers         []issuer.Config      `yaml:"issuers" doc:"Authorization servers whose tokens are accepted."`
	Events          []receivers.Config   `yaml:"events" doc:"Sources of revocation events, one item per issuer."`
	Proof           proof.Config         `yaml:"proof" doc:"Proof of possession: how clients prove that they hold the key of a bound token."`
	Policies        Policies             `yaml:"policies" doc:"Where policies and their data come from."`
	Engine          engine.Config        `yaml:"engine" doc:"Limits of policies."`
	Input           input.Config         `yaml:"input" doc:"Parts of a request that policies see."`
	Resources       []resource.Config    `yaml:"resources" doc:"Protected resources that the sidecar stands for: their metadata (RFC 9728), their challenges, and MCP endpoints."`
	OPA             opa.Config           `yaml:"opa" doc:"The data API of OPA, for its clients."`
	Decision        decision.Config      `yaml:"decision" doc:"How a request becomes a decision."`
	UpstreamToken   upstreamtoken.Config `yaml:"upstream_token" doc:"Signed identity for the upstream: a short-lived JWT in a header of every allow."`
	AuthZEN         authzen.Config       `yaml:"authzen" doc:"AuthZEN Authorization API 1.0 on the api listener."`
	DecisionLog     decisionlog.Config   `yaml:"decision_log" doc:"Decision log."`
	Telemetry       telemetry.Config     `yaml:"telemetry" doc:"The sidecar's own log, and traces."`
	ShutdownDelay   time.Duration        `yaml:"shutdown_delay" default:"0s" max:"10m" doc:"Time between the signal to stop and the stop. /readyz is 503 and calls are still taken, so that balancers send new ones elsewhere."`
	ShutdownTimeout time.Duration        `yaml:"shutdown_timeout" default:"10s" min:"100ms" max:"10m" doc:"Timeout of a stop. Calls in flight have three quarters of it."`

	warnings Faults
}

// Check reports faults that span the sections of several packages.
func (c Config) Check(fault func(key, cause, hint string)) {
	if len(c.Issuers) == 0 {
		fault("issuers", "none is configured",
			`add "issuers:" with an item that has an issuer or an introspection_endpoint`)
		return
	}
	issuer.CheckAll(c.Issuers, fault)
	for i, issuer := range c.Issuers {
		if name := issuer.Match.Header; input.HoldsCredential(name) {
			fault(fmt.Sprintf("issuers[%d].match.header", i), name+" may hold a credential: no issuer is chosen by it",
				"choose by another header, or by match.hosts")
		}
	}
	c.checkCredentials(fault)
	c.checkEvents(fault)
	c.checkEntrypoints(fault)
	resource.CheckAll(c.Resources, fault)
}

// checkEntrypoints reports entrypoints that are written as references of Rego.
func (c Config) checkEntrypoints(fault func(key, cause, hint string)) {
	check := func(key, name string) {
		if path, ok := strings.CutPrefix(name, "data."); ok {
			fault(key, conf.Quote(name)+" is a reference of Rego, not a path",
				"write "+strings.ReplaceAll(path, ".", "/"))
		}
	}
	check("decision.entrypoint", c.Decision.Entrypoint)
	for _, d := range c.Listen.entrypoints() {
		check("listen."+d.listener+".entrypoint", d.asks)
	}
	for i, name := range c.Engine.Entrypoints {
		check(fmt.Sprintf("engine.entrypoints[%d]", i), name)
	}
}

// checkEvents reports sources of events whose issuer is missing, repeated, or without an identifier.
func (c Config) checkEvents(fault func(key, cause, hint string)) {
	seen := map[string]bool{}
	for i, e := range c.Events {
		key := fmt.Sprintf("events[%d].issuer", i)
		known := slices.IndexFunc(c.Issuers, func(is issuer.Config) bool { return is.Endpoint.Name == e.Issuer })
		switch {
		case e.Issuer == "": // its own Check says so
		case seen[e.Issuer]:
			fault(key, fmt.Sprintf("%q has an item already", e.Issuer),
				"put everything about one issuer into one item")
		case known < 0:
			fault(key, fmt.Sprintf("%q is no configured issuer", e.Issuer), "write the name of an item of issuers")
		case c.Issuers[known].Endpoint.Issuer == "":
			fault(key, fmt.Sprintf("%q has no issuer identifier to compare with the iss of events", e.Issuer),
				fmt.Sprintf("set issuers[%d].issuer", known))
		}
		seen[e.Issuer] = true
	}
}

// Load reads a file and parses it: see Parse. The commands check and serve both start here, so that neither accepts a
// file that the other refuses. A file that is missing, unreadable or over MaxBytes is a fault too.
func Load(file string, environ []string) (*Config, error) {
	src, err := read(file)
	if err != nil {
		return nil, Faults{{File: file, Cause: err.Error(), Hint: "name the configuration file with --config or " +
			FileVariable + ", or write one: sidecar init --issuer URL --client-id ID; sidecar dev needs none"}}
	}
	return Parse(file, src, environ)
}

func read(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %v", cause(err))
	}
	defer func() { _ = f.Close() }()
	src, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %v", cause(err))
	}
	if len(src) > MaxBytes {
		return nil, fmt.Errorf("read configuration: over %d bytes", MaxBytes)
	}
	return src, nil
}

// Parse returns the configuration of src and environ ("NAME=value", as in os.Environ): defaults, overridden by the
// file, overridden by each SIDECAR_* variable. name is the name of the file in faults. Files and directories that the
// configuration names must exist; nothing is written. The error, if any, is a Faults with every fault.
func Parse(name string, src []byte, environ []string) (*Config, error) {
	return ParseOver(Default(), name, src, environ)
}

// ParseOver is Parse with other defaults, which it changes.
func ParseOver(defaults *Config, name string, src []byte, environ []string) (*Config, error) {
	r := newReader(name)
	r.defaults = defaults
	c, _ := r.parse(src, environ)
	if len(r.faults) > 0 {
		if empty := emptiness(name, src); empty != nil {
			r.faults = slices.DeleteFunc(r.faults, func(f Fault) bool { return f.Key == "issuers" }) // which follows
			return nil, slices.Concat(empty, r.faults.sorted())
		}
		return nil, r.faults.sorted()
	}
	c.warnings = r.warnings
	return c, nil
}

// parse decodes and checks a configuration. It is false for a file that is not YAML.
func (r *reader) parse(src []byte, environ []string) (*Config, bool) {
	c, ok := r.decode(src, environ)
	if ok {
		r.unread = maps.Clone(r.faulty)
		r.locate(reflect.ValueOf(c).Elem(), conf.Field{}, "")
		conf.Check(*c, r.meaning)
		r.checkFiles(reflect.ValueOf(c).Elem(), conf.Field{}, "", environ)
	}
	return c, ok
}

// Warn reports what is probably a mistake, and is allowed. The arguments of warn are those of fault in Check.
func (c *Config) Warn(warn func(key, cause, hint string)) {
	for _, w := range c.warnings {
		warn(w.Key, w.Cause, w.Hint)
	}
	c.Listen.warn(warn)
	for i, s := range c.Policies.Sources {
		s.Signature.Doubts(func(key, cause, hint string) {
			warn(fmt.Sprintf("policies.sources[%d].signature.%s", i, key), cause, hint)
		})
	}
	c.Policies.Gate.Doubts(func(key, cause, hint string) { warn("policies.gate."+key, cause, hint) })
	issuer.WarnAll(c.Issuers, warn)
	resource.WarnAll(c.Resources, c.audiences(), warn)
	for i, issuer := range c.Issuers {
		issuer.Warn(func(key, cause, hint string) { warn(fmt.Sprintf("issuers[%d].%s", i, key), cause, hint) })
	}
}

// audiences are those that each issuer accepts.
func (c *Config) audiences() (all [][]string) {
	for _, is := range c.Issuers {
		all = append(all, is.Dialect.Audience)
	}
	return all
}

// InputRules says what of a request policies see, and which requests are of protected resources.
func (c *Config) InputRules() *input.Rules {
	return input.NewRules(c.Input).With(resource.NewSet(c.Resources))
}

// EngineConfig is Engine with what other sections determine: the modes of the issuers limit what metadata may demand,
// the document has the headers of Input, policies may decide about requests without a token, and what doors ask by
// default must be there.
func (c *Config) EngineConfig() engine.Config {
	e := c.Engine
	e.TokenModes = issuer.ModesOf(c.Issuers)
	e.Headers = append([]string{}, c.Input.Headers...) // none is not nil
	e.AnonymousRequests = c.Decision.Token == authz.TokenOptional ||
		c.AuthZEN.Entrypoint != "" && c.AuthZEN.Token == authz.TokenOptional
	e.CallerPackages, e.Filters = c.OPA.Packages, c.OPA.Enabled
	e.Entities = c.AuthZEN.Entrypoint != ""
	e.Entrypoints = append(slices.Clone(e.Entrypoints), c.AuthZEN.Entrypoints()...)
	for _, d := range c.Listen.entrypoints() {
		e.Entrypoints = append(e.Entrypoints, d.asks)
	}
	return e
}

// emptiness is the fault of an empty file, from which all other faults follow.
func emptiness(name string, src []byte) Faults {
	for line := range strings.Lines(string(src)) {
		if text := strings.TrimSpace(line); text != "" && text != "---" && text != "{}" &&
			!strings.HasPrefix(text, "#") {
			return nil
		}
	}
	return Faults{{File: name, Cause: "the file is empty", Hint: "write one with: sidecar init --issuer URL " +
		"--client-id ID --dir DIRECTORY; sidecar config schema prints every key"}}
}

// Default returns the configuration of an empty file. It has no issuer, so it does not pass Parse as it is.
func Default() *Config {
	c := &Config{}
	conf.SetDefaults(reflect.ValueOf(c).Elem())
	return c
}
