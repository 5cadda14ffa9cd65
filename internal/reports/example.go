package reports

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/change/witness"
	"github.com/authz-sidecar/sidecar/internal/page"
)

// example shows an input document beside what is said of it: the request as it goes over the wire, and the facts about
// the token.
func example(w witness.Witness, now time.Time, head page.Facts) page.Block {
	out := page.Columns{Left: []page.Block{head}}
	var doc map[string]any
	if json.Unmarshal(w.Document, &doc) != nil {
		out.Right = []page.Block{page.List(sayAll(w.Words))}
		return out
	}
	request, _ := doc["request"].(map[string]any)
	token, _ := doc["token"].(map[string]any)
	for _, shown := range []string{"request", "token", "version"} {
		delete(doc, shown)
	}
	if request != nil {
		out.Left = append(out.Left, page.Source{Caption: "Request", Text: requestText(request), Language: "http"})
	}
	for _, part := range []struct {
		name    string
		members map[string]any
	}{{"Token", token}, {"Other input", doc}} {
		if rows := facts("", part.members, now); len(rows) > 0 {
			out.Right = append(out.Right, page.Table{Columns: []string{part.name, "Value"}, Rows: rows})
		}
	}
	return out
}

func sayAll(list []string) []page.Text {
	var out []page.Text
	for _, s := range list {
		out = append(out, page.Say(s))
	}
	return out
}

// requestText is the request line, headers, and the other members that the document has.
func requestText(request map[string]any) string {
	var b strings.Builder
	text := func(name string) string { s, _ := request[name].(string); return s }
	path := text("path")
	if raw := text("raw_path"); raw != "" {
		path = raw
	}
	b.WriteString(text("method") + " " + path)
	query := fields(request["query"])
	for i, q := range query {
		b.WriteString([]string{"?", "&"}[min(i, 1)] + q[0] + "=" + q[1])
	}
	b.WriteString("\n")
	if host := text("host"); host != "" {
		b.WriteString("host: " + host + "\n")
	}
	for _, h := range fields(request["headers"]) {
		b.WriteString(h[0] + ": " + h[1] + "\n")
	}
	for _, shown := range []string{"method", "path", "raw_path", "segments", "query", "host", "headers"} {
		delete(request, shown)
	}
	for _, row := range facts("", request, time.Time{}) {
		b.WriteString("(" + row[0].Plain() + ": " + row[1].Plain() + ")\n")
	}
	return b.String()
}

// fields are names with values, sorted, of {"name": ["value", ...]}.
func fields(v any) (out [][2]string) {
	m, _ := v.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		values, ok := m[name].([]any)
		if !ok {
			values = []any{m[name]}
		}
		for _, v := range values {
			out = append(out, [2]string{name, fmt.Sprint(v)})
		}
	}
	return out
}

// facts are the members of an object, a row each, with times also by their distance from now. What distinguishes
// tokens is first.
func facts(prefix string, object map[string]any, now time.Time) [][]page.Text {
	names := slices.SortedFunc(maps.Keys(object), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
	var out [][]page.Text
	for _, name := range names {
		path, v := prefix+name, object[name]
		if members, ok := v.(map[string]any); ok && len(members) > 0 {
			out = append(out, facts(path+".", members, now)...)
			continue
		}
		value := page.Code(short(v))
		if seconds, ok := v.(float64); ok && isTime(path) && !now.IsZero() {
			value = page.Join(value, page.Say("("+distance(now.Sub(time.Unix(int64(seconds), 0)))+")"))
		}
		out = append(out, []page.Text{page.Code(path), value})
	}
	return out
}

// rank is the place of a member of the token; those that are nearly always the same are last.
func rank(member string) int {
	order := []string{"issuer", "subject", "client_id", "tenant", "scopes", "audiences", "roles", "groups",
		"permissions",
		"auth", "", "age", "stale", "active", "present", "kind"}
	if i := slices.Index(order, member); i >= 0 {
		return i
	}
	return slices.Index(order, "")
}

// isTime reports whether a member of the token is a time in seconds.
func isTime(path string) bool {
	return slices.Contains([]string{"auth.time", "issued_at", "not_before", "expires_at"}, path)
}

func distance(ago time.Duration) string {
	seconds := int(ago / time.Second)
	switch {
	case seconds == 0:
		return "now"
	case seconds < 0:
		return fmt.Sprintf("in %d s", -seconds)
	}
	return fmt.Sprintf("%d s ago", seconds)
}

// short is a value on one line: texts without quotation marks, and lists of them.
func short(v any) string {
	switch v := v.(type) {
	case string:
		if v != "" {
			return v
		}
	case []any:
		var items []string
		for _, item := range v {
			if s, ok := item.(string); !ok || s == "" || strings.ContainsAny(s, `,"[]`) {
				items = nil
				break
			} else {
				items = append(items, s)
			}
		}
		if items != nil {
			return strings.Join(items, ", ")
		}
	case float64:
		if v == float64(int64(v)) {
			return fmt.Sprint(int64(v))
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// indented is JSON on several lines.
func indented(v jsontext.Value) string {
	v = v.Clone()
	_ = v.Indent(jsontext.WithIndent("  ")) // what is no JSON stays as it is
	return string(v)
}
