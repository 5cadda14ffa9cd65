package replay

import (
	"regexp"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// namer names what decisions are about: routes of the library by their id, other requests by method and path with *
// for what looks like an identifier, and questions about no request by action and type of resource.
type namer struct {
	// trees are data.routes of both sides, by the entrypoints that depend on them.
	trees map[string][]map[string]any
}

func newNamer(sides ...Side) *namer {
	n := &namer{trees: map[string][]map[string]any{}}
	for _, s := range sides {
		if s.Policy == nil || s.Set == nil {
			continue
		}
		tree, ok := s.Set.Document()["routes"].(map[string]any)
		if !ok {
			continue
		}
		for _, path := range s.Policy.Entrypoints() {
			if s.Policy.UsesRoutes(path) {
				n.trees[path] = append(n.trees[path], tree)
			}
		}
	}
	return n
}

func (n *namer) name(entrypoint string, d *input.Document) string {
	if !d.HasRequest() {
		method, what := decision.Asked(d)
		if d.Resource != nil {
			what = d.Resource.Type
		}
		return strings.TrimSpace(method + " " + what)
	}
	for _, tree := range n.trees[entrypoint] {
		if id := routeOf(tree, &d.Request); id != "" {
			return id
		}
	}
	return d.Request.Method + " " + pattern(d.Request.Segments)
}

// routeOf is the id of the route that a request takes, as package sidecar.routes finds it, or "".
func routeOf(tree map[string]any, r *input.Request) string {
	method := r.Method
	if method == "HEAD" {
		method = "GET"
	}
	const deepest = 8
	var rest map[string]any
	node := tree
	for i := 0; node != nil; i++ {
		if below, ok := node["/**"].(map[string]any); ok && beyond(r.Segments, i) {
			rest = below
		}
		if i == len(r.Segments) || i == deepest {
			break
		}
		node = child(node, r.Segments[i])
	}
	if len(r.Segments) <= deepest && node != nil {
		if found, ok := node[method]; ok {
			return idOf(found)
		}
	}
	return idOf(rest[method])
}

func child(node map[string]any, segment string) map[string]any {
	if segment != "**" {
		if next, ok := node["/"+segment]; ok {
			below, _ := next.(map[string]any)
			return below
		}
	}
	if segment == "" {
		return nil
	}
	below, _ := node["/*"].(map[string]any)
	return below
}

// beyond reports whether something follows the first n segments.
func beyond(segments []string, n int) bool {
	for i := n; i < len(segments); i++ {
		if segments[i] != "" {
			return true
		}
	}
	return false
}

func idOf(route any) string {
	asked, _ := route.(map[string]any)
	id, _ := asked["id"].(string)
	return id
}

// maxSegments bounds the path of a name.
const maxSegments = 6

// pattern is a path with * for the segments that look like identifiers.
func pattern(segments []string) string {
	var b strings.Builder
	for i, s := range segments {
		switch {
		case i == maxSegments:
			b.WriteString("/**")
			return b.String()
		case len(s) > 40 || identifier.MatchString(s):
			s = "*"
		}
		b.WriteString("/" + s)
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// identifier matches numbers, UUIDs, ULIDs, hexadecimal and other texts that have a digit and are long, and addresses.
var identifier = regexp.MustCompile(
	`^([0-9]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[A-Za-z_-]*[0-9][0-9A-Za-z_-]{11,}|[A-Za-z]+[-_][0-9]+|.*@.*)$`)
