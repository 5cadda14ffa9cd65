package input

import (
	"maps"
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/secret"
)

// requestWithoutToken takes the token that hide hides out of the request. The zero Request stays as it is.
func (q *Query) requestWithoutToken(hide *secret.Hider) error {
	r := &q.Request
	if hide.InFold(r.Method) || hide.InFold(r.Host) || hide.In(r.Method) || hide.In(r.Host) {
		return malformed("the method or the host holds the token")
	}
	if err := r.hideInPath(hide); err != nil {
		return err
	}
	r.Query, _ = hideInFields(r.Query, func(s string) string {
		if out := hide.Hide(s); out != s || !hide.In(strings.ReplaceAll(s, " ", "+")) {
			return out
		}
		return secret.Redacted // a "+" that was not escaped was read as a blank
	})
	if q.known == nil || hide.Fits(q.known.longest) {
		clean := false
		if r.Headers, clean = hideInFields(r.Headers, hide.Hide); clean && q.unknown != nil {
			q.unknown.seen.keep(q.unknown.headers, r.Headers)
		}
	}
	if r.Body != nil && hide.In(*r.Body) {
		body := hide.Hide(*r.Body)
		r.Body = &body
	}
	return nil
}

// hideInPath keeps the segments in number and place. A token that spans several of them has no place of its own.
func (r *Request) hideInPath(hide *secret.Hider) error {
	if !hide.In(r.RawPath) && !hide.In(r.Path) {
		return nil
	}
	parts := strings.Split(r.RawPath, "/")
	for i, p := range parts {
		parts[i] = hide.Hide(p)
	}
	r.Segments = slices.Clone(r.Segments)
	for i, s := range r.Segments {
		r.Segments[i] = hide.Hide(s)
	}
	r.RawPath, r.Path = strings.Join(parts, "/"), "/"+strings.Join(r.Segments, "/")
	if hide.In(r.RawPath) || hide.In(r.Path) {
		return malformed("the path holds the token across a slash")
	}
	return nil
}

// hideInFields returns fields, and true when hide leaves them as they are; else a copy of them without what hide takes
// out.
func hideInFields(fields map[string][]string, hide func(string) string) (map[string][]string, bool) {
	if len(fields) == 0 {
		return fields, true
	}
	clean := true
	for name, values := range fields {
		clean = clean && hide(name) == name && !slices.ContainsFunc(values,
			func(v string) bool { return hide(v) != v })
	}
	if clean {
		return fields, true
	}
	out := make(map[string][]string, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) { // two names may become one
		hidden := hide(name)
		for _, v := range fields[name] {
			out[hidden] = append(out[hidden], hide(v))
		}
	}
	return out, false
}
