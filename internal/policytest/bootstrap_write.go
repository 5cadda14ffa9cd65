package policytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// write writes the suite.
func (b *bootstrap) write(source string) []byte {
	var w strings.Builder
	comment := func(format string, args ...any) {
		fmt.Fprintf(&w, "# %s\n", shownLine(fmt.Sprintf(format, args...)))
	}
	comment("What was decided by the decision log %s: %d events, of which %d are distinct requests by %d tokens.",
		filepath.Base(source), b.events, b.cases, len(b.names))
	comment("Tokens are what their issuer said about them; the tokens themselves are in no log. Claims may name " +
		"people.")
	if len(b.out) > 0 {
		comment("Left out, since they cannot be replayed:")
		for _, line := range b.out.lines() {
			comment("  %s", line)
		}
	}
	fmt.Fprintf(&w, "suite: %s\nnow: %s\n", scalar("decisions of "+filepath.Base(source)),
		b.suite.now.Format(time.RFC3339))
	if len(b.names) > 0 {
		w.WriteString("tokens:\n")
	}
	for _, name := range b.names {
		a := b.suite.tokens[name]
		text := flowJSON(a.json)
		if a.claims != nil {
			text = "{jwt: " + flowJSON(a.claims) + "}"
		}
		fmt.Fprintf(&w, "  %s: %s\n", scalar(name), text)
	}
	w.WriteString("matrix:\n")
	for _, row := range b.order {
		fmt.Fprintf(&w, "  %s:\n", scalar(row.name))
		b.writeRow(&w, row)
	}
	return []byte(w.String())
}

func (b *bootstrap) writeRow(w *strings.Builder, row *loggedRow) {
	c := row.c
	if !c.now.Equal(b.suite.now) {
		fmt.Fprintf(w, "    now: %s\n", c.now.Format(time.RFC3339Nano))
	}
	if c.key != "" {
		fmt.Fprintf(w, "    key: %s\n", c.key)
	}
	if c.query.Entrypoint != "" {
		fmt.Fprintf(w, "    entrypoint: %s\n", scalar(c.query.Entrypoint))
	}
	fmt.Fprintf(w, "    request: %s\n", flow(requestMembers(c.query.Request)))
	if c.query.Context != nil {
		fmt.Fprintf(w, "    context: %s\n", flowJSON(c.query.Context))
	}
	w.WriteString("    expect:\n")
	for _, token := range row.order {
		fmt.Fprintf(w, "      %s: %s\n", scalar(token), row.cells[token])
	}
}

// requestMembers are the members of a request that a suite has to state.
func requestMembers(r authz.Request) map[string]any {
	out := map[string]any{"method": r.Method, "url": r.URL}
	if r.SourceIP != "" {
		out["source_ip"] = r.SourceIP
	}
	if r.HasBody {
		out["body"] = r.Body
	}
	if len(r.Headers) > 0 {
		headers := map[string]any{}
		for name, values := range r.Headers {
			list := make([]any, 0, len(values))
			for _, v := range values {
				list = append(list, v)
			}
			headers[name] = list
		}
		out["headers"] = headers
	}
	return out
}

// flowJSON is JSON as YAML on one line.
func flowJSON(raw []byte) string {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return string(raw) // not reached: it was read before
	}
	return flow(v)
}

// flow is a value of JSON as YAML on one line.
func flow(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var members []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			members = append(members, scalar(k)+": "+flow(v[k]))
		}
		return "{" + strings.Join(members, ", ") + "}"
	case []any:
		items := make([]string, 0, len(v))
		for _, item := range v {
			items = append(items, flow(item))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case string:
		return scalar(v)
	}
	b, _ := json.Marshal(v) // a number, a boolean or null
	return string(b)
}

// plain are texts that YAML needs no quotes for, anywhere, whatever its version.
var plain = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*$`)

// scalar is a text in YAML.
func scalar(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
	default:
		if plain.MatchString(s) {
			return s
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a text
	return strings.TrimSuffix(b.String(), "\n")
}

// shownLine is a text that ends no comment.
func shownLine(text string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(text) }
