// Package verdict reads what a policy returned as a decision, and says which shape such a result has.
package verdict

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// Read reads the result of a policy: a boolean, or an object of known members. Anything else is an error. Errors name
// members and types, and never quote a value, which a mask may hide from the log.
func Read(v ast.Value) (*authz.Verdict, error) {
	switch v := v.(type) {
	case ast.Boolean:
		return &authz.Verdict{Allow: bool(v)}, nil
	case ast.Object:
		return objectVerdict(v)
	}
	return nil, fmt.Errorf("it is %s, want %s", term.Describe(v), resultShape.Want)
}

func objectVerdict(o ast.Object) (*authz.Verdict, error) {
	out := &authz.Verdict{}
	hasAllow := false
	err := o.Iter(func(k, t *ast.Term) error {
		name, err := term.MemberName(k)
		if err != nil {
			return err
		}
		m := resultShape.Named(name)
		if m == nil {
			return resultShape.UnknownMember(name)
		}
		hasAllow = hasAllow || name == resultShape.Required
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

// hasObligations reports whether the context of a result has a member "obligations".
func hasObligations(o ast.Object) bool {
	context, ok := term.Member(o, "context").(ast.Object)
	return ok && term.Member(context, "obligations") != nil
}

func reasons(v ast.Value) ([]authz.Reason, error) {
	terms, err := term.List(v)
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

// reason reads one reason. A string is a message for people with the code "denied".
func reason(v ast.Value) (authz.Reason, error) {
	o, ok := v.(ast.Object)
	if !ok {
		message, err := term.Text(v)
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
		value := term.Member(o, m.name)
		if value == nil {
			continue
		}
		known++
		var err error
		if *m.into, err = term.Text(value); err != nil {
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
	r.Object, err = term.AppendJSON(nil, v)
	return r, err
}

func status(v ast.Value) (int, error) {
	n, err := term.Integer(v)
	if err == nil && (n < 400 || n > 499) {
		err = fmt.Errorf("is not between 400 and 499")
	}
	return int(n), err
}

func obligations(v ast.Value) ([]byte, error) {
	terms, err := term.List(v)
	if err != nil || len(terms) == 0 {
		return nil, err
	}
	for _, t := range terms {
		if _, ok := t.Value.(ast.Object); !ok {
			return nil, fmt.Errorf("an obligation is %s, want an object", term.Describe(t.Value))
		}
	}
	return term.AppendJSON(nil, v)
}

func objectJSON(v ast.Value) ([]byte, error) {
	o, ok := v.(ast.Object)
	if !ok {
		return nil, fmt.Errorf("is %s, want an object", term.Describe(v))
	}
	if o.Len() == 0 {
		return nil, nil
	}
	return term.AppendJSON(nil, o)
}
