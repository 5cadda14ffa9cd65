package config

import (
	"slices"
	"strings"
)

// LoadPartly reads a file that Load refuses, so that what is wrong with the policies can be told beside its faults. It returns nil
// when the faults, or what stands in a misspelt key, may be about policies. What it returns must serve nothing.
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

// policyKeys are the keys that say which policies there are and what they may read and do.
func policyKeys() []string {
	return []string{"policies", "engine.entrypoints", "engine.allow_builtins", "input.headers", "decision.entrypoint", "decision.token"}
}

// concernsPolicies reports whether the key at fault may be one of policyKeys.
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
