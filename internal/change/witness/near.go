package witness

import (
	"strings"

	"github.com/authz-sidecar/sidecar/internal/engine/partial"
)

// textsNear are texts that a constant suggests: itself, what it matches as a pattern, and what is beside it.
func textsNear(v string, names map[string]bool) []string {
	out := []string{v}
	if names["regex.match"] {
		if text, ok := partial.Matching(v); ok {
			out = append([]string{text, text + "x", "/x" + text}, out...)
		}
		if text, ok := partial.Longest(v); ok {
			out = append(out, text)
		}
	}
	if names["glob.match"] {
		out = append(out, strings.NewReplacer("**", "x", "*", "x", "?", "x").Replace(v),
			strings.NewReplacer("**", "x/x", "*", "x/x", "?", "x").Replace(v))
	}
	if names["sprintf"] {
		out = append(out, strings.NewReplacer("%s", fresh[0], "%v", fresh[0], "%d", "1").Replace(v))
	}
	if names["net.cidr_contains"] {
		address, _, _ := strings.Cut(v, "/")
		out = append(out, address)
	}
	if names["startswith"] || names["contains"] {
		out = append(out, v+"x", v[:(len(v)+1)/2])
	}
	if names["endswith"] || names["contains"] {
		out = append(out, "x"+v, v[len(v)/2:])
	}
	if names["lower"] || names["upper"] {
		out = append(out, strings.ToUpper(v), strings.ToLower(v))
	}
	return out
}
