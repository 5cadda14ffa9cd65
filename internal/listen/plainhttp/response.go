package plainhttp

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// response is the answer to a call. It is written when the handler has returned, with its length. A handler that keeps
// it changes no other answer by it: the header is of this call alone, and after finish there is nothing to write to.
type response struct {
	fields http.Header

	mu sync.Mutex
	// out is nil after finish. It and all below are guarded by mu.
	out    *buffers
	status int // 0 before WriteHeader
	// typed and dated: the handler has said so. closes: it wants the connection to end.
	typed, dated, closes bool
}

// buffers are what an answer is put together in.
type buffers struct{ head, body text }

// keepBytes is the size of the largest buffers that are kept for the next answer.
const keepBytes = 64 << 10

// room is where an answer is put together. sent takes it back.
func (s *Server) room() *buffers {
	if b, ok := s.answers.Get().(*buffers); ok {
		return b
	}
	return new(buffers)
}

// sent keeps the memory of an answer for another call, and clears it: it may hold a token.
func (s *Server) sent(b *buffers) {
	if cap(b.head)+cap(b.body) > keepBytes {
		return
	}
	clear(b.head)
	clear(b.body)
	b.head, b.body = b.head[:0], b.body[:0]
	s.answers.Put(b)
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.fields }

// ours are the fields that the connection is framed by, and unmodified those that 304 has not, as with net/http.
var (
	ours       = map[string]bool{"Content-Length": true, "Transfer-Encoding": true, "Trailer": true}
	unmodified = map[string]bool{"Content-Type": true, "Content-Length": true, "Transfer-Encoding": true,
		"Trailer": true}
)

// WriteHeader implements http.ResponseWriter. What the handler changes in the header afterwards is not sent.
func (w *response) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic("invalid status " + strconv.Itoa(status)) // as that of net/http does
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out != nil {
		w.begin(status)
	}
}

// begin writes the head of the answer, unless it is written. Interim responses are not sent. mu is held.
func (w *response) begin(status int) {
	if w.status != 0 || status < http.StatusOK && status != http.StatusSwitchingProtocols {
		return
	}
	w.status = status
	head := append(w.out.head, "HTTP/1.1 "...)
	head = strconv.AppendInt(head, int64(status), 10)
	w.out.head = append(append(append(head, ' '), http.StatusText(status)...), "\r\n"...)
	without := ours
	if status == http.StatusNotModified {
		without = unmodified
	}
	_ = w.fields.WriteSubset(&w.out.head, without)
	_, typed := w.fields["Content-Type"]
	w.typed = typed || first(w.fields["Content-Encoding"]) != ""
	_, w.dated = w.fields["Date"]
	w.closes = strings.EqualFold(first(w.fields["Connection"]), "close")
}

// first is what http.Header.Get returns of the values of a name. It is given the name in canonical form: to find that
// form of two names takes as long as to make a header.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// errSent is that of a write after the handler has returned.
var errSent = errors.New("the answer is sent")

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out == nil {
		return 0, errSent
	}
	w.begin(http.StatusOK)
	if !w.hasBody() {
		return 0, http.ErrBodyNotAllowed
	}
	w.out.body = append(w.out.body, p...)
	return len(p), nil
}

// hasBody reports whether a response of that status has a body (RFC 9110, section 6.4.1). mu is held.
func (w *response) hasBody() bool {
	return w.status >= http.StatusOK && w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

// finish ends the response, and returns it with what is sent as its head, at a date. last says that it is the last
// answer of the connection: as closes has it, or the handler.
func (w *response) finish(date string, closes bool) (answer *buffers, last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin(http.StatusOK)
	answer, w.out = w.out, nil
	out, body := answer.head, answer.body
	if !w.dated {
		out = append(append(append(out, "Date: "...), date...), "\r\n"...)
	}
	if !w.typed && len(body) > 0 {
		out = append(append(append(out, "Content-Type: "...), http.DetectContentType(body)...), "\r\n"...)
	}
	if closes && !w.closes {
		out = append(out, "Connection: close\r\n"...)
	}
	if w.hasBody() {
		out = append(strconv.AppendInt(append(out, "Content-Length: "...), int64(len(body)), 10), "\r\n"...)
	}
	answer.head = append(append(out, "\r\n"...), body...)
	return answer, closes || w.closes
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
