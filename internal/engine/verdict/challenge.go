package verdict

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

func challenge(v ast.Value) (*authz.Challenge, error) {
	o, ok := v.(ast.Object)
	if !ok {
		return nil, fmt.Errorf("is %s, want an object", term.Describe(v))
	}
	out := &authz.Challenge{}
	err := o.Iter(func(k, t *ast.Term) error {
		name, err := term.MemberName(k)
		if err != nil {
			return err
		}
		switch name {
		case "error":
			out.Error, err = challengeText(term.Text(t.Value))
		case "error_description":
			out.ErrorDescription, err = term.Text(t.Value)
		case "scope":
			out.Scope, err = challengeWords(t.Value)
		case "acr_values":
			out.ACRValues, err = challengeWords(t.Value)
		case "max_age":
			out.MaxAge, err = maxAge(t.Value)
			out.HasMaxAge = true
		default:
			return challengeShape.UnknownMember(name)
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
	n, err := term.Integer(v)
	if err == nil && n < 0 {
		err = fmt.Errorf("is negative")
	}
	return n, err
}

// challengeText refuses what a quoted string of RFC 6750 section 3 cannot hold: all but %x20-21, %x23-5B, %x5D-7E.
func challengeText(s string, err error) (string, error) {
	for i := range len(s) {
		if c := s[i]; err == nil && (c < 0x20 || c > 0x7e || c == '"' || c == '\\') {
			err = fmt.Errorf("has a character that a challenge cannot hold")
		}
	}
	return s, err
}

// challengeWords reads a list whose members are joined by spaces in a challenge.
func challengeWords(v ast.Value) ([]string, error) {
	list, err := term.Texts(v)
	for _, s := range list {
		if _, bad := challengeText(s, nil); err == nil && (bad != nil || s == "" || strings.Contains(s, " ")) {
			err = fmt.Errorf("has an element that is not one word of a challenge")
		}
	}
	return list, err
}
