package native

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/door/description"
)

// operations lists the operations of this door and of those that are mounted on its listeners.
func operations(mounted []description.Door) []description.Operation {
	all := ownOperations()
	for _, m := range mounted {
		all = append(all, m.Operations...)
	}
	return all
}

var parameterOfPath = regexp.MustCompile(`\{([^}]+)\}`)

// routeOf is the path of an operation as echo writes it.
func routeOf(o description.Operation) string {
	path := strings.ReplaceAll(o.Path, "{path}", "*")
	return parameterOfPath.ReplaceAllString(path, ":$1")
}

// addMounts serves what is mounted on a listener.
func addMounts(e *echo.Echo, listener string, mounts []door.Mount) {
	for _, m := range mounts {
		for _, o := range m.Operations {
			if !slices.Contains(o.Listeners, listener) {
				continue
			}
			h := echo.WrapHandler(m.Handlers[o.ID])
			e.Add(o.Method, routeOf(o), h)
			if o.Head {
				e.Add(http.MethodHead, routeOf(o), h)
			}
		}
	}
}

// refuserOf is what answers a call that is refused, or nil: that of the mount whose operation has the path of the
// call, or begins as it, or which has all paths there, unless this door has the operation itself.
func refuserOf(r *http.Request, mounts []door.Mount) func(http.ResponseWriter, *http.Request, *door.CallError) {
	path, method := r.URL.Path, strings.Replace(r.Method, http.MethodHead, http.MethodGet, 1)
	for _, o := range ownOperations() {
		if o.Path == path && o.Method == method {
			return nil
		}
	}
	for _, m := range mounts {
		for _, o := range m.Operations {
			if begin, _, parts := strings.Cut(o.Path, "{"); path == o.Path || parts && strings.HasPrefix(path, begin) {
				return m.Refuse
			}
		}
		if slices.ContainsFunc(m.Below, func(own string) bool {
			return path == own || strings.HasPrefix(path, own+"/")
		}) {
			return m.Refuse
		}
	}
	return nil
}
