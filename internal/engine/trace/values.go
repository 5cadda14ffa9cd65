package trace

import (
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxValue is the length of a value in an explanation, in bytes, from which it is cut.
const maxValue = 160

// valueText is the JSON of a value, with sets as {...}, cut to about maxValue bytes.
func (h *hider) valueText(v ast.Value) string {
	w := &valueWriter{hide: h}
	w.value(v)
	return w.b.String()
}

// valueWriter writes no more of a value than is shown, however large the value is.
type valueWriter struct {
	b    strings.Builder
	hide *hider
}

func (w *valueWriter) full() bool { return w.b.Len() >= maxValue }

func (w *valueWriter) value(v ast.Value) {
	switch v := v.(type) {
	case ast.String:
		w.text(string(v))
	case *ast.Array:
		w.list("[", "]", v.Len(), func(each func(*ast.Term) bool) { v.Until(stopping(each)) })
	case ast.Set:
		if v.Len() == 0 {
			w.b.WriteString("set()")
			return
		}
		w.list("{", "}", v.Len(), func(each func(*ast.Term) bool) { v.Until(stopping(each)) })
	case ast.Object:
		w.object(v)
	default:
		w.b.WriteString(v.String())
	}
}

func stopping(each func(*ast.Term) bool) func(*ast.Term) bool {
	return func(t *ast.Term) bool { return !each(t) }
}

func (w *valueWriter) text(s string) {
	const most = maxValue / 2
	s = w.hide.text(s) // before it is cut
	if len(s) > most {
		cut := strings.ToValidUTF8(s[:most], "")
		w.b.WriteString(strings.TrimSuffix(strconv.Quote(cut), `"`))
		w.b.WriteString(`..." (` + strconv.Itoa(len(s)) + " bytes)")
		return
	}
	w.b.WriteString(strconv.Quote(s))
}

func (w *valueWriter) list(open, end string, n int, elements func(func(*ast.Term) bool)) {
	w.b.WriteString(open)
	i := 0
	elements(func(t *ast.Term) bool {
		if !w.next(i, n) {
			return false
		}
		w.value(t.Value)
		i++
		return true
	})
	w.b.WriteString(end)
}

// next begins element i of n, or says how many are left out.
func (w *valueWriter) next(i, n int) bool {
	if i > 0 {
		w.b.WriteString(", ")
	}
	if w.full() {
		w.b.WriteString("... " + strconv.Itoa(n-i) + " more")
		return false
	}
	return true
}

func (w *valueWriter) object(o ast.Object) {
	w.b.WriteString("{")
	keys := o.Keys()
	for i, k := range keys {
		if !w.next(i, len(keys)) {
			break
		}
		w.value(k.Value)
		w.b.WriteString(": ")
		if name, ok := k.Value.(ast.String); ok && IsSecretName(string(name)) {
			w.b.WriteString(strconv.Quote(hidden))
			continue
		}
		w.value(o.Get(k).Value)
	}
	w.b.WriteString("}")
}
