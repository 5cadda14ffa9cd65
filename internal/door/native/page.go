package native

import (
	"bytes"
	"html/template"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/door/description"
)

// addDescription serves the description of the API, and a page for people. Neither needs a caller key: both say what
// the public documentation says, and nothing of this installation. Both are made when they are first asked for.
func addDescription(e *echo.Echo, listener string, mounted []description.Door) {
	text := sync.OnceValue(func() []byte { return Description(mounted) })
	get(e, "/openapi.json", func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store")
		return c.Blob(http.StatusOK, "application/json", text())
	})
	shown := sync.OnceValue(func() (all []shownOperation) {
		for _, o := range operations(mounted) {
			if slices.Contains(o.Listeners, listener) {
				all = append(all, shownOperation{o})
			}
		}
		return all
	})
	get(e, "/", func(c echo.Context) error {
		var b bytes.Buffer
		if err := page.Execute(&b, shownPage{listener, curl(c.Request()), shown()}); err != nil {
			return err
		}
		h := c.Response().Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors "+
			"'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		return c.Blob(http.StatusOK, "text/html; charset=utf-8", b.Bytes())
	})
}

type shownPage struct {
	Listener, Curl string
	Operations     []shownOperation
}

// curl is a command up to the path, for the listener that r came to. The Host was checked by then, but for sockets.
func curl(r *http.Request) string {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && a.Network() == "unix" {
		return "curl --unix-socket '" + a.String() + "' http://localhost"
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return "curl " + scheme + "://" + r.Host
}

// shownOperation is an operation as the page shows it.
type shownOperation struct{ description.Operation }

// Asked is the path with an example of each parameter.
func (o shownOperation) Asked() string {
	path := o.Path
	for _, p := range o.Parameters {
		path = strings.ReplaceAll(path, "{"+p.Name+"}", p.Example)
	}
	return path
}

// Arguments are those of curl after the URL, for an operation that takes JSON.
func (o shownOperation) Arguments() string {
	m, ok := o.Body["application/json"]
	if !ok {
		return ""
	}
	return " -H 'Content-Type: application/json' -d '" + string(m.Example) + "'"
}

// Curled reports whether one line of curl shows the operation: an event is a signed token.
func (o shownOperation) Curled() bool { return o.Needs != description.NoName }

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>sidecar</title>
<h1>sidecar</h1>
<p>This is the {{.Listener}} listener of an authorization sidecar: it decides whether requests may pass.
<a href="/openapi.json">/openapi.json</a> describes the whole API (OpenAPI 3.1), and so does the
<a href="https://github.com/authz-sidecar/sidecar/blob/main/docs/api.md" rel="noreferrer">documentation</a>.</p>
<p>Where this listener has caller keys, add <code>-H "Authorization: Bearer $KEY"</code>.</p>
<dl>{{$curl := .Curl}}{{range .Operations}}
<dt><b>{{.Method}} {{.Path}}</b></dt>
<dd>{{.Summary}}.{{if .Curled}}<pre>{{$curl}}{{.Asked}}{{.Arguments}}</pre>{{end}}</dd>{{end}}
</dl>
</html>
`))
