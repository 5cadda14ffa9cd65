package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Fault is one error of a configuration. It never holds a secret: values are quoted only where a number, a duration or
// one of a few words is expected.
type Fault struct {
	File     string // the file as it was named; empty when an environment variable is at fault
	Line     int    // 1 is the first; 0 when the file as a whole is at fault
	Column   int    // 1 is the first; 0 when the line is 0
	Variable string // the environment variable at fault, or empty
	Key      string // such as issuers[0].cache.ttl; empty when no key is at fault
	Cause    string // lower case, without full stop
	Hint     string // what to do; may be empty
}

// String is the fault on one line, without its hint:
//
//	sidecar.yaml:12:10: issuers[0].cache.ttl: "5" is not a duration
//	environment SIDECAR_ISSUERS_0_CACHE_TTL: "5" is not a duration
func (f Fault) String() string {
	var parts []string
	switch {
	case f.Variable != "":
		parts = append(parts, "environment "+f.Variable)
	case f.Line > 0:
		parts = append(parts, fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column))
	default:
		parts = append(parts, f.File)
	}
	if f.Key != "" && (f.Variable == "" || f.Variable != variable(f.Key)) {
		parts = append(parts, f.Key)
	}
	return strings.Join(append(parts, f.Cause), ": ")
}

// Faults are all errors of a configuration: those of the file in the order of its lines, then those of variables by
// name.
type Faults []Fault

// Error is one line a fault, each followed by its hint on a line of its own.
func (fs Faults) Error() string {
	var b strings.Builder
	for i, f := range fs {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(f.String())
		if f.Hint != "" {
			b.WriteString("\n  hint: " + f.Hint)
		}
	}
	return b.String()
}

func (fs Faults) sorted() Faults {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Variable, b.Variable), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column))
	})
	return fs
}

// origin is the source of the value of a key: a position in the file, or a variable.
type origin struct {
	line, column int
	variable     string
}

// reader collects the origins and faults of keys while a configuration is read.
type reader struct {
	name   string
	faults Faults
	at     map[string]origin
	faulty map[string]bool // keys with a fault
	unread map[string]bool // keys with a fault before their meaning was looked at
	// shapeless are sections and lists that could not be read at all, so that what is missing in them is no fault.
	shapeless map[string]bool

	defaults *Config // what the file and the environment override

	warnings Faults
}

func newReader(name string) *reader {
	return &reader{name: name, defaults: Default(), at: map[string]origin{}, faulty: map[string]bool{},
		shapeless: map[string]bool{}}
}

// fault reports that the value of key is wrong, at the origin of the key or of its nearest parent that has one.
func (r *reader) fault(key, cause, hint string) {
	r.faultAt(r.origin(key), key, cause, hint)
}

func (r *reader) faultAt(o origin, key, cause, hint string) {
	f := Fault{Line: o.line, Column: o.column, Variable: o.variable, Key: key, Cause: cause, Hint: hint}
	if o.variable == "" {
		f.File = r.name
	}
	r.faulty[key] = true
	r.faults = append(r.faults, f)
}

func (r *reader) origin(key string) origin {
	for {
		if o, ok := r.at[key]; ok || key == "" {
			return o
		}
		key = above(key)
	}
}

// above is the key of what holds a key; "" holds all.
func above(key string) string { return key[:max(strings.LastIndexAny(key, ".["), 0)] }

// override makes variable the origin of key, and removes the origins of the parts of its former value.
func (r *reader) override(key, variable string) {
	for k := range r.at {
		if strings.HasPrefix(k, key+".") || strings.HasPrefix(k, key+"[") {
			delete(r.at, k)
		}
	}
	r.at[key] = origin{variable: variable}
}

// cause returns err without the path, which the fault shows already or must not show.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
