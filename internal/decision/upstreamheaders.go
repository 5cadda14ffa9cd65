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
func withIdentity(set, always []authz.Header) []authz.Header {
	out := slices.Clip(set)
	for _, h := range always {
		if !slices.ContainsFunc(set, func(o authz.Header) bool { return strings.EqualFold(o.Name, h.Name) }) {
			out = append(out, h)
		}
	}
	return out
}
