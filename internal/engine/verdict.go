package engine

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// verdictOf reads what a policy returned: a boolean, or an object of known members. Anything else is an error; nothing
// is guessed. Errors name members and types, and never quote a value: it may be one that a mask hides from the log.
func verdictOf(v ast.Value) (*authz.Verdict, error) {
	switch v := v.(type) {
	case ast.Boolean:
		return &authz.Verdict{Allow: bool(v)}, nil
	case ast.Object:
		return objectVerdict(v)
	}
	return nil, fmt.Errorf("it is %s, want %s", article(v), resultShape.want)
}

func objectVerdict(o ast.Object) (*authz.Verdict, error) {
	out := &authz.Verdict{}
	hasAllow := false
	err := o.Iter(func(k, t *ast.Term) error {
		name, err := nameOf(k)
		if err != nil {
			return err
		}
		m := resultShape.named(name)
		if m == nil {
			return resultShape.unknownMember(name)
		}
		hasAllow = hasAllow || name == resultShape.required
		if err := m.read(out, t.Value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	switch {
	case err != nil:
	case !hasAllow:
		err = fmt.Errorf("allow is missing")
	case out.Obligations != nil && hasObligations(o):
		err = fmt.Errorf("obligations: the context has some too")
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// hasObligations reports whether the context of a result has a member where its obligations go.
func hasObligations(o ast.Object) bool {
	context, ok := memberOf(o, "context").(ast.Object)
	return ok && memberOf(context, "obligations") != nil
}

func boolean(v ast.Value) (bool, error) {
	b, ok := v.(ast.Boolean)
	if !ok {
		return false, fmt.Errorf("is %s, want a boolean", article(v))
	}
	return bool(b), nil
}

func reasons(v ast.Value) ([]authz.Reason, error) {
	terms, err := list(v)
	if err != nil || len(terms) == 0 {
		return nil, err
	}
	out := make([]authz.Reason, 0, len(terms))
	for _, t := range terms {
		r, err := reason(t.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// reason reads one reason. One that is only a string is a message for people; its code says no more than "denied".
func reason(v ast.Value) (authz.Reason, error) {
	o, ok := v.(ast.Object)
	if !ok {
		message, err := text(v)
		if err != nil {
			err = fmt.Errorf("a reason %w or an object with code", err)
		}
		return authz.Reason{Code: "denied", Message: message}, err
	}
	r := authz.Reason{}
	known := 0
	for _, m := range []struct {
		name string
		into *string
	}{{"code", &r.Code}, {"message", &r.Message}} {
		value := memberOf(o, m.name)
		if value == nil {
			continue
		}
		known++
		var err error
		if *m.into, err = text(value); err != nil {
			return r, fmt.Errorf("the %s of a reason %w", m.name, err)
		}
	}
	if r.Code == "" {
		return r, fmt.Errorf("a reason has no code")
	}
	if o.Len() == known {
		return r, nil
	}
	var err error
	r.Object, err = appendJSON(nil, v)
	return r, err
}

func challenge(v ast.Value) (*authz.Challenge, error) {
	o, ok := v.(ast.Object)
	if !ok {
		return nil, fmt.Errorf("is %s, want an object", article(v))
	}
	out := &authz.Challenge{}
	err := o.Iter(func(k, t *ast.Term) error {
		name, err := nameOf(k)
		if err != nil {
			return err
		}
		switch name {
		case "error":
			out.Error, err = quotable(text(t.Value))
		case "error_description":
			out.ErrorDescription, err = text(t.Value)
		case "scope":
			out.Scope, err = words(t.Value)
		case "acr_values":
			out.ACRValues, err = words(t.Value)
		case "max_age":
			out.MaxAge, err = maxAge(t.Value)
			out.HasMaxAge = true
		default:
			return challengeShape.unknownMember(name)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func maxAge(v ast.Value) (int64, error) {
	n, err := integer(v)
	if err == nil && n < 0 {
		err = fmt.Errorf("is negative")
	}
	return n, err
}

func status(v ast.Value) (int, error) {
	n, err := integer(v)
	if err == nil && (n < 400 || n > 499) {
		err = fmt.Errorf("is not between 400 and 499")
	}
	return int(n), err
}

// framing are header fields that shape the message itself or the connection; a policy that set one would break the
// answer, or smuggle another.
var framing = map[string]bool{
	"connection": true, "content-length": true, "keep-alive": true, "proxy-connection": true, "te": true, "trailer": true,
	"transfer-encoding": true, "upgrade": true, "host": true, "www-authenticate": true,
}

func headers(v ast.Value) ([]authz.Header, error) {
	o, ok := v.(ast.Object)
	if !ok {
		return nil, fmt.Errorf("is %s, want an object", article(v))
	}
	if o.Len() == 0 {
		return nil, nil
	}
	out := make([]authz.Header, 0, o.Len())
	seen := make(map[string]bool, o.Len())
	for _, k := range o.Keys() {
		if err := headerName(k.Value); err != nil {
			return nil, err
		}
		name := k.Value.(ast.String)
		lower := strings.ToLower(string(name))
		if seen[lower] {
			return nil, fmt.Errorf("%q is set twice, in different spellings", string(name))
		}
		seen[lower] = true
		values, err := headerValues(o.Get(k).Value)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", string(name), err)
		}
		out = append(out, authz.Header{Name: string(name), Values: values})
	}
	return out, nil
}

// headerName refuses what no policy may set.
func headerName(v ast.Value) error {
	name, ok := v.(ast.String)
	switch {
	case !ok || !httpuri.IsToken(string(name)):
		return fmt.Errorf("%q is not a header name", string(name))
	case framing[strings.ToLower(string(name))]:
		return fmt.Errorf("%q cannot be set by a policy", string(name))
	}
	return nil
}

func headerValues(v ast.Value) ([]string, error) {
	var values []string
	switch v := v.(type) {
	case ast.String:
		s, err := text(v)
		if err != nil {
			return nil, err
		}
		values = []string{s}
	default:
		var err error
		if values, err = texts(v); err != nil {
			return nil, fmt.Errorf("want a string or an array of strings: %w", err)
		}
	}
	if len(values) == 0 {
		values = []string{""} // always sent, so that the caller's own header of the name never passes for the policy's
	}
	for _, s := range values {
		for i := range len(s) {
			if c := s[i]; c < 0x20 && c != '\t' || c == 0x7f {
				return nil, fmt.Errorf("the value has a control character")
			}
		}
	}
	return values, nil
}

func obligations(v ast.Value) ([]byte, error) {
	terms, err := list(v)
	if err != nil || len(terms) == 0 {
		return nil, err
	}
	for _, t := range terms {
		if _, ok := t.Value.(ast.Object); !ok {
			return nil, fmt.Errorf("an obligation is %s, want an object", article(t.Value))
		}
	}
	return appendJSON(nil, v)
}

func objectJSON(v ast.Value) ([]byte, error) {
	o, ok := v.(ast.Object)
	if !ok {
		return nil, fmt.Errorf("is %s, want an object", article(v))
	}
	if o.Len() == 0 {
		return nil, nil
	}
	return appendJSON(nil, o)
}
