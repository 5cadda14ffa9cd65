package engine

import (
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/builtins"
	"github.com/authz-sidecar/sidecar/internal/engine/memo"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// Config bounds what policies can do.
type Config struct {
	Entrypoints    []string      `yaml:"entrypoints" doc:"Rules that may be asked besides those annotated 'entrypoint: true', such as authz/decision."`
	AllowBuiltins  []string      `yaml:"allow_builtins" enum:"http.send|net.lookup_ip_addr|opa.runtime" doc:"Builtins switched on although they reach the network or the machine: http.send, net.lookup_ip_addr, opa.runtime."`
	Deadline       time.Duration `yaml:"deadline" default:"500ms" min:"1ms" max:"30s" doc:"Timeout of one evaluation, in wall-clock time: leave room for a busy machine."`
	CompileTimeout time.Duration `yaml:"compile_timeout" default:"15s" min:"1s" max:"10m" doc:"Timeout of compiling the policies. After it a start fails, and a reload keeps the last good policies."`

	Memo memo.Config `yaml:"memo" doc:"Verdicts that are remembered, and used again for questions that differ in nothing that the policy reads."`

	// Runaways counts the calls of builtins that outlive their evaluation. nil is a counter of this policy alone.
	Runaways *builtins.Runaways `yaml:"-"`

	// MemoCounts counts the use of what is remembered. nil counts for this policy alone.
	MemoCounts *memo.Counts `yaml:"-"`

	// TokenModes are the modes that the issuers support and metadata may ask for; none stands for all.
	TokenModes []authz.Mode `yaml:"-"`

	// Headers are the names of the request headers that policies see (input.headers). nil stands for all names in
	// lower case that hold no credential.
	Headers []string `yaml:"-"`
	// Print gets what print() of policies writes in a decision of that id. nil takes print() out of the policies when
	// they are compiled, so that it costs a decision nothing.
	Print func(decisionID string, p Print) `yaml:"-"`
	// AnonymousRequests is set when policies decide about requests without a token too (decision.token: optional).
	AnonymousRequests bool `yaml:"-"`
	// CallerPackages are the packages whose input is what a caller passes (opa.packages), as paths: "app/authz".
	CallerPackages []string `yaml:"-"`
	// Filters is set when callers may compile rules into filters (opa.enabled).
	Filters bool `yaml:"-"`
	// Entities is set when questions have input.subject, input.action and input.resource (authzen.entrypoint).
	Entities bool `yaml:"-"`
}

// Rego is the part of c for compilers.
func (c Config) Rego() rego.Options {
	return rego.Options{AllowBuiltins: c.AllowBuiltins, Headers: c.Headers}
}
