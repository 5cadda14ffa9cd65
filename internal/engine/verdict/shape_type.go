package verdict

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/types"

	"github.com/authz-sidecar/sidecar/internal/engine/term"
)

// Refuses says why no value of type t fits the shape, or is empty. A type with alternatives is refused only when each
// of them is.
func (s *Shape) Refuses(t types.Type) string {
	switch t := term.Unnamed(t).(type) {
	case nil:
		return ""
	case types.Any:
		cause := ""
		for _, one := range t {
			if cause = s.Refuses(one); cause == "" {
				return ""
			}
		}
		return cause
	case *types.Object:
		if s.Kinds&term.ObjectKind != 0 {
			return s.refusesObject(t)
		}
	case *types.Array:
		if s.Kinds&term.ArrayKind != 0 && s.Each != nil && t.Len() == 0 && t.Dynamic() != nil {
			return inElement(s.Each.Refuses(t.Dynamic()))
		}
	case *types.Set:
		if s.Kinds&term.SetKind != 0 && s.Each != nil && t.Of() != nil {
			return inElement(s.Each.Refuses(t.Of()))
		}
	}
	if k := term.KindsOf(t); k&s.Kinds == 0 {
		return fmt.Sprintf("is %s, want %s", k, s.Want)
	}
	return ""
}

// refusesObject checks the members that an object is known to have.
func (s *Shape) refusesObject(t *types.Object) string {
	for _, p := range t.StaticProperties() {
		name, ok := p.Key.(string)
		m := s.Named(name)
		switch {
		case !ok:
		case m != nil:
			if cause := m.Shape.Refuses(p.Value); cause != "" {
				return "has a member " + name + " that " + cause
			}
		case len(s.Members) > 0 && !s.Open:
			return "has an " + s.UnknownMember(name).Error()
		case s.Each != nil:
			if cause := s.Each.Refuses(p.Value); cause != "" {
				return fmt.Sprintf("has a member %q that %s", name, cause)
			}
		}
	}
	if s.Required != "" && t.DynamicProperties() == nil && t.Select(s.Required) == nil {
		return "has no " + s.Required + ", which is required"
	}
	return ""
}

func inElement(cause string) string {
	if cause == "" {
		return ""
	}
	return "has elements of which each " + strings.TrimPrefix(cause, "each ")
}
