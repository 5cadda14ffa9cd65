package review

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/introspect/issuer"
	"github.com/authz-sidecar/sidecar/internal/lint"
)

// codeDoubtfulRoute is the code of routes that are well-formed and probably not what is meant.
const codeDoubtfulRoute = "doubtful-route"

// doubtfulRoutes are routes that no token opens, that no path takes, or that have the id of another.
func (s Subject) doubtfulRoutes(set *bundle.Set) []lint.Finding {
	var out []lint.Finding
	named := map[string]string{}
	eachRoute(set, func(path []string, asks any) {
		route, _ := asks.(map[string]any)
		id, ok := route["id"].(string)
		if !ok {
			return // its fault is told, or the data are no routes of the library
		}
		doubt := func(key, format string, args ...any) {
			p := bundle.Problem{Code: codeDoubtfulRoute}
			p.Message = shownRoute(path) + ": " + fmt.Sprintf(format, args...)
			p.File, p.Row, p.Col = set.Locate(append(append([]string{routesKey}, path...), key))
			out = append(out, lint.Finding{Problem: p, Level: lint.Warning})
		}
		if other := named[id]; other != "" {
			doubt("id", "%s has the id %q too: logs and tests cannot tell the two apart", other, id)
		} else {
			named[id] = shownRoute(path)
		}
		if audience, ok := route["audience"].([]any); ok && len(audience) == 0 {
			doubt("audience", "no token is for one of no audiences: the route is never open; name the audience of the API")
		}
		if _, rule := route["tenant"].(map[string]any); rule && s.knowsNoTenant() {
			doubt("tenant", "no token has a tenant: the route is never open; set tenant of an issuer in the configuration, "+
				"or write tenant: none")
		}
		scopes, _ := route["scopes"].([]any)
		for _, scope := range scopes {
			if text, _ := scope.(string); strings.Contains(text, " ") {
				doubt("scopes", "no token has the scope %q, for a scope holds no blank: write each as an element", text)
			}
		}
		for _, segment := range path[:len(path)-1] {
			if why := segmentDoubt(segment); why != "" {
				doubt("id", "the segment %s %s", segment, why)
			}
		}
	})
	return out
}

// segmentDoubt says why no segment of a path is probably like one of the tree, or "". Names such as $batch and
// Orders(1) occur.
func segmentDoubt(segment string) string {
	encoded, err := url.PathUnescape(segment)
	switch {
	case strings.HasPrefix(segment, "/:"):
		return "stands for itself: write /* for any segment"
	case strings.ContainsAny(segment, "?#"):
		return "holds a query or a fragment, and paths have none: remove it"
	case err == nil && encoded != segment:
		return "is encoded, and paths are compared as they are decoded: write \"" + encoded + "\""
	case strings.ContainsAny(segment, `[]^\`):
		return "looks like an expression, and stands for itself: write /* for any segment"
	}
	return ""
}

// knowsNoTenant reports whether the configuration says of no issuer where its answers name the tenant. Without a
// configuration file, or with a faulty one, nothing is known about that.
func (s Subject) knowsNoTenant() bool {
	return s.File != "" && s.Faults == nil && !slices.ContainsFunc(s.Config.Issuers, func(c issuer.Config) bool {
		return len(c.Dialect.Tenant) > 0
	})
}
