package plainhttp

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// response is the answer to a call. It is written when the handler has returned, with its length.
type response struct {
	fields http.Header
	status int // 0 before WriteHeader
	head   text
	body   []byte
	// typed and dated: the handler has said so. closes: it wants the connection to end.
	typed, dated, closes bool
}

// keepBytes is the size of the largest buffers that are kept for the next answer.
const keepBytes = 64 << 10

// response is one to write to.
func (s *Server) response() *response {
	if w, ok := s.responses.Get().(*response); ok {
		return w
	}
	return &response{fields: http.Header{}}
}

// recycle keeps the memory of a response for another call, and clears it: a response may hold a token.
func (s *Server) recycle(w *response) {
	if cap(w.head)+cap(w.body) > keepBytes {
		return
	}
	clear(w.head)
	clear(w.body)
	clear(w.fields)
	*w = response{fields: w.fields, head: w.head[:0], body: w.body[:0]}
	s.responses.Put(w)
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.fields }

// ours are the fields that the connection is framed by.
var ours = map[string]bool{"Content-Length": true, "Transfer-Encoding": true, "Trailer": true}

// WriteHeader implements http.ResponseWriter. What the handler changes in the header afterwards is not sent.
func (w *response) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic("invalid status " + strconv.Itoa(status)) // as that of net/http does
	}
	if w.status != 0 || status < http.StatusOK { // interim responses are not sent
		return
	}
	w.status = status
	w.head = append(w.head, "HTTP/1.1 "...)
	w.head = strconv.AppendInt(w.head, int64(status), 10)
	w.head = append(append(append(w.head, ' '), http.StatusText(status)...), "\r\n"...)
	_ = w.fields.WriteSubset(&w.head, ours)
	_, typed := w.fields["Content-Type"]
	w.typed = typed || w.fields.Get("Content-Encoding") != ""
	_, w.dated = w.fields["Date"]
	w.closes = strings.EqualFold(w.fields.Get("Connection"), "close")
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !w.hasBody() {
		return 0, http.ErrBodyNotAllowed
	}
	w.body = append(w.body, p...)
	return len(p), nil
}

// hasBody reports whether a response of that status has a body (RFC 9110, section 6.4.1).
func (w *response) hasBody() bool {
	return w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

// finish is what is sent at a date. closes says that it is the last answer of the connection.
func (w *response) finish(date string, closes bool) []byte {
	w.WriteHeader(http.StatusOK)
	out := []byte(w.head)
	if !w.dated {
		out = append(append(append(out, "Date: "...), date...), "\r\n"...)
	}
	if !w.typed && len(w.body) > 0 {
		out = append(append(append(out, "Content-Type: "...), http.DetectContentType(w.body)...), "\r\n"...)
	}
	if closes && !w.closes {
		out = append(out, "Connection: close\r\n"...)
	}
	if w.hasBody() {
		out = append(strconv.AppendInt(append(out, "Content-Length: "...), int64(len(w.body)), 10), "\r\n"...)
	}
	out = append(append(out, "\r\n"...), w.body...)
	w.head = out
	return out
}

// text is a buffer of strings.
type text []byte

func (t *text) Write(p []byte) (int, error) { *t = append(*t, p...); return len(p), nil }

// WriteString implements io.StringWriter, which http.Header looks for.
func (t *text) WriteString(s string) (int, error) { *t = append(*t, s...); return len(s), nil }

// clock writes dates, once a second: to write one takes as long as to read a call.
type clock struct{ latest atomic.Pointer[second] }

type second struct {
	at   int64 // of the Unix epoch
	date string
}

// date is the value of the field Date (RFC 9110, section 6.6.1).
func (c *clock) date(now time.Time) string {
	s := c.latest.Load()
	if at := now.Unix(); s == nil || s.at != at {
		s = &second{at, now.UTC().Format(http.TimeFormat)}
		c.latest.Store(s)
	}
	return s.date
}
