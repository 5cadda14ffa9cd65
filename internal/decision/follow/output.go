package follow

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"unicode/utf8"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Text writes lines for people to w. What cannot be written is lost.
func Text(w io.Writer) Output { return text{w} }

type text struct{ w io.Writer }

func (t text) Write(l Line) { _, _ = io.WriteString(t.w, l.String()+"\n") }

func (t text) LeftOut(n uint64) {
	_, _ = fmt.Fprintf(t.w, "(%d decisions have no line: there were too many at once)\n", n)
}

// Structured writes lines to log, at level debug.
func Structured(log *slog.Logger) Output { return structured{log} }

type structured struct{ log *slog.Logger }

func (s structured) Write(l Line) {
	attrs := []slog.Attr{
		slog.String("decision_id", l.DecisionID), slog.String("kind", l.Kind.String()), slog.Int("status", l.Status),
	}
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, cut(value)))
		}
	}
	add("reasons", reasonCodes(l.Reasons))
	add("method", l.Method)
	add("path", l.Path)
	add("client", l.Client)
	add("subject", l.Subject)
	add("rule", l.Rule)
	add("cause", l.Cause)
	s.log.LogAttrs(context.Background(), slog.LevelDebug, "decision", attrs...)
}

func (s structured) LeftOut(n uint64) {
	s.log.Debug("decisions have no line: there were too many at once", "count", n)
}

// reasonCodes are the codes of reasons with their messages: "a: text; b".
func reasonCodes(reasons []authz.Reason) string {
	out := ""
	for i, r := range reasons {
		if i > 0 {
			out += "; "
		}
		out += r.Code
		if r.Message != "" {
			out += ": " + r.Message
		}
		if len(out) > mostBytes {
			break
		}
	}
	return out
}

// mostBytes bounds an attribute.
const mostBytes = 1 << 10

// cut is the beginning of a text that is too long. Handlers of logs escape what does not print.
func cut(s string) string {
	if len(s) <= mostBytes {
		return s
	}
	end := mostBytes
	for end > mostBytes-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "..."
}
