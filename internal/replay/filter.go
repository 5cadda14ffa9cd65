package replay

import (
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/input"
)

// has reports whether the filter chooses an event. An event without document is only chosen by its entrypoint.
func (f *Filter) has(o *outcome, names *namer) bool {
	if len(f.Entrypoints) > 0 && !slices.Contains(f.Entrypoints, o.entrypoint) {
		return false
	}
	if len(f.Clients)+len(f.Tenants)+len(f.Routes) == 0 {
		return true
	}
	if o.doc == nil || !isOne(f.Clients, o.doc.Token.ClientID) || !isOne(f.Tenants, o.doc.Token.Tenant) {
		return false
	}
	if len(f.Routes) == 0 {
		return true
	}
	o.route = names.name(o.entrypoint, o.doc)
	return slices.ContainsFunc(f.Routes, func(want string) bool {
		return want == o.route || isAt(want, &o.doc.Request)
	})
}

func isOne(names []string, name string) bool { return len(names) == 0 || slices.Contains(names, name) }

// isAt reports whether a request is at "METHOD /path", or at "/path" with any method. In a path * stands for one
// segment, and ** at the end for one or more.
func isAt(want string, r *input.Request) bool {
	method, path, ok := strings.Cut(want, " ")
	if !ok {
		method, path = "*", want
	}
	if !strings.HasPrefix(path, "/") || method != "*" && method != r.Method {
		return false
	}
	segments := strings.Split(path[1:], "/")
	if path == "/" {
		segments = nil
	}
	for i, s := range segments {
		switch {
		case s == "**" && i == len(segments)-1 && i < len(r.Segments):
			return true
		case i >= len(r.Segments) || s != "*" && s != r.Segments[i]:
			return false
		}
	}
	return len(segments) == len(r.Segments)
}
