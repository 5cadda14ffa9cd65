package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// shape is what a part of a result may be. The same readers judge a value at a request and a constant at load; the kinds
// judge a type, where there is no value yet.
type shape struct {
	kinds kinds
	// want says in words what is allowed: "a boolean".
	want string
	// check reads a value, and says what is wrong with it.
	check func(ast.Value) error
	// members are those of an object, each with its shape; all that there may be, unless open.
	members []part
	open    bool
	// required is the member that must be there.
	required string
	// each is the shape of every element of a list, and of every value of an object whose members are not named.
	each *shape
}

// part is one member of an object of a result.
type part struct {
	name  string
	shape shape
	// read puts the value into a verdict; only members of the result itself have it.
	read func(*authz.Verdict, ast.Value) error
}

// named returns the member of a name, or nil.
func (s *shape) named(name string) *part {
	for i := range s.members {
		if s.members[i].name == name {
			return &s.members[i]
		}
	}
	return nil
}

// names lists the members in words: "a, b or c".
func (s *shape) names() string {
	names := make([]string, len(s.members))
	for i, m := range s.members {
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

// The shapes of what a policy returns: docs/policies.md, "What policies return".
var (
	stringShape = shape{kinds: stringKind, want: "a string", check: checkOf(text)}
	wordsShape  = shape{kinds: arrayKind | setKind, want: "an array or a set", check: checkOf(words), each: &stringShape}
	valueShape  = shape{kinds: stringKind | arrayKind | setKind, want: "a string or an array of strings", check: checkOf(headerValues), each: &stringShape}
	reasonShape = shape{kinds: stringKind | objectKind, want: "a string or an object with code", check: checkOf(reason), open: true, required: "code",
		members: []part{{name: "code", shape: stringShape}, {name: "message", shape: stringShape}}}
	obligationShape = shape{kinds: objectKind, want: "an object", open: true}
	headersShape    = shape{kinds: objectKind, want: "an object", check: checkOf(headers), each: &valueShape}
	challengeShape  = shape{kinds: objectKind, want: "an object", members: []part{
		{name: "error", shape: shape{kinds: stringKind, want: "a string", check: checkOf(func(v ast.Value) (string, error) { return quotable(text(v)) })}},
		{name: "error_description", shape: stringShape},
		{name: "scope", shape: wordsShape},
		{name: "acr_values", shape: wordsShape},
		{name: "max_age", shape: shape{kinds: numberKind, want: "an integer", check: checkOf(maxAge)}},
	}}
	resultShape = shape{kinds: booleanKind | objectKind, want: "a boolean or an object with allow", required: "allow", members: []part{
		{"allow", shape{kinds: booleanKind, want: "a boolean", check: checkOf(boolean)}, func(out *authz.Verdict, v ast.Value) (err error) {
			out.Allow, err = boolean(v)
			return err
		}},
		{"reasons", shape{kinds: arrayKind | setKind, want: "an array or a set", check: checkOf(reasons), each: &reasonShape}, func(out *authz.Verdict, v ast.Value) (err error) {
			out.Reasons, err = reasons(v)
			return err
		}},
		{"challenge", challengeShape, func(out *authz.Verdict, v ast.Value) (err error) {
			out.Challenge, err = challenge(v)
			return err
		}},
		{"status", shape{kinds: numberKind, want: "an integer from 400 to 499", check: checkOf(status)}, func(out *authz.Verdict, v ast.Value) (err error) {
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
		{"obligations", shape{kinds: arrayKind | setKind, want: "an array or a set", check: checkOf(obligations), each: &obligationShape}, func(out *authz.Verdict, v ast.Value) (err error) {
			out.Obligations, err = obligations(v)
			return err
		}},
		{"context", shape{kinds: objectKind, want: "an object", check: checkOf(objectJSON), open: true}, func(out *authz.Verdict, v ast.Value) (err error) {
			out.Context, err = objectJSON(v)
			return err
		}},
	}}
)

// unknownMember is the error about a member of an object that has no such one.
func (s *shape) unknownMember(name string) error {
	if ours, ok := resultElsewhere[strings.ToLower(name)]; ok && s.named(strings.SplitN(ours[0], ",", 2)[0]) != nil {
		return fmt.Errorf("unknown member %q, want %s; here it is %s", name, s.names(), strings.Join(ours, " or "))
	}
	return fmt.Errorf("unknown member %q, want %s", name, s.names())
}

// resultElsewhere says what a member of a result is here that other products call otherwise.
var resultElsewhere = map[string][]string{
	"allowed": {"allow"}, "authorized": {"allow"}, "decision": {"allow"}, "result": {"allow"}, "access": {"allow"},
	"http_status": {"status"}, "status_code": {"status"}, "code": {"status"},
	"reason": {"reasons, a list"}, "message": {"reasons, a list"}, "msg": {"reasons, a list"}, "body": {"reasons, a list"}, "errors": {"reasons"},
	"headers":                   {"response_headers", "upstream_headers"},
	"additional_headers":        {"response_headers", "upstream_headers"},
	"response_headers_to_add":   {"response_headers"},
	"request_headers_to_remove": {"upstream_headers, with an empty value"},
	"dynamic_metadata":          {"context"},
}

// nameOf is the name of a member of an object, which is a string.
func nameOf(k *ast.Term) (string, error) {
	name, ok := k.Value.(ast.String)
	if !ok {
		return "", fmt.Errorf("the name of a member is %s, want a string", article(k.Value))
	}
	return string(name), nil
}

// words of kinds: "a string or a number".
func (k kinds) String() string {
	var names []string
	for i, name := range []string{"null", "a boolean", "a number", "a string", "an array", "an object", "a set"} {
		if k&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " or ")
}
