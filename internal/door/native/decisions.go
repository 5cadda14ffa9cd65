package native

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/suggest"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

// decisions serves POST /v1/decisions, /v1/decisions/batch and /v1/decisions/ENTRYPOINT.
type decisions struct {
	door.Bodies
	point Point
	// entrypoints are those that may be asked.
	entrypoints func() []string
	tracer      *telemetry.Tracer
	answers     sync.Pool // of *[]byte: what was answered
	refs        policyRefs
}

func (d *decisions) one(c echo.Context) error {
	// Not c.Param, which is not decoded: clients that are generated write %2F for a slash in a parameter.
	r := c.Request()
	entrypoint := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/v1/decisions"), "/")
	if !d.point.Callable(entrypoint) {
		return unknownEntrypoint(entrypoint, d.entrypoints())
	}
	if err := door.CheckJSON(r); err != nil {
		return err
	}
	body, err := d.Whole(r.Body)
	if err != nil {
		return err
	}
	q, err := ParseCall(body.Bytes)
	d.Recycle(body)
	if err != nil {
		return err
	}
	q.Entrypoint, q.Caller = entrypoint, r.RemoteAddr
	timed := door.WithTimeout(r.Context(), d.Limits.Timeout)
	defer timed.End()
	ctx, span := d.traced(timed, c)
	defer span.End()
	decided := d.point.Decide(ctx, q)
	buf := d.buffer()
	*buf = d.refs.appendDecision(*buf, &decided)
	return d.answer(c, buf)
}

func (d *decisions) batch(c echo.Context) error {
	var in batchCall
	if err := d.Read(c.Request(), &in); err != nil {
		return err
	}
	switch n := len(in.Items); {
	case n == 0:
		return missing("/items", "want an array of one question at least")
	case n > d.Limits.BatchItems:
		return door.NewCallError(http.StatusRequestEntityTooLarge, "batch_too_large",
			"a batch has at most "+strconv.Itoa(d.Limits.BatchItems)+" items", "/items")
	}
	if err := in.check(""); err != nil { // a fault of the defaults is none of each item
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
	timed := door.WithTimeout(c.Request().Context(), d.Limits.Timeout)
	defer timed.End()
	ctx, span := d.traced(timed, c)
	defer span.End()
	decided := d.point.DecideAll(ctx, queries)
	buf := d.buffer()
	*buf = appendBatch(*buf, decided)
	return d.answer(c, buf)
}

// mostListed is how many entrypoints a message lists.
const mostListed = 10

// unknownEntrypoint repeats the path only when it can be that of a rule: a caller may put a token there by mistake.
func unknownEntrypoint(path string, known []string) error {
	message := "no policy may be asked by this path"
	if door.SafePointer(jsontext.Pointer("/"+path)) == "/"+path {
		message = "no policy may be asked as " + strconv.Quote(path)
	}
	const others = "; another rule needs the annotation entrypoint: true, or its name in engine.entrypoints"
	asRule := strings.Trim(strings.TrimPrefix(strings.ReplaceAll(path, ".", "/"), "data/"), "/")
	switch closest := suggest.Closest(asRule, known); {
	case closest != "":
		message += ": did you mean " + strconv.Quote(closest) + "?"
	case len(known) > mostListed:
		message += ": there are " + strings.Join(known[:mostListed], ", ") + " and more, which /v1/status lists" +
			others
	default:
		message += ": there are " + strings.Join(known, ", ") + others
	}
	return door.NewCallError(http.StatusNotFound, "unknown_entrypoint", message, "")
}

// traced is the context of a call in the trace of its caller.
func (d *decisions) traced(ctx context.Context, c echo.Context) (context.Context, telemetry.Span) {
	if d.tracer == nil {
		return ctx, telemetry.Span{}
	}
	ctx = d.tracer.Extract(ctx, c.Request().Header.Get)
	return d.tracer.Start(ctx, "POST "+c.Path(), telemetry.Serving)
}
