package native_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/door/description"
	"github.com/authz-sidecar/sidecar/internal/door/native"
)

// mounted is a door that says what it was asked, and refuses in a format of its own.
func mounted() []door.Mount {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RequestURI) })
	operation := func(id, path string, needs description.Need) description.Operation {
		return description.Operation{Method: "GET", Path: path, ID: id, Listeners: []string{"api"}, Needs: needs,
			OwnErrors: true}
	}
	return []door.Mount{{
		Door: description.Door{Operations: []description.Operation{
			operation("keyed", "/keyed/{path}", description.CallerKey),
			operation("open", "/open", description.NoKey),
			operation("public", "/public", description.NoName),
		}},
		Handlers: map[string]http.Handler{"keyed": echo, "open": echo, "public": echo},
		Below:    []string{"/own"},
		Refuse: func(w http.ResponseWriter, _ *http.Request, e *door.CallError) {
			w.WriteHeader(e.Status)
			_, _ = io.WriteString(w, "mounted: "+e.Code)
		},
	}}
}

func TestAMountIsServedAsItsOperationsNeed(t *testing.T) {
	s := serve(t, withKeys(t), native.Deps{Mounts: mounted()})
	foreign := map[string][]string{"Origin": {"https://evil.example"}}
	for _, c := range []struct {
		method, path string
		headers      http.Header
		status       int
		body         string
	}{
		{"GET", "/keyed/a%2Fb//c", map[string][]string{"Authorization": {"Bearer " + callerKey}}, 200,
			"/keyed/a%2Fb//c"},
		{"GET", "/keyed/a", nil, 401, "mounted: unauthorized"},
		{"GET", "/open", nil, 200, "/open"},
		{"GET", "/open", foreign, 403, "mounted: foreign_origin"},
		{"GET", "/public", foreign, 200, "/public"},
		{"POST", "/public", http.Header{"Authorization": {"Bearer " + callerKey}}, 405, "mounted: method_not_allowed"},
		{"GET", "/own", nil, 401, "mounted: unauthorized"},
		{"GET", "/own/nothing", http.Header{"Authorization": {"Bearer " + callerKey}}, 404, "mounted: not_found"},
	} {
		resp, body := s.do(t, c.method, c.path, "", c.headers)
		if resp.StatusCode != c.status || body != c.body {
			t.Errorf("%s %s %v: %d %q, want %d %q", c.method, c.path, c.headers, resp.StatusCode, body, c.status,
				c.body)
		}
	}
	if resp, _ := admin(t, native.Deps{Mounts: mounted()}).do(t, "GET", "/open", "", nil); resp.StatusCode != 404 {
		t.Errorf("another listener serves it: %s", resp.Status)
	}
}
