package witness

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/engine/partial"
	"github.com/authz-sidecar/sidecar/internal/input"
)

// shape is a request of which the method and the path are known; the rest, and the token, are not. The shape of a
// question that is about no request has neither.
type shape struct {
	place Place
	// known are the members of input.request that are known; nil for a question about no request.
	known map[string]any
	// any is set for the shape of all requests: known is what a search starts from.
	any bool
}

func (s shape) String() string {
	if s.any {
		return "requests of other methods and paths"
	}
	if s.known == nil {
		return "a question about no request"
	}
	return s.place.Method + " " + s.place.Path
}

// base is the document that searches start from.
func (s shape) base(f *form, token map[string]any) document {
	doc := document{"version": float64(input.Version), "token": token}
	if s.known != nil {
		request := maps.Clone(s.known)
		request["headers"], request["query"] = map[string]any{}, map[string]any{}
		doc["request"] = request
		if kind, no := f.endpoints.kind(s.known); kind != "" && !no {
			doc["mcp"] = map[string]any{"kind": kind}
		}
	}
	return doc
}

// usualMethods are asked besides those that the policies name.
var usualMethods = []string{"GET", "HEAD", "POST", "OPTIONS"}

// maxPaths bounds the paths of one comparison.
const maxPaths = 20000

// free is a segment that no policy names, for a place where any will do.
func free(n int) string { return "segment-" + strconv.Itoa(n) }

// paths collects the paths of shapes: what is shown, by the URL.
type paths map[string]string

func (p paths) add(segments []string) {
	url := make([]string, 0, len(segments))
	for i, s := range segments {
		if s == "*" || s == "**" {
			s = free(i)
		}
		url = append(url, escaped(s))
	}
	p["/"+strings.Join(url, "/")] = "/" + strings.Join(segments, "/")
}

func escaped(segment string) string {
	return strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23", " ", "%20").Replace(segment)
}

// around adds a path and its neighbours: with an empty segment at the end, with one more segment.
func (p paths) around(segments []string) {
	p.add(segments)
	if len(segments) > 0 {
		p.add(append(slices.Clone(segments), ""))
	}
	p.add(append(slices.Clone(segments), "*"))
}

// beside adds what is spelt nearly like the last segment of a path: with more at its end, and in the other case.
func (p paths) beside(segments []string) {
	n := len(segments) - 1
	if n < 0 || segments[n] == "*" || segments[n] == "**" {
		return
	}
	other := strings.ToUpper(segments[n])
	if other == segments[n] {
		other = strings.ToLower(segments[n])
	}
	for _, last := range []string{segments[n] + "x", other} {
		p.add(append(slices.Clone(segments[:n]), last))
	}
}

// asked are the methods and the paths of the shapes of two sides.
func asked(old, new *program) (map[string]bool, paths) {
	methods, found := map[string]bool{}, paths{}
	for _, m := range usualMethods {
		methods[m] = true
	}
	for _, p := range []*program{old, new} {
		named, places := p.Mentions()
		for _, m := range named {
			methods[m] = true
		}
		for _, place := range places {
			found.around(place.Segments)
			found.beside(place.Segments)
			found.add(slices.Concat([]string{"*"}, place.Segments, []string{"*"}))
		}
		for _, text := range p.ArgumentTexts() {
			found.around([]string{text})
			found.add([]string{text, "*", "*"})
		}
		for _, path := range p.form.endpoints.paths {
			methods["DELETE"] = true
			found[path] = path
		}
		if p.UsesRoutes() {
			tree(p.routes, nil, methods, found)
		}
	}
	for _, segments := range [][]string{nil, {"nowhere"}, {"*", "*"}, {"*", "*", "*"}} {
		found.add(segments)
	}
	return methods, found
}

// shapesOf are the shapes of an entrypoint of two sides, in order, with those of extra requests at the end.
func shapesOf(old, new *program, extra []authz.Request) (out []shape) {
	if !old.readsRequest && !new.readsRequest {
		return []shape{{}}
	}
	methods, found := asked(old, new)
	seen := map[string]bool{}
	add := func(method, url, shown string) {
		request, err := old.rules.Request(&authz.Request{Method: method, URL: url})
		if err != nil || seen[method+" "+request.Path] {
			return
		}
		seen[method+" "+request.Path] = true
		segments := []any{}
		for _, s := range request.Segments {
			segments = append(segments, s)
		}
		if shown == "" {
			shown = request.Path
		}
		s := shape{place: Place{Method: request.Method, Path: shown}, known: map[string]any{
			"method": request.Method, "path": request.Path, "raw_path": request.RawPath, "segments": segments,
		}}
		out = append(out, s)
	}
	urls := slices.Sorted(maps.Keys(found))
	for _, url := range urls[:min(len(urls), maxPaths)] {
		for _, m := range slices.Sorted(maps.Keys(methods)) {
			add(m, url, found[url])
		}
	}
	for _, r := range extra {
		if url, _, _ := strings.Cut(r.URL, "?"); url != "" {
			add(r.Method, url, "")
		}
	}
	if old.readsEntities || new.readsEntities {
		out = append(out, shape{})
	}
	return out
}

// tree adds the paths and methods of a tree of routes.
func tree(node any, segments []string, methods map[string]bool, found paths) {
	members, _ := node.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(members)) {
		name, isSegment := strings.CutPrefix(key, "/")
		if isSegment {
			tree(members[key], append(slices.Clip(segments), name), methods, found)
			continue
		}
		if key == strings.ToUpper(key) && key != "" {
			methods[key] = true
		}
		found.around(segments)
		found.beside(segments)
	}
}

// request is what partial evaluation is told of a shape.
func (s shape) request(f *form) partial.Request {
	known := map[string]any{"version": input.Version}
	r := partial.Request{HeaderNames: f.headers, Risks: true, Unknown: [][]string{{"token"}, {"context"}}}
	if s.any {
		known["request"] = map[string]any{}
		for _, name := range pathMembers {
			r.Unknown = append(r.Unknown, []string{"request", name})
		}
	} else if s.known != nil {
		known["request"] = s.known
	}
	if s.known == nil {
		r.Unknown = append(r.Unknown, []string{"subject"}, []string{"action"}, []string{"resource"})
	} else {
		if kind, no := f.endpoints.kind(s.known); kind != "" && !no {
			known["mcp"] = map[string]any{"kind": kind}
			r.Unknown = append(r.Unknown, []string{"mcp", "session"}, []string{"mcp", "protocol_version"})
		} else if !no {
			r.Unknown = append(r.Unknown, []string{"mcp"})
		}
		for _, name := range []string{"headers", "query", "scheme", "host", "port", "source_ip"} {
			r.Unknown = append(r.Unknown, []string{"request", name})
		}
		if f.body {
			r.Unknown = append(r.Unknown, []string{"request", "body"}, []string{"request", "body_truncated"})
		}
	}
	r.Known = []byte(textOf(known))
	return r
}
