package testkit

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"testing"
)

// Reply answers every request with a status, a content type, which may be empty, and a body.
func Reply(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // a client that left needs no answer
	}
}

// ReplyJSON answers every request with 200 and a JSON body.
func ReplyJSON(body string) http.HandlerFunc { return Reply(http.StatusOK, "application/json", body) }

// Gzip compresses a body.
func Gzip(t testing.TB, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
