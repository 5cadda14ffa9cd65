package verdict

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// Shape is what a part of a result may be. At a request, and for constants at load, Check reads the value. At load,
// where only the type of a value is known, Kinds are compared.
type Shape struct {
	Kinds term.Kinds
	// Want is the allowed value in words: "a boolean".
	Want string
	// Check reads a value; its error says what is wrong.
	Check func(ast.Value) error
	// Members are those of an object. Others are an error unless Open.
	Members []ShapeMember
	Open    bool
	// Required is the name of the member that must be there.
	Required string
	// Each is the shape of the elements of a list, and of the values of an object without named members.
	Each *Shape
}

// ShapeMember is one member of an object of a result.
type ShapeMember struct {
	Name  string
	Shape Shape
	// read puts the value into a verdict. Only members of the result itself have it.
	read func(*authz.Verdict, ast.Value) error
}

// Named returns the member of a name, or nil.
func (s *Shape) Named(name string) *ShapeMember {
	for i := range s.Members {
		if s.Members[i].Name == name {
			return &s.Members[i]
		}
	}
	return nil
}

// memberNames lists the members in words: "a, b or c".
func (s *Shape) memberNames() string {
	names := make([]string, len(s.Members))
	for i, m := range s.Members {
		names[i] = m.Name
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// checkOf makes a check of a reader.
func checkOf[T any](read func(ast.Value) (T, error)) func(ast.Value) error {
	return func(v ast.Value) error {
		_, err := read(v)
		return err
	}
}

// field is a member of the result: its shape, its reader, and its field of a verdict.
func field[T any](name string, s Shape, read func(ast.Value) (T, error), in func(*authz.Verdict) *T) ShapeMember {
	s.Check = checkOf(read)
	return ShapeMember{name, s, func(out *authz.Verdict, v ast.Value) (err error) {
		*in(out), err = read(v)
		return err
	}}
}

// ResultShape is the shape of the result of an entrypoint.
func ResultShape() *Shape { return &resultShape }

const lists = term.ArrayKind | term.SetKind

// The shapes of what a policy returns: docs/policies.md, "What policies return".
var (
	stringShape = Shape{Kinds: term.StringKind, Want: "a string", Check: checkOf(term.Text)}
	wordsShape  = Shape{Kinds: lists, Want: "an array or a set", Check: checkOf(challengeWords), Each: &stringShape}
	errorShape  = Shape{Kinds: term.StringKind, Want: "a string", Check: checkOf(challengeError)}
	maxAgeShape = Shape{Kinds: term.NumberKind, Want: "an integer", Check: checkOf(maxAge)}
	valueShape  = Shape{
		Kinds: term.StringKind | lists, Want: "a string or an array of strings",
		Check: checkOf(headerValues), Each: &stringShape,
	}
	reasonShape = Shape{
		Kinds: term.StringKind | term.ObjectKind, Want: "a string or an object with code", Check: checkOf(reason),
		Open: true, Required: "code",
		Members: []ShapeMember{{Name: "code", Shape: stringShape}, {Name: "message", Shape: stringShape}},
	}
	obligationShape = Shape{Kinds: term.ObjectKind, Want: "an object", Open: true}
	headersShape    = Shape{Kinds: term.ObjectKind, Want: "an object", Each: &valueShape}
	challengeShape  = Shape{Kinds: term.ObjectKind, Want: "an object", Members: []ShapeMember{
		{Name: "error", Shape: errorShape},
		{Name: "error_description", Shape: stringShape},
		{Name: "scope", Shape: wordsShape},
		{Name: "acr_values", Shape: wordsShape},
		{Name: "max_age", Shape: maxAgeShape},
	}}
	allowShape       = Shape{Kinds: term.BooleanKind, Want: "a boolean"}
	reasonsShape     = Shape{Kinds: lists, Want: "an array or a set", Each: &reasonShape}
	statusShape      = Shape{Kinds: term.NumberKind, Want: "an integer from 400 to 499"}
	obligationsShape = Shape{Kinds: lists, Want: "an array or a set", Each: &obligationShape}
	contextShape     = Shape{Kinds: term.ObjectKind, Want: "an object", Open: true}
	tokenShape       = Shape{Kinds: term.ObjectKind, Want: "an object", Open: true, Members: reservedMembers()}
	resultShape      = Shape{
		Kinds: term.BooleanKind | term.ObjectKind, Want: "a boolean or an object with allow", Required: "allow",
		Members: []ShapeMember{
			field("allow", allowShape, term.Boolean, func(v *authz.Verdict) *bool { return &v.Allow }),
			field("reasons", reasonsShape, reasons, func(v *authz.Verdict) *[]authz.Reason { return &v.Reasons }),
			field("challenge", challengeShape, challenge,
				func(v *authz.Verdict) **authz.Challenge { return &v.Challenge }),
			field("status", statusShape, status, func(v *authz.Verdict) *int { return &v.Status }),
			field("upstream_headers", headersShape, headers,
				func(v *authz.Verdict) *[]authz.Header { return &v.UpstreamHeaders }),
			field("upstream_token", tokenShape, upstreamToken,
				func(v *authz.Verdict) *[]byte { return &v.UpstreamToken }),
			field("response_headers", headersShape, headers,
				func(v *authz.Verdict) *[]authz.Header { return &v.ResponseHeaders }),
			field("obligations", obligationsShape, obligations,
				func(v *authz.Verdict) *[]byte { return &v.Obligations }),
			field("context", contextShape, objectJSON, func(v *authz.Verdict) *[]byte { return &v.Context }),
		},
	}
)

// UnknownMember is the error about a member that the shape does not have.
func (s *Shape) UnknownMember(name string) error {
	if own, ok := foreignNames[strings.ToLower(name)]; ok && s.Named(strings.SplitN(own[0], ",", 2)[0]) != nil {
		return fmt.Errorf("unknown member %q, want %s; here it is %s", name, s.memberNames(),
			strings.Join(own, " or "))
	}
	return fmt.Errorf("unknown member %q, want %s", name, s.memberNames())
}

// foreignNames are names by which other products call members of a result, with the names here.
var foreignNames = map[string][]string{
	"allowed": {"allow"}, "authorized": {"allow"}, "decision": {"allow"}, "result": {"allow"}, "access": {"allow"},
	"http_status": {"status"}, "status_code": {"status"}, "code": {"status"},
	"reason": {"reasons, a list"}, "message": {"reasons, a list"}, "msg": {"reasons, a list"},
	"body": {"reasons, a list"}, "errors": {"reasons"},
	"headers":                   {"response_headers", "upstream_headers"},
	"additional_headers":        {"response_headers", "upstream_headers"},
	"response_headers_to_add":   {"response_headers"},
	"request_headers_to_remove": {"upstream_headers, with an empty value"},
	"dynamic_metadata":          {"context"},
}
