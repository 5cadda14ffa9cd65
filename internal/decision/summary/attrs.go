package summary

import (
	"log/slog"
	"unicode/utf8"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Attrs are the facts of the line for a structured log.
func (d Decision) Attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("decision_id", d.DecisionID), slog.String("kind", d.Kind.String()), slog.Int("status", d.Status),
	}
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, cut(value)))
		}
	}
	add("reasons", reasonCodes(d.Reasons))
	add("method", d.Method)
	add("path", d.Path)
	add("client", d.Client)
	add("subject", d.Subject)
	add("rule", d.Rule)
	add("cause", d.Cause)
	return attrs
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
