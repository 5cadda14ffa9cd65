package decision

import (
	"fmt"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/verdict"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// Check reports every fault of c.
func (c Config) Check(fault func(key, cause, hint string)) {
	seen := map[string]string{}
	for _, name := range c.UpstreamHeaders {
		if err := verdict.CheckHeader(name); err != nil {
			fault("upstream_headers", err.Error(), "write names such as X-Subject")
			continue
		}
		variable := httpuri.Variable(name)
		if first, twice := seen[variable]; twice {
			fault("upstream_headers", fmt.Sprintf("%q and %q are one name for some upstreams", first, name),
				"write one of the two")
		}
		seen[variable] = name
	}
}

// emptyHeaders are headers of these names without a value.
func emptyHeaders(names []string) []authz.Header {
	out := make([]authz.Header, len(names))
	for i, name := range names {
		out[i] = authz.Header{Name: name, Values: []string{""}}
	}
	return out
}

// withIdentity returns set and, after it, those of always whose names it lacks. The set of a verdict is never changed.
// An error is of kind Misconfigured: some upstreams take a header of set for one of always, as X_Subject for
// X-Subject.
func withIdentity(set, always []authz.Header) ([]authz.Header, error) {
	out := slices.Clip(set)
	for _, h := range always {
		missing := true
		for _, o := range set {
			switch {
			case strings.EqualFold(o.Name, h.Name):
				missing = false
			case httpuri.SameVariable(o.Name, h.Name):
				return nil, authz.Errorf(authz.Misconfigured, "read result: upstream_headers has %q, and "+
					"decision.upstream_headers %q, which some upstreams take for one", o.Name, h.Name)
			}
		}
		if missing {
			out = append(out, h)
		}
	}
	return out, nil
}

// addUpstreamToken adds the header of the token for the upstream to an allow. Without a token of the client the header
// is empty, and so it is in the answer to an operator, who gets no token that an application would accept.
func (p *Point) addUpstreamToken(d *authz.Decision, v *authz.Verdict, q *pending) error {
	if p.deps.UpstreamTokens == nil || d.Kind != authz.Allow {
		return nil
	}
	claims := v.UpstreamToken
	if q.client.scheme == "" || q.unrecorded {
		claims = nil
	}
	set, t, err := p.deps.UpstreamTokens.Headers(d.UpstreamHeaders, claims, q.client.expires, q.rec.Time)
	if err != nil {
		return err
	}
	d.UpstreamHeaders, q.rec.UpstreamTokenID = set, t.ID
	return nil
}
