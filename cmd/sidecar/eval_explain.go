package main

import (
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/decision"
	"github.com/authz-sidecar/sidecar/internal/engine"
	"github.com/authz-sidecar/sidecar/internal/explain"
)

// detail is how much an explanation says. It is a flag that may stand without a value; "" is none.
type detail string

const (
	brief detail = "brief"
	full  detail = "full"
)

func (d *detail) String() string { return string(*d) }
func (*detail) Type() string     { return "brief|full" }

func (d *detail) Set(s string) error {
	switch detail(s) {
	case brief, full:
		*d = detail(s)
		return nil
	}
	return fmt.Errorf("want brief or full")
}

// printWhy says why, as far as it is asked for, and in any case the cause when no policy decided.
func (e *evaluation) printWhy(w io.Writer, x decision.Explained) error {
	report := explain.Of(x.Decision, x.Why, explain.Facts{
		HiddenHeaders: x.HiddenHeaders, Named: e.request == "",
	})
	text := ""
	switch {
	case e.explain == full:
		text = report.Whole()
	case e.explain == brief:
		text = report.Brief("--explain=full shows all")
	case x.Decision.Cause != nil:
		text = "sidecar: no policy decided: " + x.Decision.Cause.Error() + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// printPrints writes what print() of the policies wrote, with its place.
func printPrints(w io.Writer, prints []engine.Print) {
	for _, p := range prints {
		fmt.Fprintln(w, explain.Line(p))
	}
}

// printDocument writes the document that the policies read.
func printDocument(w io.Writer, x decision.Explained) error {
	if x.Why.Document == nil {
		return &failure{
			err:  fmt.Errorf("no policy read a document: %w", x.Decision.Cause),
			hint: "--explain says what to do about it", exit: exitFailed,
		}
	}
	b, err := x.Why.Document.AppendJSON(nil)
	if err != nil {
		return err
	}
	v := jsontext.Value(b)
	if err := v.Indent(jsontext.WithIndent("  ")); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", v)
	return err
}
