package issuer

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authz-sidecar/sidecar/internal/introspect"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// echo answers with everything it was sent, in every place an answer has.
func echo(status int, contentType, form string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f, _ := url.ParseQuery(string(body))
		all := f.Get("token") + f.Get("client_secret") + r.Header.Get("Authorization")
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("X-Echo", all)
		w.Header().Set("Location", "/?"+all)
		w.Header().Set("Retry-After", all)
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, form, all, f.Get("token"))
	}
}

// malformed answers with a status line that quotes the token: net/http would quote it once more.
func malformed(w http.ResponseWriter, r *http.Request) {
	token := r.FormValue("token")
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "HTTP/1.1 "+token+"\r\n\r\n")
}

func TestINT5_NoTokenAndNoSecretLeavesByAnyOtherWay(t *testing.T) {
	var told strings.Builder
	for name, h := range map[string]http.HandlerFunc{
		"error code":  echo(401, "application/json", `{"error":%q,"error_description":%q}`),
		"token code":  echo(400, "application/json", `{"x":%q,"error":%q}`),
		"html":        echo(200, "text/html", `<p>%s %s`),
		"server":      echo(500, "text/plain", `%s %s`),
		"redirect":    echo(302, "text/plain", `%s %s`),
		"member name": echo(200, "application/json", `{"active":true,%q:1,%q:2,"exp":"x"}`),
		"inactive":    echo(200, "application/json", `{"active":false,"a":%q,"b":%q}`),
		"no boolean":  echo(200, "application/json", `{"active":%q,"b":%q}`),
		"foreign":     echo(200, "application/json", `{"active":true,"iss":%q,"aud":%q}`),
		"cut":         echo(200, "application/json", `{"active":true,"a":%q,"b":%q`),
		"media type":  echo(200, testToken, `%s%s`),
		"status line": malformed,
		"refused":     hangUp,
	} {
		for _, auth := range []string{"client_secret_basic", "client_secret_post"} {
			u := serve(t, h)
			i, l := open(t, u.URL, func(c *Config) {
				c.Endpoint.Client.Auth = auth
				c.Endpoint.Issuer = "https://as"
				c.Dialect.Audience = []string{"x"}
			})
			c, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(testToken)})
			_, err2 := i.Ask(t.Context(), secret.New(testToken))
			fmt.Fprintf(&told, "%s: %v %v %+v\n", name, err, err2, c)
			if c != nil {
				fmt.Fprintf(&told, "%s %s\n", c.Inactive.Text, c.Usable(time.Now()))
			}
			fmt.Fprintf(&told, "%+v %#v %s\n", i.client, i.server, l.String())
		}
		u := serve(t, h)
		i, l := open(t, "", discovering(u.URL))
		_, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(testToken)})
		i.Close()
		fmt.Fprintf(&told, "%v %s\n", err, l.String())
	}
	for what, s := range map[string]string{
		"token": testToken, "secret": testSecret, "encoded secret": url.QueryEscape(testSecret),
		"credentials": base64.StdEncoding.EncodeToString([]byte(url.QueryEscape("rs:1") + ":" +
			url.QueryEscape(testSecret))),
		"token in base64": base64.StdEncoding.EncodeToString([]byte(testToken)),
		"token in hex":    hex.EncodeToString([]byte(testToken)),
	} {
		if at := strings.Index(told.String(), s); at >= 0 {
			t.Errorf("the %s is in: %s", what, told.String()[max(0, at-200):at])
		}
	}
	if !strings.Contains(told.String(), "status 401") {
		t.Error("nothing was told at all")
	}
}

func TestErrorsNameHostStatusAndCause(t *testing.T) {
	u := serve(t, testkit.Reply(401, "application/json", `{"error":"invalid_client"}`))
	i, _ := open(t, u.URL, nil)
	want :=
		fmt.Sprintf(`ask %q: status 401, error invalid_client, it refuses the sidecar's credentials or its request`,
			strings.TrimPrefix(u.URL, "http://"))
	if _, err := i.Introspect(t.Context(), introspect.Question{Token: secret.New(testToken)}); err == nil ||
		err.Error() != want {
		t.Errorf("error %v", err)
	}
}
