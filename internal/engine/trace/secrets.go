package trace

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// hidden stands for a value that is a secret by its name.
const hidden = secret.Redacted

// secretWords are parts of the names of members that hold secrets, in lower case without separators.
var secretWords = []string{
	"secret", "password", "passwd", "passphrase", "apikey", "privatekey", "credential", "accesstoken", "refreshtoken",
	"idtoken", "clientassertion", "sessiontoken", "authtoken", "bearertoken",
}

// IsSecretName reports whether a member of this name is taken for a secret.
func IsSecretName(name string) bool {
	bare := strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "", " ", "").Replace(name))
	if bare == "authorization" || bare == "cookie" || bare == "dpop" {
		return true
	}
	return slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(bare, w) })
}

// hider keeps secrets out of values: the texts below members with the name of a secret, in the input and in what the
// rules read of data, also where they went on through variables.
type hider struct{ secrets []*secret.Hider }

// maxSecrets bounds the texts that are looked for.
const maxSecrets = 200

// newHider collects the secrets that the rules could read.
func (x *explainer) newHider() *hider {
	h := &hider{}
	var seen []*ast.Term
	for _, rule := range x.sorted {
		o := x.rules[rule]
		rego.VisitRefs(rule, func(_ *ast.Term, ref ast.Ref, _ *ast.Location) {
			if !ref.HasPrefix(ast.DefaultRootRef) {
				return
			}
			ref = ref.GroundPrefix()
			if at := secretAt(ref); at > 0 {
				h.add(x.lookup(ref[:at+1], nil))
			}
		})
		if m := o.frames[0].failed; m != nil && m.input != nil && !slices.Contains(seen, m.input) {
			seen = append(seen, m.input)
			h.walk(m.input.Value)
		}
	}
	return h
}

// secretAt is the first name in ref that is one of a secret, or 0.
func secretAt(ref ast.Ref) int {
	for i, t := range ref[1:] {
		if name, ok := t.Value.(ast.String); ok && IsSecretName(string(name)) {
			return i + 1
		}
	}
	return 0
}

// add takes every text within v for a secret.
func (h *hider) add(v ast.Value) {
	if v == nil {
		return
	}
	ast.WalkTerms(v, func(t *ast.Term) bool {
		if s, ok := t.Value.(ast.String); ok && len(h.secrets) < maxSecrets {
			if one := secret.NewHider(secret.New(string(s))); one != nil {
				h.secrets = append(h.secrets, one)
			}
		}
		return len(h.secrets) >= maxSecrets
	})
}

// walk adds what is below the names of secrets in v.
func (h *hider) walk(v ast.Value) {
	ast.WalkTerms(v, func(t *ast.Term) bool {
		if o, ok := t.Value.(ast.Object); ok {
			o.Foreach(func(k, inner *ast.Term) {
				if name, ok := k.Value.(ast.String); ok && IsSecretName(string(name)) {
					h.add(inner.Value)
				}
			})
		}
		return len(h.secrets) >= maxSecrets
	})
}

// value is the text of a value without secrets.
func (h *hider) value(o operand, v ast.Value) string {
	if ref, ok := o.term.Value.(ast.Ref); ok && secretAt(ref) > 0 {
		return hidden
	}
	return h.valueText(v)
}

func (h *hider) text(s string) string {
	for _, one := range h.secrets {
		s = one.Hide(s)
	}
	return s
}
