package opa

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/authz-sidecar/sidecar/internal/engine"
)

// place is what a path asks for: an entrypoint, or a member of what it returns; or anything below the packages whose
// input is the caller's own.
type place struct {
	entrypoint string
	members    []string
	own        []string
	// trace asks for an explanation of what own leads to; nil asks for none.
	trace *engine.Trace
}

// place is that of the path of a call below a prefix.
func (d *data) place(r *http.Request, under string) (place, *failure) {
	segments, ok := segmentsOf(r.URL.EscapedPath(), under)
	if ok {
		if at, known := d.placeOf(segments); known {
			return at, nil
		}
	}
	return place{}, undefined("no entrypoint has this path: /v1/status lists those of the policy")
}

// placeOf finds the entrypoint that segments begin with. Such a path is read to the letter; below the packages with an
// input of the caller's own, empty segments count for nothing, as in OPA, and a name may have a slash.
func (d *data) placeOf(segments []string) (place, bool) {
	for n := len(segments); literal(segments) && n > 0; n-- {
		if path := strings.Join(segments[:n], "/"); d.deps.Point.Callable(path) {
			return place{entrypoint: path, members: segments[n:]}, true
		}
	}
	own := slices.DeleteFunc(slices.Clone(segments), func(s string) bool { return s == "" })
	if len(own) > 0 && d.deps.Point.AskedByCallers(own) {
		return place{own: own}, true
	}
	return place{}, false
}

// literal reports whether no segment is empty or has a slash: names of rules that are read to the letter.
func literal(segments []string) bool {
	return !slices.ContainsFunc(segments, func(s string) bool { return s == "" || strings.Contains(s, "/") })
}

// segmentsOf are the segments of a path below a prefix, decoded one by one: an encoded slash ends no segment.
func segmentsOf(escaped, under string) ([]string, bool) {
	rest, ok := strings.CutPrefix(escaped, under)
	if !ok {
		return nil, false
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		decoded, err := url.PathUnescape(s)
		if err != nil || !utf8.ValidString(decoded) {
			return nil, false
		}
		segments[i] = decoded
	}
	return segments, true
}

// member is the member of a result that names lead to, or nil.
func member(raw []byte, names []string) []byte {
	for _, name := range names {
		var o map[string]json.RawMessage
		if json.Unmarshal(raw, &o) != nil {
			return nil
		}
		if raw = o[name]; raw == nil {
			return nil
		}
	}
	return raw
}
