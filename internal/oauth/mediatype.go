package oauth

import (
	"net/http"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
)

// MediaType is the media type of a message by its Content-Type: in lower case, and whatever its parameters are, for
// nothing that is read here depends on them and many servers and proxies get them wrong. Where the header comes more
// than once, in several fields or joined by commas (a proxy repeats it, portainer/portainer#12409), all of them must
// be of one type. "" means that there is none that can be read.
func MediaType(h http.Header) string {
	media := ""
	for _, field := range h.Values("Content-Type") {
		for _, one := range listed(field) {
			t := strings.ToLower(strings.Trim(one, " \t"))
			if end := strings.IndexAny(t, "; \t"); end >= 0 {
				t = t[:end]
			}
			if t == "" {
				continue // an empty element of a list: RFC 9110 section 5.6.1.2
			}
			top, sub, _ := strings.Cut(t, "/")
			if !httpuri.IsToken(top) || !httpuri.IsToken(sub) || media != "" && t != media {
				return ""
			}
			media = t
		}
	}
	return media
}

// listed splits a field at the commas that are outside quoted strings (RFC 9110 sections 5.5 and 5.6.4).
func listed(field string) []string {
	var out []string
	start, quoted := 0, false
	for i := 0; i < len(field); i++ {
		switch c := field[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			out, start = append(out, field[start:i]), i+1
		}
	}
	return append(out, field[start:])
}
