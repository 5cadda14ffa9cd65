package config

import (
	"slices"
	"strings"
)

// LoadPartly reads a file that Load refuses, so that problems of the policies can be reported together with the
// faults. It returns nil when a fault, or the value of a misspelt key, may concern the policies. The configuration
// must not be served.
func LoadPartly(file string, environ []string) *Config {
	src, err := read(file)
	if err != nil {
		return nil
	}
	r := newReader(file)
	c, ok := r.parse(src, environ)
	if !ok || len(emptiness(file, src)) > 0 || slices.ContainsFunc(r.faults, concernsPolicies) {
		return nil
	}
	return c
}

// policyKeys are the keys that determine which policies are loaded, and what they may read and do.
func policyKeys() []string {
	return []string{"policies", "engine.entrypoints", "engine.allow_builtins", "input.headers", "decision.entrypoint",
		"decision.token"}
}

// concernsPolicies reports whether a fault may be one of policyKeys.
func concernsPolicies(f Fault) bool {
	section, _, nested := strings.Cut(f.Key, ".")
	return f.Key == "" || slices.ContainsFunc(policyKeys(), func(key string) bool {
		own, _, _ := strings.Cut(key, ".")
		return within(f.Key, key) || within(key, f.Key) || f.Cause == unknownKey && (!nested || section == own)
	})
}

func within(key, section string) bool {
	rest, ok := strings.CutPrefix(key, section)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// LoadOnly reads a file for a command that needs some of its keys. Faults of other keys are none, except keys that are
// not known. The configuration must not be served.
func LoadOnly(file string, environ []string, needed func(key string) bool) (*Config, error) {
	src, err := read(file)
	if err != nil {
		return Load(file, environ) // says what is wrong
	}
	r := newReader(file)
	c, ok := r.parse(src, environ)
	if empty := emptiness(file, src); !ok || len(empty) > 0 {
		return nil, slices.Concat(empty, r.faults.sorted())
	}
	own := slices.DeleteFunc(r.faults, func(f Fault) bool {
		return f.Key != "" && f.Cause != unknownKey && !needed(f.Key)
	})
	if len(own) > 0 {
		return nil, own.sorted()
	}
	return c, nil
}
