package door

import (
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
	pool   sync.Pool // of *Body
}

// Body is the body of a call, in memory that another call gets by Bodies.Recycle.
type Body struct{ Bytes []byte }

// Read decodes the body of a call: strict JSON, no unknown member, within the limit. Its error is a *CallError.
func (b *Bodies) Read(r *http.Request, into any) error { return b.read(r, into, Decode) }

// ReadKnown is Read for protocols in which members that are not known are ignored.
func (b *Bodies) ReadKnown(r *http.Request, into any) error { return b.read(r, into, DecodeKnown) }

func (b *Bodies) read(r *http.Request, into any, decode func([]byte, any) error) error {
	if err := CheckJSON(r); err != nil {
		return err
	}
	return b.Bytes(r.Body, func(body []byte) error { return decode(body, into) })
}

// CheckJSON returns a *CallError for a call whose header does not say that its body is JSON as it is.
func CheckJSON(r *http.Request) error {
	if ct := r.Header.Get("Content-Type"); ct != "application/json" {
		if media, _, err := mime.ParseMediaType(ct); err != nil || media != "application/json" {
			return NotJSON(media)
		}
	}
	if r.Header.Get("Content-Encoding") != "" {
		return NewCallError(http.StatusUnsupportedMediaType, "unsupported_media_type",
			"want a body without Content-Encoding", "")
	}
	return nil
}

// Bytes reads the body of a call to its end, within the limit, and returns what use returns, which keeps none of it.
// The error of reading is a *CallError.
func (b *Bodies) Bytes(body io.Reader, use func([]byte) error) error {
	whole, err := b.Whole(body)
	if err != nil {
		return err
	}
	defer b.Recycle(whole)
	return use(whole.Bytes)
}

// Whole reads the body of a call to its end, within the limit. Who calls it hands the Body to Recycle, and keeps none
// of its bytes. Its error is a *CallError.
func (b *Bodies) Whole(body io.Reader) (*Body, error) {
	whole, _ := b.pool.Get().(*Body)
	if whole == nil {
		whole = &Body{make([]byte, 0, leastBytes)}
	}
	err := whole.fill(body, b.Limits.BodyBytes)
	switch {
	case err == nil:
		return whole, nil
	case errors.Is(err, errTooLarge):
		err = NewCallError(http.StatusRequestEntityTooLarge, "body_too_large",
			"the body is over "+strconv.FormatInt(b.Limits.BodyBytes, 10)+" bytes", "")
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = NewCallError(http.StatusRequestTimeout, "body_too_slow",
			"the body did not arrive within "+b.Limits.ReadTimeout.String(), "")
	default:
		err = NewCallError(http.StatusBadRequest, "incomplete_body", "the body did not arrive whole", "")
	}
	b.Recycle(whole)
	return nil, err
}

// leastBytes is the size of a buffer, which most calls need no more than.
const leastBytes = 2 << 10

var errTooLarge = errors.New("too large")

// fill reads a body of at most so many bytes.
func (b *Body) fill(from io.Reader, limit int64) error {
	for {
		if len(b.Bytes) == cap(b.Bytes) {
			more := append(make([]byte, 0, 2*cap(b.Bytes)), b.Bytes...)
			clear(b.Bytes)
			b.Bytes = more
		}
		room := min(int64(cap(b.Bytes)), limit+1) // one byte over the limit is enough to see it
		n, err := from.Read(b.Bytes[len(b.Bytes):room])
		b.Bytes = b.Bytes[:len(b.Bytes)+n]
		switch {
		case int64(len(b.Bytes)) > limit:
			return errTooLarge
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
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

// Recycle keeps the memory of a body for the next call, and clears it: it held a token.
func (b *Bodies) Recycle(whole *Body) {
	if cap(whole.Bytes) > KeepBytes {
		return
	}
	clear(whole.Bytes)
	whole.Bytes = whole.Bytes[:0]
	b.pool.Put(whole)
}
