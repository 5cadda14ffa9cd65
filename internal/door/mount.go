package door

import (
	"net/http"

	"github.com/authz-sidecar/sidecar/internal/door/description"
)

// Mount is a door that shares the listeners of the native API, which has its calls checked for names and caller keys,
// and bounds their headers. The door bounds their bodies and their time itself.
type Mount struct {
	// Door describes what is served. It is the same whatever the configuration is.
	description.Door
	// Handlers serve the operations, by ID. Each gets the call as it came; HEAD comes to that of GET.
	Handlers map[string]http.Handler
	// Below are the paths that are the door's with all paths below them, such as /access: the door refuses there what
	// no operation serves. Each begins with a slash, and ends without one.
	Below []string
	// Refuse answers a call that the listener does not accept, or whose path has no operation of the call's method, in
	// the format of the door. nil answers as the native API does.
	Refuse func(http.ResponseWriter, *http.Request, *CallError)
}

// Doors are the descriptions of mounts.
func Doors(mounts []Mount) []description.Door {
	var out []description.Door
	for _, m := range mounts {
		out = append(out, m.Door)
	}
	return out
}
