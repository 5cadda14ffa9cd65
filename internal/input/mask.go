package input

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/httpuri"
	"github.com/authz-sidecar/sidecar/internal/secret"
)

// AppendMasked is AppendJSON without the values of parameters that are secret by their names: those of the query, and
// those that URLs and forms in other members repeat as name=value. It returns JSON pointers, below the document, to
// what it changed.
func (d *Document) AppendMasked(dst []byte, isSecret func(name string) bool) ([]byte, []string, error) {
	if !d.mayRepeat(isSecret) {
		dst, err := d.AppendJSON(dst)
		return dst, nil, err
	}
	m := masking{isSecret: isSecret, doc: *d}
	m.query()
	r := &m.doc.Request
	r.Headers = m.fields("/request/headers", r.Headers)
	r.RawPath = m.text("/request/raw_path", r.RawPath)
	r.Path = m.text("/request/path", r.Path)
	m.segments()
	if r.Body != nil {
		if body := m.form("/request/body", *r.Body); body != *r.Body {
			r.Body = &body
		}
	}
	m.entity("/subject", &m.doc.Subject)
	m.entity("/resource", &m.doc.Resource)
	m.action()
	m.message()
	m.doc.Context = m.object("/context", m.doc.Context)
	slices.Sort(m.masked)
	dst, err := m.doc.AppendJSON(dst)
	return dst, m.masked, err
}

// mayRepeat reports whether AppendMasked may have anything to change: a parameter of a secret name, or a text with a
// "=".
func (d *Document) mayRepeat(isSecret func(name string) bool) bool {
	if d.Subject != nil || d.Action != nil || d.Resource != nil || d.MCP != nil {
		return true
	}
	r := &d.Request
	assigns := func(s string) bool { return strings.IndexByte(s, '=') >= 0 }
	if assigns(r.RawPath) || assigns(r.Path) || r.Body != nil && assigns(*r.Body) ||
		bytes.IndexByte(d.Context, '=') >= 0 || slices.ContainsFunc(r.Segments, assigns) {
		return true
	}
	for name, values := range r.Query {
		if isSecret(name) || slices.ContainsFunc(values, assigns) {
			return true
		}
	}
	for _, values := range r.Headers {
		if slices.ContainsFunc(values, assigns) {
			return true
		}
	}
	return false
}

// masking is a copy of a document from which secret parameters are taken. What the document shares is copied before it
// is changed.
type masking struct {
	isSecret func(name string) bool
	doc      Document
	masked   []string
}

func (m *masking) query() {
	r := &m.doc.Request
	shared := true
	for name, values := range r.Query {
		if !m.isSecret(name) {
			continue
		}
		if shared {
			r.Query, shared = cloned(r.Query), false
		}
		r.Query[name] = make([]string, len(values))
		for i := range values {
			r.Query[name][i] = secret.Redacted
		}
		m.masked = append(m.masked, appendName("/request/query", name))
	}
	r.Query = m.fields("/request/query", r.Query)
}

// fields are the values of a query or of headers as text leaves them; from itself where nothing changed.
func (m *masking) fields(pointer string, from map[string][]string) map[string][]string {
	out, shared := from, true
	for name, values := range from {
		for i, v := range values {
			if strings.IndexByte(v, '=') < 0 {
				continue // most values need no pointer
			}
			if masked := m.text(appendName(pointer, name)+"/"+strconv.Itoa(i), v); masked != v {
				if shared {
					out, shared = cloned(from), false
				}
				out[name][i] = masked
			}
		}
	}
	return out
}

func (m *masking) segments() {
	r := &m.doc.Request
	shared := true
	for i, s := range r.Segments {
		if strings.IndexByte(s, '=') < 0 {
			continue
		}
		if out := m.text("/request/segments/"+strconv.Itoa(i), s); out != s {
			if shared {
				r.Segments, shared = append([]string(nil), r.Segments...), false
			}
			r.Segments[i] = out
		}
	}
}

func (m *masking) entity(pointer string, e **Entity) {
	if *e == nil {
		return
	}
	masked := **e
	masked.Type, masked.ID = m.text(pointer+"/type", masked.Type), m.text(pointer+"/id", masked.ID)
	masked.Properties = m.object(pointer+"/properties", masked.Properties)
	*e = &masked
}

func (m *masking) action() {
	if m.doc.Action == nil {
		return
	}
	masked := *m.doc.Action
	masked.Name = m.text("/action/name", masked.Name)
	masked.Properties = m.object("/action/properties", masked.Properties)
	m.doc.Action = &masked
}

// object masks the text of a JSON object. The delimiters of text keep it JSON.
func (m *masking) object(pointer string, object []byte) []byte {
	if bytes.IndexByte(object, '=') < 0 {
		return object
	}
	if masked := m.text(pointer, string(object)); masked != string(object) {
		return []byte(masked)
	}
	return object
}

func cloned(fields map[string][]string) map[string][]string {
	out := make(map[string][]string, len(fields))
	for name, values := range fields {
		out[name] = append([]string(nil), values...)
	}
	return out
}

// form is text for what may begin with a parameter.
func (m *masking) form(pointer, s string) string {
	if strings.IndexByte(s, '=') < 0 {
		return s
	}
	if out := m.text(pointer, "&"+s)[1:]; out != s {
		return out
	}
	return s
}

// text masks the values of secret parameters in a text: what stands between name= and the next delimiter, where the
// name follows "?", "&" or ";".
func (m *masking) text(pointer, s string) string {
	if strings.IndexByte(s, '=') < 0 {
		return s
	}
	var b strings.Builder
	kept := 0 // s up to here is in b
	for at := 0; ; {
		i := strings.IndexByte(s[at:], '=')
		if i < 0 {
			break
		}
		i += at
		at = i + 1
		before := strings.LastIndexAny(s[kept:i], "?&;")
		if before < 0 {
			continue
		}
		name, err := httpuri.Unescape(s[kept+before+1 : i])
		if err != nil || !m.isSecret(name) {
			continue
		}
		end := strings.IndexAny(s[at:], "&;#\"'\\<> \t\r\n")
		if end < 0 {
			end = len(s) - at
		}
		if end == 0 {
			continue
		}
		b.WriteString(s[kept:at])
		b.WriteString(secret.Redacted)
		kept = at + end
		at = kept
	}
	if kept == 0 {
		return s
	}
	m.masked = append(m.masked, pointer)
	return b.String() + s[kept:]
}

// appendName appends a name to a JSON pointer (RFC 6901).
func appendName(pointer, name string) string {
	return string(jsontext.Pointer(pointer).AppendToken(name))
}
