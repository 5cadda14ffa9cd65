package forwardauth

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
)

// restoredStatus carries a status that nginx itself does not take from an answer.
const restoredStatus = "X-Authz-Status"

// answer writes the whole answer to a check at once, with its length: some gateways go on by its head alone.
func (c Config) answer(w http.ResponseWriter, r *http.Request, d *authz.Decision) {
	if d.Kind == authz.Allow && d.Status == http.StatusOK {
		set(w.Header(), d.Headers)
		set(w.Header(), d.UpstreamHeaders) // each once, also an empty one: the client's own must not stay
		if r.Method == http.MethodHead {   // for other methods, net/http writes it by itself
			w.Header()["Content-Length"] = zero
		}
		w.WriteHeader(http.StatusOK)
		return
	}
	refusal := d.Status
	if refusal < http.StatusBadRequest || refusal > 599 {
		refusal = http.StatusInternalServerError
	}
	set(w.Header(), d.Headers)
	status, restored := c.status(refusal)
	if restored {
		w.Header().Set(restoredStatus, strconv.Itoa(refusal))
	}
	if c.Profile == Nginx || c.Profile == IngressNginx { // they pass on the first field alone
		if challenges := w.Header().Values("WWW-Authenticate"); len(challenges) > 1 {
			w.Header().Set("WWW-Authenticate", strings.Join(challenges, ", "))
		}
	}
	told := *d
	told.Status = refusal
	if c.Profile == Envoy {
		told.Status = status // nothing restores another
	}
	mediaType, body := door.ClientBody(&told)
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a gateway that is gone gets none; net/http leaves it out for HEAD
}

// zero is a field value. net/http does not change it.
var zero = []string{"0"}

// set writes headers: one field for the values of a name, but for challenges, which clients tell apart better.
func set(to http.Header, headers []authz.Header) {
	for _, h := range headers {
		if strings.EqualFold(h.Name, "WWW-Authenticate") {
			to["Www-Authenticate"] = h.Values
			continue
		}
		if len(h.Values) == 1 {
			to[http.CanonicalHeaderKey(h.Name)] = h.Values
			continue
		}
		to.Set(h.Name, strings.Join(h.Values, ", "))
	}
}
