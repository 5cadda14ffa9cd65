package plainhttp

import "testing"

// Each head that is not plain differs in one thing from one that is. http.ReadRequest refuses some of them as well.
func TestPlain(t *testing.T) {
	const line, host, end = "POST /a HTTP/1.1\r\n", "Host: a\r\n", "\r\n"
	for head, want := range map[string]bool{
		line + host + end: true,
		"GET /a?b HTTP/1.1\r\n" + host + "Content-Length: 0\r\nconnection: Keep-Alive\r\nX: a\tb c\r\nY:\r\n" + end: true,
		line + host + "content-length:\t9999 \r\nContent_Length: 1\r\nX-Transfer-Encoding-X: a\r\n" + end:           true,

		"PUT /a HTTP/1.1\r\n" + host + end:    false,
		"POST a HTTP/1.1\r\n" + host + end:    false,
		"POST /a HTTP/1.0\r\n" + host + end:   false,
		"POST /a b HTTP/1.1\r\n" + host + end: false,

		line + end:                        false,
		line + host + host + end:          false,
		line + "Host: \r\n" + end:         false,
		line + "Host: a b\r\n" + end:      false,
		line + host:                       false, // it has no end
		line + host + "X\r\n" + end:       false,
		line + host + ": x\r\n" + end:     false,
		line + host + "X : x\r\n" + end:   false,
		line + host + " X: x\r\n" + end:   false,
		line + host + "X: a\nb\r\n" + end: false,
		line + host + "X: \x80\r\n" + end: false,

		line + host + "Content-Length: 1\r\nCONTENT-LENGTH: 1\r\n" + end: false,
		line + host + "Content-Length:\r\n" + end:                        false,
		line + host + "Content-Length: 01\r\n" + end:                     false,
		line + host + "Content-Length: 00\r\n" + end:                     false,
		line + host + "Content-Length: +1\r\n" + end:                     false,
		line + host + "Content-Length: 1,1\r\n" + end:                    false,
		line + host + "Content-Length: 10000\r\n" + end:                  false,

		line + host + "Connection: close\r\n" + end:           false,
		line + host + "Connection: keep-alive, x\r\n" + end:   false,
		line + host + "expect: 100-continue\r\n" + end:        false,
		line + host + "HTTP2-Settings: a\r\n" + end:           false,
		line + host + "TE: trailers\r\n" + end:                false,
		line + host + "Trailer: X\r\n" + end:                  false,
		line + host + "Transfer-Encoding: identity\r\n" + end: false,
		line + host + "Upgrade: a\r\n" + end:                  false,
	} {
		if _, got := plain([]byte(head)); got != want {
			t.Errorf("%q: plain is %t, want %t", head, got, want)
		}
	}
}
