package lint

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/suggest"
)

// codeIgnore is the code of findings about what silences findings.
const codeIgnore = "faulty-ignore"

// ignoreKey is the member of custom that silences findings: {ignore: {raw-path: "the reason"}}.
const ignoreKey = "ignore"

// ignore silences the findings of one code in some rows of a file.
type ignore struct {
	code, reason string
	first, last  int // rows
	at           *ast.Location
	used         bool
}

// Silenced is a finding that the author has looked at.
type Silenced struct {
	Finding
	Reason string
}

var (
	ignoreComment = regexp.MustCompile(`^\s*sidecar:\s*ignore\b\s*(.*)$`)
	ignoreForm    = regexp.MustCompile(`^([A-Za-z0-9_-]+)\s*(?::\s*(.*?))?\s*$`)
)

// silence takes out the findings of one module that comments or metadata silence, and adds those about what silences.
// raw is its text.
func silence(m *ast.Module, raw []byte, found []Finding) (kept []Finding, silenced []Silenced) {
	ignores, kept := ignoresOf(m, raw)
	for _, f := range found {
		i := slices.IndexFunc(ignores, func(i ignore) bool {
			return i.code == f.Code && i.first <= f.Row && f.Row <= i.last
		})
		if i < 0 {
			kept = append(kept, f)
			continue
		}
		ignores[i].used = true
		silenced = append(silenced, Silenced{f, ignores[i].reason})
	}
	for _, i := range ignores {
		if !i.used {
			kept = append(kept, faultyIgnore(i.at, "no finding of %s is here: remove what silences it", i.code))
		}
	}
	return kept, silenced
}

func faultyIgnore(at *ast.Location, format string, args ...any) Finding {
	return Finding{Level: Warning, Problem: bundle.Problem{
		File: at.File, Row: at.Row, Col: max(1, at.Col), Code: codeIgnore, Message: fmt.Sprintf(format, args...),
	}}
}

// ignoresOf reads what silences findings in a module, and says what is wrong with it.
func ignoresOf(m *ast.Module, raw []byte) (ignores []ignore, faulty []Finding) {
	add := func(i ignore) {
		if fault := i.fault(); fault != "" {
			faulty = append(faulty, faultyIgnore(i.at, "%s", fault))
			return
		}
		ignores = append(ignores, i)
	}
	alone := map[int]bool{} // rows of nothing but a comment
	rows := bytes.Split(raw, []byte("\n"))
	for _, c := range m.Comments {
		row := c.Location.Row
		alone[row] = row <= len(rows) && bytes.HasPrefix(bytes.TrimSpace(rows[row-1]), []byte("#"))
	}
	for _, c := range m.Comments {
		said := ignoreComment.FindStringSubmatch(string(c.Text))
		if said == nil {
			continue
		}
		i := ignore{at: c.Location, first: c.Location.Row}
		if form := ignoreForm.FindStringSubmatch(said[1]); form != nil {
			i.code, i.reason = form[1], strings.TrimSpace(form[2])
		}
		for alone[i.first] {
			i.first++ // the first row of code below
		}
		i.last = i.first
		add(i)
	}
	for _, a := range m.Annotations {
		custom, _ := a.Custom[ignoreKey].(map[string]any)
		for _, code := range slices.Sorted(maps.Keys(custom)) {
			i := ignore{code: code, at: a.Location}
			i.reason, _ = custom[code].(string)
			i.first, i.last = rowsOf(m, a)
			add(i)
		}
	}
	return ignores, faulty
}

// fault says what is wrong with an ignore, or is empty.
func (i ignore) fault() string {
	const form = "write # sidecar: ignore CODE: the reason"
	codes := slices.Collect(maps.Keys(levels()))
	switch near := suggest.Closest(i.code, codes); {
	case i.code == "":
		return "names no code: " + form
	case !slices.Contains(codes, i.code) && near != "":
		return fmt.Sprintf("there is no code %q; did you mean %q?", i.code, near)
	case !slices.Contains(codes, i.code):
		return fmt.Sprintf("there is no code %q of a finding that can be silenced", i.code)
	case strings.TrimSpace(i.reason) == "":
		return fmt.Sprintf("%s is silenced without a reason: %s", i.code, form)
	}
	return ""
}

// rowsOf are the rows that metadata are about: a rule, or the whole file.
func rowsOf(m *ast.Module, a *ast.Annotations) (first, last int) {
	const whole = 1 << 30
	switch a.Scope {
	case "package", "subpackages":
		return 1, whole
	}
	for i, r := range m.Rules {
		if r.Location.Row < a.Location.Row {
			continue
		}
		last = whole
		for _, next := range m.Rules[i+1:] {
			if a.Scope != "document" || next.Head.Name != r.Head.Name {
				last = next.Location.Row - 1
				break
			}
		}
		return r.Location.Row, last
	}
	return cmp.Or(a.Location.Row, 1), whole
}
