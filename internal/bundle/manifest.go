package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// readManifest reads a .manifest in OPA's format: revision, roots, rego_version and metadata. A member that this
// package does not know is a problem: it may change what the bundle means.
func (p *part) readManifest(f File, ps *Problems) {
	if start := bytes.TrimLeft(f.Raw, " \t\r\n\ufeff"); len(start) > 0 && start[0] != '{' && start[0] != '[' {
		ps.Add(f.Path, CodeManifest, `is no manifest of OPA, which is a JSON object: {"roots": ["app"]}; `+
			"a list of files is what OPAL reads: list .manifest under policies.ignore, "+
			"and the directory under policies.paths")
		return
	}
	value, bad := decodeJSON(f.Raw)
	if bad != nil {
		*ps = append(*ps, bad.in(f.Path, CodeManifest))
		return
	}
	members, ok := value.(map[string]any)
	if !ok {
		ps.Add(f.Path, CodeManifest, "the manifest must be an object")
		return
	}
	m := manifestReader{file: f, problems: ps, roots: []string{""}, regoVersion: 1}
	before := len(*ps)
	for _, name := range sortedKeys(members) {
		m.member(name, members[name])
	}
	if len(*ps) > before {
		return
	}
	p.owner, p.roots = true, m.roots
	p.bundle.Revision, p.bundle.Metadata, p.bundle.RegoVersion = m.revision, m.metadata, m.regoVersion
}

type manifestReader struct {
	file     File
	problems *Problems

	revision    string
	roots       []string
	metadata    map[string]any
	regoVersion int
}

func (m *manifestReader) member(name string, value any) {
	var ok bool
	switch name {
	case "revision":
		if m.revision, ok = value.(string); !ok {
			m.complain(name, "must be a string")
		}
	case "metadata":
		if m.metadata, ok = value.(map[string]any); !ok {
			m.complain(name, "must be an object")
		}
	case "rego_version":
		switch value {
		case json.Number("0"), json.Number("1"), json.Number("2"):
			m.regoVersion = int(value.(json.Number)[0] - '0')
		default:
			m.complain(name, "must be 0, 1 or 2")
		}
	case "roots":
		m.readRoots(value)
	case "wasm", "file_rego_versions":
		m.complain(name, "is not supported")
	default:
		m.complain(name, "is not known: a manifest has revision, roots, rego_version and metadata")
	}
}

func (m *manifestReader) readRoots(value any) {
	list, ok := value.([]any)
	if !ok {
		m.complain("roots", "must be an array of strings")
	}
	m.roots = make([]string, 0, len(list))
	for _, v := range list {
		s, ok := v.(string)
		root := strings.Trim(s, "/")
		clash := slices.IndexFunc(m.roots, func(r string) bool { return RootsOverlap(r, root) })
		switch {
		case !ok:
			m.complain("roots", "must be an array of strings")
		case strings.Contains(root, "//"):
			m.complain("roots", fmt.Sprintf("must not have empty elements, as %q has", s))
		case clash >= 0:
			m.complain("roots", fmt.Sprintf("must not overlap, as %q does with %q", s, m.roots[clash]))
		default:
			m.roots = append(m.roots, root)
		}
	}
}

// complain adds a problem with a member.
func (m *manifestReader) complain(name, message string) {
	row, col := locateJSON(m.file.Raw, []string{name})
	p := problemAt(row, col, fmt.Sprintf("member %q %s", name, message))
	*m.problems = append(*m.problems, p.in(m.file.Path, CodeManifest))
}
