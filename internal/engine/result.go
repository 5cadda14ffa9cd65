package engine

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
	"github.com/authz-sidecar/sidecar/internal/engine/verdict"
)

// Result is the value of an entrypoint, whatever its shape. It is immutable. Its JSON form is made where it is needed.
type Result struct {
	// value is nil where made is all that there is.
	value ast.Value
	path  string
	// shown is JSON that stands for value in the decision log; nil shows value.
	shown []byte
	// made is set for a result that is remembered, or whose value is kept.
	made *made
}

// made is the verdict that a result is, and its JSON form. It is immutable.
type made struct {
	verdict *authz.Verdict
	json    []byte
	shared  Value
}

// Value is what a Result is to who only writes it.
type Value interface {
	AppendJSON(dst []byte) ([]byte, error)
}

// bare is r as its verdict and its JSON form, without the terms that both are made of, and without memory of the
// request. It is false when r is no verdict, or has no JSON form.
func (r Result) bare() (Result, bool) {
	if r.made != nil {
		return r, true
	}
	own := r
	if r.value != nil {
		own.value = term.Detached(r.value)
	}
	v, err := own.Verdict()
	if err != nil {
		return r, false
	}
	b, err := r.AppendJSON(nil)
	if err != nil {
		return r, false
	}
	out := Result{path: r.path, made: &made{verdict: v, json: slices.Clip(b)}}
	out.made.shared = out
	return out, true
}

// noVerdict stands for a kept value that is no verdict, or has no JSON form.
var noVerdict = &made{}

// result is r, whose value v keeps, as it was made before. v may be nil.
func (v *keptValue) result(r Result) Result {
	if v == nil {
		return r
	}
	known := v.made.Load()
	if known == nil {
		known = noVerdict
		if bare, ok := r.bare(); ok {
			known = bare.made
		}
		v.made.Store(known)
	}
	if known == noVerdict {
		return r
	}
	return Result{path: r.path, made: known}
}

// FilterResult is a filter as a result, which allows unless nothing passes the filter.
func FilterResult(f Filter) Result {
	r := Result{value: ast.Boolean(!f.Never), shown: f.Result}
	if r.shown == nil {
		r.shown = []byte("null")
	}
	return r
}

// Verdict reads a result as a decision. It is an error of kind Misconfigured when the result has another shape. The
// verdict is read-only: one that is remembered is that of many decisions.
func (r Result) Verdict() (*authz.Verdict, error) {
	if r.made != nil {
		return r.made.verdict, nil
	}
	v, err := verdict.Read(r.value)
	if err != nil {
		return nil, authz.Errorf(authz.Misconfigured, "read the result of data.%s: %w", rego.Dotted(r.path), err)
	}
	return v, nil
}

// Allows reports whether the result is true, or an object whose member allow is true.
func (r Result) Allows() bool {
	if r.made != nil {
		return r.made.verdict.Allow
	}
	if o, ok := r.value.(ast.Object); ok {
		return term.Member(o, "allow") == ast.Boolean(true)
	}
	return r.value == ast.Boolean(true)
}

// Shared is r, in an interface. Of a result that is remembered it is one for all its uses, and costs no allocation.
func (r Result) Shared() Value {
	if r.made != nil {
		return r.made.shared
	}
	return r
}

// Empty reports whether there is no result.
func (r Result) Empty() bool { return r.value == nil && r.made == nil }

// AppendJSON appends the JSON form of r to dst: sets become sorted arrays, keys that are no strings their JSON text.
// The zero Result appends null.
func (r Result) AppendJSON(dst []byte) ([]byte, error) {
	switch {
	case r.made != nil:
		return append(dst, r.made.json...), nil
	case r.value == nil:
		return append(dst, "null"...), nil
	case r.shown != nil:
		return append(dst, r.shown...), nil
	}
	return term.AppendJSON(dst, r.value)
}

// JSON is the JSON form of r where it has been made already, or nil. It is read-only.
func (r Result) JSON() []byte {
	if r.made == nil {
		return nil
	}
	return r.made.json
}

// Size estimates the memory that a result keeps in use, in bytes.
func (r Result) Size() int {
	switch {
	case r.made != nil:
		return 2*len(r.made.json) + verdictBytes // the verdict has the texts too
	case r.value == nil:
		return 0
	}
	return term.Size(r.value) + len(r.shown)
}

// verdictBytes is about the memory of a verdict without its texts.
const verdictBytes = 512
