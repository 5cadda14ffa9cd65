package plainhttp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
)

// ways are the paths by which a call chooses what told does.
var ways = []string{"/v1/decisions", "/panic", "/none", "/unmodified", "/fields", "/encoded", "/close",
	"/large", "/empty", "/twice", "/waits", "/unread", "/part", "/closed", "/untyped", "/refused", "/status",
	"/switched", "/ended"}

// told answers with what it sees of a call, in ways that the path chooses.
func told(w http.ResponseWriter, r *http.Request) {
	text, fault := read(r)
	if r.Method == http.MethodHead {
		w.Header().Set("Date", "Thu, 01 Jan 1970 00:00:00 GMT") // in place of the server's
	}
	switch r.URL.Path {
	case "/panic":
		panic(http.ErrAbortHandler)
	case "/ended":
		runtime.Goexit()
	case "/switched":
		w.WriteHeader(http.StatusSwitchingProtocols)
		return
	case "/none":
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusNoContent)
		_, err := w.Write([]byte("never seen"))
		if err == nil {
			panic(http.ErrAbortHandler)
		}
		return
	case "/unmodified":
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusNotModified)
		return
	case "/fields":
		fields(w)
		return
	case "/encoded":
		w.Header().Set("Content-Encoding", "x-own")
	case "/untyped":
		w.Header()["Content-Type"] = nil
	case "/refused":
		w.Header().Add("WWW-Authenticate", "Bearer")
		w.Header().Add("WWW-Authenticate", "Basic")
		w.WriteHeader(http.StatusUnauthorized)
	case "/status":
		w.WriteHeader(799)
	case "/close":
		w.Header().Set("Connection", "close")
	case "/large":
		text = bytes.Repeat([]byte("large "), 20_000)
	case "/twice":
		_, _ = w.Write(nil)
		w.Header().Set("X-Late", "never seen")
		_, _ = w.Write([]byte("{"))
	case "/empty":
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "target": r.RequestURI, "url": fmt.Sprint(r.URL),
		"path": r.URL.Path, "proto": r.Proto, "host": r.Host, "header": r.Header, "length": r.ContentLength,
		"body": string(text), "fault": fmt.Sprint(fault), "encoding": r.TransferEncoding, "close": r.Close,
		"remote": r.RemoteAddr != "", "trailer": r.Trailer, "tls": r.TLS != nil, "form": fmt.Sprint(r.Form)})
}

// read reads the body of a call, or less of it.
func read(r *http.Request) (text []byte, fault error) {
	switch r.URL.Path {
	case "/unread":
		return nil, nil
	case "/part":
		text = make([]byte, 3)
		n, fault := io.ReadFull(r.Body, text)
		return text[:n], fault
	case "/closed":
		_ = r.Body.Close()
	case "/waits":
		r.Context().Done()
	}
	return io.ReadAll(r.Body)
}

// fields answers with fields that are unusual.
func fields(w http.ResponseWriter) {
	h := w.Header()
	h["X-Two"], h["X-Lines"] = []string{"b", "a"}, []string{"one\r\nX-Injected: yes"}
	h["X Bad"], h["lower"], h["X-None"] = []string{"a"}, []string{"a", ""}, nil
	h.Set("Content-Length", "7")
	w.WriteHeader(http.StatusTeapot)
	h.Set("X-Late", "never seen")
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, "<html>\n")
}
