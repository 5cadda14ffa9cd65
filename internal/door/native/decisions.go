package native

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/jsonbound"
	"github.com/authz-sidecar/sidecar/internal/listen"
	"github.com/authz-sidecar/sidecar/internal/secret"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

// decisions serves POST /v1/decisions and its kin.
type decisions struct {
	bodies
	point   Point
	tracer  *telemetry.Tracer
	answers sync.Pool // of *[]byte: what was answered
}

// bodies reads the bodies of calls.
type bodies struct {
	limits listen.Limits
	pool   sync.Pool // of *bytes.Buffer: what was asked
}

// call is the body of POST /v1/decisions and an item of a batch. A member that is null is one that is left out.
type call struct {
	Request *callRequest   `json:"request"`
	Token   *string        `json:"token"`
	Context jsontext.Value `json:"context"`
}

type callRequest struct {
	Method            string              `json:"method"`
	URL               string              `json:"url"`
	Headers           map[string][]string `json:"headers"`
	SourceIP          string              `json:"source_ip"`
	ClientCertificate string              `json:"client_certificate"`
	Body              *string             `json:"body"`
}

// batchCall is the body of POST /v1/decisions/batch. What stands beside the items is the default of each item's
// member of that name; an item's own member replaces it whole.
type batchCall struct {
	call
	Items []call `json:"items"`
}

func (d *decisions) one(c echo.Context) error {
	entrypoint := c.Param("*")
	if !d.point.Callable(entrypoint) {
		return unknownEntrypoint(entrypoint)
	}
	var in call
	if err := d.read(c, &in); err != nil {
		return err
	}
	q, err := in.query("")
	if err != nil {
		return err
	}
	q.Entrypoint, q.Caller = entrypoint, c.Request().RemoteAddr
	ctx, done := d.context(c)
	defer done()
	return d.answer(c, func(b []byte) []byte { return AppendDecision(b, d.point.Decide(ctx, q)) })
}

func (d *decisions) batch(c echo.Context) error {
	var in batchCall
	if err := d.read(c, &in); err != nil {
		return err
	}
	switch n := len(in.Items); {
	case n == 0:
		return &callError{http.StatusBadRequest, "missing_member", "items is missing or empty", "/items"}
	case n > d.limits.BatchItems:
		return &callError{http.StatusRequestEntityTooLarge, "batch_too_large", "a batch has at most " + strconv.Itoa(d.limits.BatchItems) + " items", "/items"}
	}
	if err := in.check(""); err != nil { // else each item would be blamed for it
		return err
	}
	queries := make([]authz.Query, len(in.Items))
	for i, item := range in.Items {
		q, err := item.or(in.call).query("/items/" + strconv.Itoa(i))
		if err != nil {
			return err
		}
		q.Caller = c.Request().RemoteAddr
		queries[i] = q
	}
	ctx, done := d.context(c)
	defer done()
	return d.answer(c, func(b []byte) []byte { return appendBatch(b, d.point.DecideAll(ctx, queries)) })
}

// unknownEntrypoint repeats what was asked for where it can be the path of a rule: a caller may put a token there
// by mistake.
func unknownEntrypoint(path string) error {
	asked := "this path"
	if place(jsontext.Pointer("/"+path)) == "/"+path {
		asked = strconv.Quote(path)
	}
	return &callError{http.StatusNotFound, "unknown_entrypoint", "no policy may be asked as " + asked + ": annotate the rule with entrypoint: true, or name it in engine.entrypoints", ""}
}

func (d *decisions) context(c echo.Context) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(c.Request().Context(), d.limits.Timeout)
	if d.tracer == nil {
		return ctx, cancel
	}
	ctx = d.tracer.Extract(ctx, c.Request().Header.Get)
	ctx, span := d.tracer.Start(ctx, "POST "+c.Path(), telemetry.Serving)
	return ctx, func() { span.End(); cancel() }
}

// ParseCall reads the body of POST /v1/decisions.
func ParseCall(body []byte) (authz.Query, error) {
	var in call
	if err := json.Unmarshal(body, &in, strict); err != nil {
		return authz.Query{}, jsonError(err)
	}
	return in.query("")
}

// read decodes the body of a call: strict JSON, no unknown member, within the limit.
func (b *bodies) read(c echo.Context, into any) error {
	r := c.Request()
	if ct := r.Header.Get("Content-Type"); ct != "application/json" {
		if media, _, err := mime.ParseMediaType(ct); err != nil || media != "application/json" {
			return &callError{http.StatusUnsupportedMediaType, "unsupported_media_type", "want Content-Type: application/json", ""}
		}
	}
	if r.Header.Get("Content-Encoding") != "" {
		return &callError{http.StatusUnsupportedMediaType, "unsupported_media_type", "want a body without Content-Encoding", ""}
	}
	buf, _ := b.pool.Get().(*bytes.Buffer)
	if buf == nil {
		buf = new(bytes.Buffer)
	}
	defer b.recycle(buf)
	_, err := buf.ReadFrom(io.LimitReader(r.Body, b.limits.BodyBytes+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &callError{http.StatusRequestTimeout, "body_too_slow", "the body did not arrive within " + b.limits.ReadTimeout.String(), ""}
	case err != nil:
		return &callError{http.StatusBadRequest, "incomplete_body", "the body did not arrive whole", ""}
	case int64(buf.Len()) > b.limits.BodyBytes:
		return &callError{http.StatusRequestEntityTooLarge, "body_too_large", "the body is over " + strconv.FormatInt(b.limits.BodyBytes, 10) + " bytes", ""}
	}
	if err := json.Unmarshal(buf.Bytes(), into, strict); err != nil {
		return jsonError(err)
	}
	return nil
}

var strict = json.JoinOptions(json.RejectUnknownMembers(true), jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false))

// keepBytes is the largest buffer that is kept for the next call.
const keepBytes = 64 << 10

// recycle keeps a buffer for the next call, without what it held.
func (b *bodies) recycle(buf *bytes.Buffer) {
	if buf.Cap() > keepBytes {
		return
	}
	held := buf.Bytes()
	clear(held[:cap(held)])
	buf.Reset()
	b.pool.Put(buf)
}

// or fills what item leaves out with what base says.
func (in call) or(base call) call {
	if in.Request == nil {
		in.Request = base.Request
	}
	if in.Token == nil {
		in.Token = base.Token
	}
	if k := in.Context.Kind(); k == absent || k == null {
		in.Context = base.Context
	}
	return in
}

// The kinds of a member that says nothing.
const (
	absent = jsontext.Kind(0)
	null   = jsontext.Kind('n')
)

// check reports the first fault in the members that there are. at is the JSON pointer of the call in its body.
func (in call) check(at string) error {
	missing := func(name string) error {
		return &callError{http.StatusBadRequest, "missing_member", "the member is missing or empty", at + name}
	}
	switch {
	case in.Request != nil && in.Request.Method == "":
		return missing("/request/method")
	case in.Request != nil && in.Request.URL == "":
		return missing("/request/url")
	case in.Token != nil && *in.Token == "":
		return missing("/token")
	}
	switch k := in.Context.Kind(); {
	case k == absent || k == null:
		return nil
	case k != '{':
		return &callError{http.StatusBadRequest, "wrong_type", "want an object", at + "/context"}
	}
	return readable(in.Context, at+"/context")
}

// readable refuses JSON that a policy or a mask could not read later. at is its JSON pointer.
func readable(v jsontext.Value, at string) error {
	switch f := jsonbound.Check(v); {
	case f == nil:
		return nil
	case f.Cause == jsonbound.TooDeep:
		return &callError{http.StatusBadRequest, "too_deep", "the member " + f.Cause, at}
	default:
		return &callError{http.StatusBadRequest, "number_out_of_range", "the member " + f.Cause, at + string(f.At)}
	}
}

// query turns a call into a question. at is the JSON pointer of the call in its body.
func (in call) query(at string) (authz.Query, error) {
	if in.Request == nil {
		return authz.Query{}, &callError{http.StatusBadRequest, "missing_member", "the member is missing or empty", at + "/request"}
	}
	if err := in.check(at); err != nil {
		return authz.Query{}, err
	}
	q := authz.Query{Request: authz.Request{
		Method:            in.Request.Method,
		URL:               in.Request.URL,
		Headers:           lowerNames(in.Request.Headers),
		SourceIP:          in.Request.SourceIP,
		ClientCertificate: in.Request.ClientCertificate,
	}}
	if in.Request.Body != nil {
		q.Request.Body, q.Request.HasBody = *in.Request.Body, true
	}
	if in.Token != nil {
		q.Token = secret.New(*in.Token)
	}
	if in.Context.Kind() == '{' {
		q.Context = in.Context
	}
	return q, nil
}

// lowerNames returns headers with lower-case names; the values of names that differ only in case are joined, so that
// nobody hides a second credential behind a capital letter. They are joined in the order of the names as they were, so
// that the same call always asks the same.
func lowerNames(headers map[string][]string) map[string][]string {
	clean := true
	for name := range headers {
		if httpuri.Lower(name) != name {
			clean = false
			break
		}
	}
	if clean {
		return headers
	}
	out := make(map[string][]string, len(headers))
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		lower := httpuri.Lower(name)
		out[lower] = append(out[lower], headers[name]...)
	}
	return out
}
