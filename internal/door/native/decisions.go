package native

import (
	"context"
	"net/http"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/door"
	"github.com/authz-sidecar/sidecar/internal/telemetry"
)

// decisions serves POST /v1/decisions, /v1/decisions/batch and /v1/decisions/ENTRYPOINT.
type decisions struct {
	door.Bodies
	point   Point
	tracer  *telemetry.Tracer
	answers sync.Pool // of *[]byte: what was answered
}

func (d *decisions) one(c echo.Context) error {
	entrypoint := c.Param("*")
	if !d.point.Callable(entrypoint) {
		return unknownEntrypoint(entrypoint)
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
		return door.NewCallError(http.StatusBadRequest, "missing_member", "items is missing or empty", "/items")
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

// unknownEntrypoint repeats the path only when it can be that of a rule: a caller may put a token there by mistake.
func unknownEntrypoint(path string) error {
	asked := "this path"
	if door.SafePointer(jsontext.Pointer("/"+path)) == "/"+path {
		asked = strconv.Quote(path)
	}
	return door.NewCallError(http.StatusNotFound, "unknown_entrypoint",
		"no policy may be asked as "+asked+": annotate the rule with entrypoint: true, or name it in "+
			"engine.entrypoints", "")
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
