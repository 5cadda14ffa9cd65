package config

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/authz-sidecar/sidecar/internal/conf"
	"github.com/authz-sidecar/sidecar/internal/yamlnode"
)

func place(n *yamlnode.Node) origin { return origin{line: n.Line, column: n.Column} }

// members returns the members of mapping n, and records where each stands. A key that is no name, or occurs twice, is
// reported and left out.
// names are the keys that it may have, for the hint; nil are any.
func (r *reader) members(n *yamlnode.Node, path string, names []string) []yamlnode.Member {
	if n.Kind == yamlnode.Null {
		return nil // a section whose keys are all commented out
	}
	if n.Kind != yamlnode.Mapping {
		hint := `write "key: value" lines below it`
		if uncut.MatchString(n.Text) && !strings.Contains(n.Text, "://") {
			hint = `write "key: value", with a blank after the colon`
		} else if names != nil {
			hint += "; the keys are " + strings.Join(names, ", ")
		}
		r.shapeless[path] = true
		r.fault(path, "is "+n.Kind.String()+", not a mapping", hint)
		return nil
	}
	var out []yamlnode.Member
	for _, m := range n.Members {
		key := conf.Join(path, m.Key.Text)
		switch at := place(m.Key); {
		case m.Flaw == yamlnode.MergeKey:
			r.shapeless[path] = true
			r.faultAt(at, path, "merge keys are not read", "write the members out")
		case strings.ContainsFunc(m.Key.Text, func(c rune) bool { return c > unicode.MaxASCII && unicode.IsSpace(c) }):
			r.faultAt(at, path, "holds a key with a blank that is none: a no-break space or the like",
				"type it again, with the space bar")
		case m.Flaw == yamlnode.NotText || !plainKey(m.Key.Text):
			hint := `write "key: value", with a blank after the colon`
			if plainKey(strings.Trim(m.Key.Text, ": ")) {
				hint = `write "key: value", with one colon and without a blank before it`
			}
			r.faultAt(at, path, "holds a key that is not a name", hint)
		case m.Flaw == yamlnode.Duplicate:
			r.faultAt(at, key, fmt.Sprintf("is given twice, first on line %d", m.First), "remove one of the two")
		default:
			r.at[key] = at
			out = append(out, m)
		}
	}
	return out
}

// plainKey reports whether s is shaped like a key and may be shown as one. Anything else may be a slip such as
// {secret:hunter2}, which is one long key without a value.
func plainKey(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i, c := range []byte(s) {
		letter := c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '-' && c != '.' && c != '/' && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}
