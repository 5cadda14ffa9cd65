package door

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/listen"
)

// Bodies reads the bodies of calls. It is safe for concurrent use.
type Bodies struct {
	Limits listen.Limits
	pool   sync.Pool // of *bytes.Buffer
}

// Read decodes the body of a call: strict JSON, no unknown member, within the limit. Its error is a *CallError.
func (b *Bodies) Read(r *http.Request, into any) error { return b.read(r, into, Decode) }

// ReadKnown is Read for protocols in which members that are not known are ignored.
func (b *Bodies) ReadKnown(r *http.Request, into any) error { return b.read(r, into, DecodeKnown) }

func (b *Bodies) read(r *http.Request, into any, decode func([]byte, any) error) error {
	if ct := r.Header.Get("Content-Type"); ct != "application/json" {
		if media, _, err := mime.ParseMediaType(ct); err != nil || media != "application/json" {
			return NotJSON(media)
		}
	}
	if r.Header.Get("Content-Encoding") != "" {
		return NewCallError(http.StatusUnsupportedMediaType, "unsupported_media_type",
			"want a body without Content-Encoding", "")
	}
	return b.Bytes(r.Body, func(body []byte) error { return decode(body, into) })
}

// Bytes reads the body of a call to its end, within the limit, and returns what use returns, which keeps none of it.
// The error of reading is a *CallError.
func (b *Bodies) Bytes(body io.Reader, use func([]byte) error) error {
	buf, _ := b.pool.Get().(*bytes.Buffer)
	if buf == nil {
		buf = new(bytes.Buffer)
	}
	defer b.recycle(buf)
	_, err := buf.ReadFrom(io.LimitReader(body, b.Limits.BodyBytes+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return NewCallError(http.StatusRequestTimeout, "body_too_slow",
			"the body did not arrive within "+b.Limits.ReadTimeout.String(), "")
	case err != nil:
		return NewCallError(http.StatusBadRequest, "incomplete_body", "the body did not arrive whole", "")
	case int64(buf.Len()) > b.Limits.BodyBytes:
		return NewCallError(http.StatusRequestEntityTooLarge, "body_too_large",
			"the body is over "+strconv.FormatInt(b.Limits.BodyBytes, 10)+" bytes", "")
	}
	return use(buf.Bytes())
}

// Decode reads strict JSON without unknown members. Its error is a *CallError, which does not quote the body.
func Decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into, strict); err != nil {
		return jsonError(err, body, reflect.TypeOf(into))
	}
	return nil
}

// DecodeKnown is Decode that ignores members that are not known.
func DecodeKnown(body []byte, into any) error {
	if err := json.Unmarshal(body, into, strict, json.RejectUnknownMembers(false)); err != nil {
		return jsonError(err, body, reflect.TypeOf(into))
	}
	return nil
}

// NotJSON says what to send instead of a media type.
func NotJSON(media string) error {
	message := "want Content-Type: application/json"
	if media == "application/x-www-form-urlencoded" {
		message += ", not a form: with curl, add -H 'Content-Type: application/json'"
	}
	return NewCallError(http.StatusUnsupportedMediaType, "unsupported_media_type", message, "")
}

var strict = json.JoinOptions(
	json.RejectUnknownMembers(true), jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false),
)

// KeepBytes is the size of the largest buffer that is kept for the next call.
const KeepBytes = 64 << 10

// recycle keeps a buffer for the next call, and clears it: it held a token.
func (b *Bodies) recycle(buf *bytes.Buffer) {
	if buf.Cap() > KeepBytes {
		return
	}
	held := buf.Bytes()
	clear(held[:cap(held)])
	buf.Reset()
	b.pool.Put(buf)
}
