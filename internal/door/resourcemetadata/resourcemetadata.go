// Package resourcemetadata is the door by which clients learn what a protected resource is, and where tokens for it
// are issued (RFC 9728). What it serves is public.
package resourcemetadata

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/resource"
)

// Mount returns the door of resources. A nil set answers 404.
func Mount(all *resource.Set) door.Mount {
	d := documents{all}
	m := door.Mount{
		Door: described(),
		Handlers: map[string]http.Handler{
			idRoot: d, idPath: d,
			idRoot + "Preflight": http.HandlerFunc(preflight), idPath + "Preflight": http.HandlerFunc(preflight),
		},
	}
	for _, at := range elsewhere {
		m.Handlers[at.id] = http.HandlerFunc(issuesNoTokens)
	}
	return m
}

// noTokens is an error as OAuth has it (RFC 6749 section 5.2): clients show its description.
const noTokens = `{"error":"invalid_request","error_description":"no tokens are issued here: the metadata of the ` +
	`protected resource (RFC 9728) names its authorization servers"}`

func issuesNoTokens(w http.ResponseWriter, r *http.Request) {
	answer(w, r, []byte(noTokens), http.StatusNotFound)
}

// kept is what Cache-Control says of a document: clients may keep it for five minutes.
const kept = "public, max-age=300"

// documents serves the metadata of each resource.
type documents struct{ all *resource.Set }

func (d documents) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, status := d.document(r)
	answer(w, r, body, status)
}

func answer(w http.ResponseWriter, r *http.Request, body []byte, status int) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", kept)
	h.Set("Vary", "X-Forwarded-Host") // which may choose the document
	if status != http.StatusOK {
		h.Set("Cache-Control", "no-store")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // fails only when the caller is gone
	}
}

func (d documents) document(r *http.Request) ([]byte, int) {
	path := r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	host := d.host(r)
	if of := d.all.Serving(host.Host, int64(host.Port), path); of != nil {
		if body, err := of.Metadata(); err == nil {
			return body, http.StatusOK
		}
	}
	body, err := json.Marshal(map[string]*door.CallError{"error": door.NewCallError(http.StatusNotFound, "not_found",
		"no resource has its metadata here: resources of the configuration names them", "")})
	if err != nil {
		body = []byte("{}")
	}
	return body, http.StatusNotFound
}

// host is the public host that a call is for: that of Host, or that of X-Forwarded-Host behind a gateway that writes
// its own Host; the zero Authority where neither is one of a resource. It only chooses between public documents, so
// that it needs no trust.
func (d documents) host(r *http.Request) httpuri.Authority {
	hosts := d.all.Hosts()
	for _, said := range append([]string{r.Host}, r.Header.Values("X-Forwarded-Host")...) {
		if a, ok := httpuri.ReadAuthority(said); ok && slices.Contains(hosts, a.Host) {
			return a
		}
	}
	return httpuri.Authority{}
}

// preflight lets scripts of every page read the documents: clients send MCP-Protocol-Version, which needs it.
func preflight(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "MCP-Protocol-Version, Accept, Content-Type, Authorization")
	h.Set("Access-Control-Max-Age", "86400")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}
