package access

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/partial"
)

// place is a method at a path of which some segments are free.
type place struct {
	method string
	// shown is the path with "*" for a free segment and "**" for free segments at the end.
	shown string
	// segments are those of a request, with names for the free ones that no policy has.
	segments []string
	// route is set for a place in the tree of data.routes. What the policies name besides, such as a path that is
	// frozen, is only worth a row where it differs.
	route bool
}

// maxPlaces bounds the rows of a matrix.
const maxPlaces = 5000

// anywhere is a place for policies that name none.
var anywhere = []partial.Place{{Prefix: true}}

// free is the name of the nth segment, where any will do.
func free(n int) string { return "segment-" + strconv.Itoa(n) }

// url is the path of a request.
func (p place) url() string { return "/" + strings.Join(p.segments, "/") }

// places are those of the tree of routes, those that policies name, and the requests that are at none of these.
func (a *Analyst) places(requests []authz.Request) []place {
	out := a.namedPlaces()
	for _, q := range requests {
		request, err := a.rules.Request(&q)
		if err != nil {
			continue
		}
		p := place{method: request.Method, shown: request.Path, segments: request.Segments}
		if !slices.ContainsFunc(out, func(other place) bool { return other.covers(p) }) {
			out = append(out, p)
		}
	}
	return out
}

// covers reports whether q is a request at p.
func (p place) covers(q place) bool {
	method := q.method
	if method == "HEAD" && p.route {
		method = "GET"
	}
	rest := strings.HasSuffix(p.shown, "/**")
	if method != p.method || len(q.segments) < len(p.segments) || !rest && len(q.segments) != len(p.segments) {
		return false
	}
	for i, s := range p.segments {
		if s != q.segments[i] && s != free(i) {
			return false
		}
	}
	return true
}

func (a *Analyst) namedPlaces() []place {
	var out []place
	methods, mentioned := a.program.Mentions()
	if a.usesRoutes {
		out = treePlaces(a.routes, nil, nil)
		for _, p := range out {
			methods = append(methods, p.method)
		}
	}
	if len(methods) == 0 {
		methods = []string{"GET", "POST", "PUT", "DELETE"}
	}
	slices.Sort(methods)
	methods = slices.Compact(methods)
	if len(mentioned) == 0 && !a.usesRoutes {
		mentioned = anywhere
	}
	for _, m := range mentioned {
		for _, method := range methods {
			p := place{method: method, shown: "/" + strings.Join(m.Segments, "/"), segments: slices.Clone(m.Segments)}
			for i, s := range p.segments {
				if s == "*" {
					p.segments[i] = free(i)
				}
			}
			if m.Prefix {
				p.shown = strings.TrimSuffix(p.shown, "/") + "/**"
				p.segments = append(p.segments, free(len(p.segments)))
			}
			out = append(out, p)
		}
	}
	return out
}

// treePlaces are the methods below a node of data.routes, by segments and then by methods.
func treePlaces(node any, shown, segments []string) (out []place) {
	members, _ := node.(map[string]any)
	keys := slices.Sorted(maps.Keys(members))
	for _, key := range keys {
		if !strings.HasPrefix(key, "/") {
			out = append(out, place{method: key, shown: "/" + strings.Join(shown, "/"), segments: segments,
				route: true})
		}
	}
	for _, key := range keys {
		name, isSegment := strings.CutPrefix(key, "/")
		if !isSegment {
			continue
		}
		value := name
		if name == "*" || name == "**" {
			value = free(len(segments))
		}
		out = append(out, treePlaces(members[key], append(slices.Clip(shown), name),
			append(slices.Clip(segments), value))...)
	}
	return out
}
