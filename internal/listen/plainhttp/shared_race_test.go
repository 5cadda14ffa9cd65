//go:build race

package plainhttp

import (
	"net/http"
	"testing"
)

func TestAHeadThatAHandlerChangedIsNoticed(t *testing.T) {
	s := New(Config{})
	for _, length := range []string{"", "Content-Length: 12\r\n"} {
		for what, change := range map[string]func(*http.Request){
			"nothing":   func(r *http.Request) { *r = *r.WithContext(t.Context()) },
			"a field":   func(r *http.Request) { r.Header.Set("X-Own", "yes") },
			"a value":   func(r *http.Request) { r.Header["X-Case"][0] = "b" },
			"no field":  func(r *http.Request) { r.Header.Del("X-Case") },
			"the path":  func(r *http.Request) { r.URL.Path = "/b" },
			"the query": func(r *http.Request) { r.URL.RawQuery += "&b" },
		} {
			h := s.parse([]byte("POST /a?a HTTP/1.1\r\nHost: a\r\nX-Case: a\r\n" + length + "\r\n"))
			if length != "" {
				h.with(7)
			}
			r := h.with(int(h.request.ContentLength)).WithContext(t.Context())
			change(r)
			if got := h.changed(s); got != (what != "nothing") {
				t.Errorf("%s: noticed is %t", what, got)
			}
		}
	}
}
