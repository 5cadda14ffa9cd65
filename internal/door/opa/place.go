package opa

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// place is what a path asks for: an entrypoint, or a member of what it returns; or anything below the packages whose
// input is the caller's own.
type place struct {
	entrypoint string
	members    []string
	own        []string
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

// placeOf finds the entrypoint that segments begin with.
func (d *data) placeOf(segments []string) (place, bool) {
	for n := len(segments); n > 0; n-- {
		if path := strings.Join(segments[:n], "/"); d.deps.Point.Callable(path) {
			return place{entrypoint: path, members: segments[n:]}, true
		}
	}
	if d.deps.Point.AskedByCallers(segments) {
		return place{own: segments}, true
	}
	return place{}, false
}

// segmentsOf are the segments of a path below a prefix, decoded one by one: an encoded slash ends no segment, and no
// entrypoint has one within a segment.
func segmentsOf(escaped, under string) ([]string, bool) {
	rest, ok := strings.CutPrefix(escaped, under)
	if !ok || rest == "" {
		return nil, false
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		decoded, err := url.PathUnescape(s)
		if err != nil || decoded == "" || strings.Contains(decoded, "/") {
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
