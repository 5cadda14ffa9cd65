package review

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/lint"
)

// codeClosed is the code of anonymous routes that are never open.
const codeClosed = "closed-anonymous-route"

// routesKey is where routes are, below data.
const routesKey = "routes"

// eachRoute calls found with the path and the content of each route of set: ["/orders", "/*", "GET"].
func eachRoute(set *bundle.Set, found func(path []string, asks any)) {
	tree, _ := set.Document()[routesKey].(map[string]any)
	walkRoutes(tree, nil, found)
}

func walkRoutes(node map[string]any, above []string, found func(path []string, asks any)) {
	for _, key := range slices.Sorted(maps.Keys(node)) {
		path := append(above[:len(above):len(above)], key)
		if !strings.HasPrefix(key, "/") {
			found(path, node[key])
			continue
		}
		if below, ok := node[key].(map[string]any); ok {
			walkRoutes(below, path, found)
		}
	}
}

// closedRoutes are routes for requests without a token, where such requests are refused before any policy. Without a
// configuration file nothing is known about that.
func (s Subject) closedRoutes(set *bundle.Set) []lint.Finding {
	if s.File == "" || s.Config.Decision.Token == "optional" {
		return nil
	}
	var out []lint.Finding
	eachRoute(set, func(path []string, asks any) {
		if route, _ := asks.(map[string]any); route["anonymous"] != true {
			return
		}
		at := append([]string{routesKey}, path...)
		p := bundle.Problem{Code: codeClosed, Message: fmt.Sprintf("%s: the route is anonymous and never open: "+
			"decision.token is required, so that a request without a token is refused before any policy; set "+
			"decision.token: optional, or name what the route asks for", shownRoute(path))}
		p.File, p.Row, p.Col = set.Locate(append(at, "anonymous"))
		out = append(out, lint.Finding{Problem: p, Level: lint.Warning})
	})
	return out
}

// shownRoute is a route as people write it: GET /orders/*.
func shownRoute(path []string) string {
	last := len(path) - 1
	at := strings.Join(path[:last], "")
	if at == "" {
		at = "/"
	}
	return path[last] + " " + at
}
