package verdict

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/term"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// framingHeaders shape the message itself or the connection. A policy that set one would break the response, or
// smuggle another.
var framingHeaders = []string{
	"connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
	"upgrade", "www-authenticate",
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
	texts := make([]string, 0, o.Len()) // the values of headers that have one
	var seen spellings
	err := o.Iter(func(k, t *ast.Term) error {
		if err := CheckHeaderName(k.Value); err != nil {
			return err
		}
		name := string(k.Value.(ast.String))
		if seen.has(out, name) {
			return fmt.Errorf("%q is set twice, in different spellings", name)
		}
		var values []string
		var err error
		if text, ok := t.Value.(ast.String); ok {
			texts = append(texts, string(text))
			values = texts[len(texts)-1 : len(texts) : len(texts)]
			err = checkText(text)
		} else {
			values, err = headerValues(t.Value)
		}
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		out = append(out, authz.Header{Name: name, Values: values})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// spellings finds names that differ in letter case alone. The zero value compares with each of a few names; many are
// in a map.
type spellings map[string]bool

// maxCompared is up to how many names are compared one by one.
const maxCompared = 16

// has reports whether name is one of those of out, and takes note of it.
func (s *spellings) has(out []authz.Header, name string) bool {
	if len(out) < maxCompared {
		return slices.ContainsFunc(out, func(h authz.Header) bool {
			return len(h.Name) == len(name) && strings.EqualFold(h.Name, name)
		})
	}
	if *s == nil {
		*s = spellings{}
		for _, h := range out {
			(*s)[strings.ToLower(h.Name)] = true
		}
	}
	lower := strings.ToLower(name)
	had := (*s)[lower]
	(*s)[lower] = true
	return had
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
	case slices.ContainsFunc(framingHeaders, func(f string) bool {
		return len(f) == len(name) && strings.EqualFold(f, name) // both are ASCII
	}):
		return fmt.Errorf("%q cannot be set by a policy", name)
	}
	return nil
}

// headerValues are those of one header: a string, or a list of strings.
func headerValues(v ast.Value) ([]string, error) {
	if text, ok := v.(ast.String); ok {
		return []string{string(text)}, checkText(text)
	}
	values, err := term.Texts(v)
	if err != nil {
		return nil, fmt.Errorf("want a string or an array of strings: %w", err)
	}
	if len(values) == 0 {
		values = []string{""} // sent empty, so that the caller's own header of that name does not reach the upstream
	}
	for _, s := range values {
		if err := checkCharacters(s); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// checkText is an error when a text cannot be the value of a header.
func checkText(v ast.String) error {
	if !utf8.ValidString(string(v)) {
		return fmt.Errorf("is not UTF-8")
	}
	return checkCharacters(string(v))
}

func checkCharacters(s string) error {
	for i := range len(s) {
		if c := s[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return fmt.Errorf("the value has a control character")
		}
	}
	return nil
}
