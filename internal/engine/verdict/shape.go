package verdict

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// Shape is what a part of a result may be. The same readers judge a value at a request and a constant at load; the kinds
// judge a type, where there is no value yet.
type Shape struct {
	Kinds term.Kinds
	// Want says in words what is allowed: "a boolean".
	Want string
	// Check reads a value, and says what is wrong with it.
	Check func(ast.Value) error
	// Members are those of an object, each with its shape; all that there may be, unless open.
	Members []ShapeMember
	Open    bool
	// Required is the member that must be there.
	Required string
	// Each is the shape of every element of a list, and of every value of an object whose members are not named.
	Each *Shape
}

// ShapeMember is one member of an object of a result.
type ShapeMember struct {
	name  string
	Shape Shape
	// read puts the value into a verdict; only members of the result itself have it.
	read func(*authz.Verdict, ast.Value) error
}

// Named returns the member of a name, or nil.
func (s *Shape) Named(name string) *ShapeMember {
	for i := range s.Members {
		if s.Members[i].name == name {
			return &s.Members[i]
		}
	}
	return nil
}

// names lists the members in words: "a, b or c".
func (s *Shape) names() string {
	names := make([]string, len(s.Members))
	for i, m := range s.Members {
		names[i] = m.name
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

func checkOf[T any](read func(ast.Value) (T, error)) func(ast.Value) error {
	return func(v ast.Value) error {
		_, err := read(v)
		return err
	}
}

// ResultShape is the shape of what an entrypoint returns, for a decision to be read out of it.
func ResultShape() *Shape { return &resultShape }

// The shapes of what a policy returns: docs/policies.md, "What policies return".
var (
	stringShape = Shape{Kinds: term.StringKind, Want: "a string", Check: checkOf(term.Text)}
	wordsShape  = Shape{Kinds: term.ArrayKind | term.SetKind, Want: "an array or a set", Check: checkOf(challengeWords), Each: &stringShape}
	valueShape  = Shape{Kinds: term.StringKind | term.ArrayKind | term.SetKind, Want: "a string or an array of strings", Check: checkOf(headerValues), Each: &stringShape}
	reasonShape = Shape{Kinds: term.StringKind | term.ObjectKind, Want: "a string or an object with code", Check: checkOf(reason), Open: true, Required: "code",
		Members: []ShapeMember{{name: "code", Shape: stringShape}, {name: "message", Shape: stringShape}}}
	obligationShape = Shape{Kinds: term.ObjectKind, Want: "an object", Open: true}
	headersShape    = Shape{Kinds: term.ObjectKind, Want: "an object", Check: checkOf(headers), Each: &valueShape}
	challengeShape  = Shape{Kinds: term.ObjectKind, Want: "an object", Members: []ShapeMember{
		{name: "error", Shape: Shape{Kinds: term.StringKind, Want: "a string", Check: checkOf(func(v ast.Value) (string, error) { return challengeText(term.Text(v)) })}},
		{name: "error_description", Shape: stringShape},
		{name: "scope", Shape: wordsShape},
		{name: "acr_values", Shape: wordsShape},
		{name: "max_age", Shape: Shape{Kinds: term.NumberKind, Want: "an integer", Check: checkOf(maxAge)}},
	}}
	resultShape = Shape{Kinds: term.BooleanKind | term.ObjectKind, Want: "a boolean or an object with allow", Required: "allow", Members: []ShapeMember{
		{"allow", Shape{Kinds: term.BooleanKind, Want: "a boolean", Check: checkOf(term.Boolean)}, func(out *authz.Verdict, v ast.Value) (err error) {
			out.Allow, err = term.Boolean(v)
			return err
		}},
		{"reasons", Shape{Kinds: term.ArrayKind | term.SetKind, Want: "an array or a set", Check: checkOf(reasons), Each: &reasonShape}, func(out *authz.Verdict, v ast.Value) (err error) {
			out.Reasons, err = reasons(v)
			return err
		}},
		{"challenge", challengeShape, func(out *authz.Verdict, v ast.Value) (err error) {
			out.Challenge, err = challenge(v)
			return err
		}},
		{"status", Shape{Kinds: term.NumberKind, Want: "an integer from 400 to 499", Check: checkOf(status)}, func(out *authz.Verdict, v ast.Value) (err error) {
			out.Status, err = status(v)
			return err
		}},
		{"upstream_headers", headersShape, func(out *authz.Verdict, v ast.Value) (err error) {
			out.UpstreamHeaders, err = headers(v)
			return err
		}},
		{"response_headers", headersShape, func(out *authz.Verdict, v ast.Value) (err error) {
			out.ResponseHeaders, err = headers(v)
			return err
		}},
		{"obligations", Shape{Kinds: term.ArrayKind | term.SetKind, Want: "an array or a set", Check: checkOf(obligations), Each: &obligationShape}, func(out *authz.Verdict, v ast.Value) (err error) {
			out.Obligations, err = obligations(v)
			return err
		}},
		{"context", Shape{Kinds: term.ObjectKind, Want: "an object", Check: checkOf(objectJSON), Open: true}, func(out *authz.Verdict, v ast.Value) (err error) {
			out.Context, err = objectJSON(v)
			return err
		}},
	}}
)

// UnknownMember is the error about a member of an object that has no such one.
func (s *Shape) UnknownMember(name string) error {
	if ours, ok := foreignNames[strings.ToLower(name)]; ok && s.Named(strings.SplitN(ours[0], ",", 2)[0]) != nil {
		return fmt.Errorf("unknown member %q, want %s; here it is %s", name, s.names(), strings.Join(ours, " or "))
	}
	return fmt.Errorf("unknown member %q, want %s", name, s.names())
}

// foreignNames says what a member of a result is here that other products call otherwise.
var foreignNames = map[string][]string{
	"allowed": {"allow"}, "authorized": {"allow"}, "decision": {"allow"}, "result": {"allow"}, "access": {"allow"},
	"http_status": {"status"}, "status_code": {"status"}, "code": {"status"},
	"reason": {"reasons, a list"}, "message": {"reasons, a list"}, "msg": {"reasons, a list"}, "body": {"reasons, a list"}, "errors": {"reasons"},
	"headers":                   {"response_headers", "upstream_headers"},
	"additional_headers":        {"response_headers", "upstream_headers"},
	"response_headers_to_add":   {"response_headers"},
	"request_headers_to_remove": {"upstream_headers, with an empty value"},
	"dynamic_metadata":          {"context"},
}
