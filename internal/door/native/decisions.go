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
}

func (d *decisions) one(c echo.Context) error {
	// Not c.Param, which is not decoded: clients that are generated write %2F for a slash in a parameter.
	entrypoint := strings.TrimPrefix(strings.TrimPrefix(c.Request().URL.Path, "/v1/decisions"), "/")
	if !d.point.Callable(entrypoint) {
		return unknownEntrypoint(entrypoint, d.entrypoints())
	}
	var in call
	if err := d.Read(c.Request(), &in); err != nil {
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
	ctx, done := d.context(c)
	defer done()
	return d.answer(c, func(b []byte) []byte { return appendBatch(b, d.point.DecideAll(ctx, queries)) })
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

func (d *decisions) context(c echo.Context) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(c.Request().Context(), d.Limits.Timeout)
	if d.tracer == nil {
		return ctx, cancel
	}
	ctx = d.tracer.Extract(ctx, c.Request().Header.Get)
	ctx, span := d.tracer.Start(ctx, "POST "+c.Path(), telemetry.Serving)
	return ctx, func() { span.End(); cancel() }
}
