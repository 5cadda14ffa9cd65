package verdict

import (
	"fmt"
	"slices"
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
			out.Error, err = challengeError(t.Value)
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

// inQuotes reports whether text fits a quoted string of a challenge (RFC 6750 section 3): %x20-21, %x23-5B, %x5D-7E.
func inQuotes(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c < 0x20 || c > 0x7e || c == '"' || c == '\\' })
}

func challengeError(v ast.Value) (string, error) {
	s, err := term.Text(v)
	if err == nil && !inQuotes(s) {
		err = fmt.Errorf("has a character that a challenge cannot hold")
	}
	return s, err
}

// challengeWords reads a list whose members are joined by spaces in a challenge.
func challengeWords(v ast.Value) ([]string, error) {
	list, err := term.Texts(v)
	if slices.ContainsFunc(list, func(s string) bool { return s == "" || strings.Contains(s, " ") || !inQuotes(s) }) {
		err = fmt.Errorf("has an element that is not one word of a challenge")
	}
	return list, err
}
