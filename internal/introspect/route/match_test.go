package route

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/introspect"
)

// Issuers that pass Check never leave two issuers to choose from: rules are made at random, and tokens and requests
// of the same few parts that the rules are made of.
func TestWhatIsCheckedIsNeverAmbiguous(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	some := func(of ...string) (out []string) {
		for _, s := range of {
			if r.IntN(3) == 0 {
				out = append(out, s)
			}
		}
		return out
	}
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	checked := 0
	for range 20000 {
		var issuers []Issuer
		for n := range 2 + r.IntN(2) {
			i := Issuer{Name: fmt.Sprint(n),
				Match: Match{Issuers: some("x", "y"), Prefixes: some("a", "ab", "b"), MinLength: r.IntN(3),
					Hosts: some("h", "i")}}
			if r.IntN(2) == 0 {
				i.Match.MaxLength = i.Match.MinLength + r.IntN(3)
			}
			if v := some("1", "2"); v != nil {
				i.Match.Header, i.Match.Values = one("p", "q"), v
			}
			issuers = append(issuers, i)
		}
		ambiguous := false
		Check(issuers, func(_, cause, _ string) {
			ambiguous = ambiguous ||
				!strings.Contains(cause, "takes no token")
		})
		if ambiguous {
			continue
		}
		checked++
		for range 50 {
			q := introspect.Question{Host: one("h", "i", ""),
				Headers: map[string][]string{"p": some("1"), "q": some("2")}}
			tok := one("a", "ab", "b", "") + one("", "c", "cc", "ccc")
			byName, byLook := 0, 0
			iss := one("x", "y")
			for _, i := range issuers {
				rule := newRule(i, len(issuers))
				if rule.admits(&q) && slices.Contains(rule.names, iss) {
					byName++
				}
				if rule.admits(&q) && rule.opaque == matching && rule.fits(tok) {
					byLook++
				}
			}
			if byName > 1 || byLook > 1 {
				t.Fatalf("%d issuers take iss %q, %d take %q, with %+v, of %+v", byName, iss, byLook, tok, q, issuers)
			}
		}
	}
	if checked < 100 {
		t.Errorf("%d sets of issuers passed: nothing was tested", checked)
	}
}
