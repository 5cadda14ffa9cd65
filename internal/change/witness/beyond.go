package witness

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Policies that read the method or the path by themselves, and not by the route of a request alone, may tell apart
// requests of which no shape is known: by a pattern, the length of the path, or a name that they compute. Such
// policies are compared for all requests at once, too. Where that proves nothing, it is said that the other requests
// are open.

// pathMembers are the members of input.request that shapes know, and that follow from each other.
var pathMembers = []string{"method", "path", "raw_path", "segments"}

// maxBeyond bounds what is evaluated for all requests at once.
const maxBeyond = 4 * time.Second

// anyRequest is the shape of all requests.
func anyRequest() shape {
	return shape{any: true, known: map[string]any{"method": "GET", "path": "/" + free(0), "raw_path": "/" + free(0),
		"segments": []any{free(0)}}}
}

// readsPaths reports whether shapes of requests may be missing.
func (c *comparison) readsPaths() bool {
	return !c.identical && (c.old.readsRequest || c.new.readsRequest) && (c.old.ReadsPaths() || c.new.ReadsPaths())
}

// beyond looks at the shape of all requests, after the others. A class that these have is not looked for again.
func (c *comparison) beyond(ctx context.Context, r *result, others []*result) {
	if !r.evaluated || ctx.Err() != nil {
		return
	}
	found := map[Class]bool{}
	var examples []document
	for _, other := range others {
		for _, d := range other.found {
			if d.unreachable == "" && !found[d.class] {
				found[d.class] = true
				examples = append(examples, d.doc)
			}
		}
	}
	a := c.newAttack(ctx, r)
	a.first, a.elsewhere = true, found
	a.decide(examples)
	r.found = slices.DeleteFunc(r.found, func(d difference) bool { return found[d.class] })
}

// about is a result with the request of a difference, for the shape of all requests.
func (r *result) about(d difference) *result {
	if !r.any {
		return r
	}
	out := &result{shape: r.shape, pair: r.pair, oldRisks: r.oldRisks, newRisks: r.newRisks}
	out.known = map[string]any{}
	request, _ := d.doc["request"].(map[string]any)
	for _, name := range pathMembers {
		out.known[name] = request[name]
	}
	out.place.Method, _ = request["method"].(string)
	out.place.Path, _ = request["path"].(string)
	return out
}

// requested is a document of which one member of a request has changed, with the others that follow from it; nil where
// no request has it.
func (f *form) requested(doc document, changed string) document {
	request, _ := doc["request"].(map[string]any)
	method, _ := request["method"].(string)
	path, _ := request["path"].(string)
	url := escaped("/" + strings.TrimPrefix(path, "/"))
	switch changed {
	case "raw_path":
		raw, _ := request["raw_path"].(string)
		url = "/" + strings.TrimPrefix(raw, "/")
	case "segments":
		segments, _ := request["segments"].([]any)
		url = ""
		for i, s := range segments {
			name, _ := s.(string)
			if name == "" && i < len(segments)-1 {
				name = free(i) // a segment before the one that was set
			}
			url += "/" + strings.ReplaceAll(escaped(name), "/", "%2F")
		}
		if url == "" {
			url = "/"
		}
	}
	made, err := f.requests.Request(&authz.Request{Method: method, URL: url})
	if err != nil {
		return nil
	}
	out, inner := maps.Clone(doc), maps.Clone(request)
	segments := make([]any, 0, len(made.Segments))
	for _, s := range made.Segments {
		segments = append(segments, s)
	}
	inner["method"], inner["path"], inner["raw_path"] = made.Method, made.Path, made.RawPath
	inner["segments"], out["request"] = segments, inner
	return out
}

// maxSegments bounds the paths that are made up.
const maxSegments = 9

// segmentLists are the segments of paths that constants suggest: those of each, and free ones of each length.
func segmentLists(constants []any) (out []any) {
	lengths := []any{}
	for i := range maxSegments {
		lengths = append(lengths, free(i))
		out = append(out, slices.Clone(lengths))
	}
	for _, v := range constants {
		if text, ok := v.(string); ok && strings.Contains(strings.Trim(text, "/"), "/") {
			list := []any{}
			for s := range strings.SplitSeq(strings.Trim(text, "/"), "/") {
				list = append(list, s)
			}
			out = append(out, list)
		}
	}
	return out
}

// belowEachOther are the paths of two constants, one below the other.
func belowEachOther(constants []any) (out []any) {
	for _, a := range constants {
		for _, b := range constants {
			above, ok := a.(string)
			below, also := b.(string)
			if ok && also && strings.Trim(above, "/") != "" && strings.Trim(below, "/") != "" && len(out) < maxValues {
				out = append(out, "/"+strings.Trim(above, "/")+"/"+strings.Trim(below, "/"))
			}
		}
	}
	return out
}
