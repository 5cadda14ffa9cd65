package follow

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/authz-sidecar/sidecar/internal/decision/summary"
)

// Text writes lines for people to w. What cannot be written is lost.
func Text(w io.Writer) Output { return text{w} }

type text struct{ w io.Writer }

func (t text) Write(d summary.Decision) { _, _ = io.WriteString(t.w, d.String()+"\n") }

func (t text) LeftOut(n uint64) {
	_, _ = fmt.Fprintf(t.w, "(%d decisions have no line: there were too many at once)\n", n)
}

// Structured writes lines to log, at level debug.
func Structured(log *slog.Logger) Output { return structured{log} }

type structured struct{ log *slog.Logger }

func (s structured) Write(d summary.Decision) {
	s.log.LogAttrs(context.Background(), slog.LevelDebug, "decision", d.Attrs()...)
}

func (s structured) LeftOut(n uint64) {
	s.log.Debug("decisions have no line: there were too many at once", "count", n)
}
