package verdict

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// framingHeaders shape the message itself or the connection. A policy that set one would break the response, or
// smuggle another.
var framingHeaders = map[string]bool{
	"connection": true, "content-length": true, "host": true, "keep-alive": true, "proxy-connection": true, "te": true,
	"trailer": true, "transfer-encoding": true, "upgrade": true, "www-authenticate": true,
}

func headers(v ast.Value) ([]authz.Header, error) {
	o, ok := v.(ast.Object)
	if !ok {
		return nil, fmt.Errorf("is %s, want an object", term.Describe(v))
	}
	if o.Len() == 0 {
		return nil, nil
	}
	out := make([]authz.Header, 0, o.Len())
	seen := make(map[string]bool, o.Len())
	for _, k := range o.Keys() {
		if err := CheckHeaderName(k.Value); err != nil {
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

// CheckHeaderName is an error when a policy must not set a header of this name.
func CheckHeaderName(v ast.Value) error {
	name, _ := v.(ast.String) // another value is "", which is no name
	return CheckHeader(string(name))
}

// CheckHeader is CheckHeaderName of a text.
func CheckHeader(name string) error {
	switch {
	case !httpuri.IsToken(name):
		return fmt.Errorf("%q is not a header name", name)
	case framingHeaders[strings.ToLower(name)]:
		return fmt.Errorf("%q cannot be set by a policy", name)
	}
	return nil
}

// headerValues are those of one header: a string, or a list of strings.
func headerValues(v ast.Value) ([]string, error) {
	var values []string
	switch v := v.(type) {
	case ast.String:
		s, err := term.Text(v)
		if err != nil {
			return nil, err
		}
		values = []string{s}
	default:
		var err error
		if values, err = term.Texts(v); err != nil {
			return nil, fmt.Errorf("want a string or an array of strings: %w", err)
		}
	}
	if len(values) == 0 {
		values = []string{""} // sent empty, so that the caller's own header of that name does not reach the upstream
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
