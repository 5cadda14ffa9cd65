package migrate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// helperText are the rules of the generated package. A rule is undefined where the member of the other product was
// absent, so that "not" means the same.
var helperText = map[string]string{
	"canonical_headers": `# Headers under names such as X-Team.
canonical_headers := {canonical(name): values | some name, values in input.request.headers}
`,
	"canonical_header_text": `# Headers under names such as X-Team, several values as one text.
canonical_header_text := {canonical(name): text | some name, text in header_text}
`,
	"canonical": `canonical(name) := concat("-", [part |
	some word in split(name, "-")
	part := concat("", [upper(substring(word, 0, 1)), substring(word, 1, -1)])
])
`,
	"query_text": `# A parameter is a text, and an array where it is repeated.
query_text[name] := values[0] if {
	some name, values in input.request.query
	count(values) == 1
}

query_text[name] := values if {
	some name, values in input.request.query
	count(values) > 1
}
`,
	"parsed_body": `# The body as JSON. It is undefined without one, and where it is no JSON or longer than input.body_bytes.
parsed_body := json.unmarshal(input.request.body) if json.is_valid(input.request.body)
`,
	"body_text": `# The body, "" without one.
default body_text := ""

body_text := input.request.body
`,
	"path_and_query": `# The path and the query as one text, since a comparison of it also failed when there was a query.
path_and_query := input.request.path if count(object.get(input.request, "query", {})) == 0

path_and_query := concat("?", [input.request.path, urlquery.encode_object(input.request.query)]) if {
	count(input.request.query) > 0
}
`,
	"path": `# The segments of the path, [""] for the root.
path := input.request.segments if count(input.request.segments) > 0

path := [""] if count(input.request.segments) == 0
`,
	"truncated_body": `# Whether the body is longer than input.body_bytes.
default truncated_body := false

truncated_body := input.request.body_truncated
`,
	"authorities": `# What Spring makes of scopes and roles.
authorities := array.concat(
	[{"authority": concat("", ["SCOPE_", scope])} | some scope in input.token.scopes],
	[{"authority": concat("", ["ROLE_", role])} | some role in input.token.roles],
)
`,
	"seconds": `# The time of the decision, in seconds.
seconds := floor(time.now_ns() / 1000000000)
`,
}

// headerTexts are header_text by the way in which a product hands on several values.
var headerTexts = map[valueStyle]string{
	joinedValues: `# Several values of a header as one text, as before: a comparison with one of them fails.
header_text := {name: concat(%q, values) | some name, values in input.request.headers}
`,
	firstValue: `# The first value of a header.
header_text := {name: values[0] | some name, values in input.request.headers}
`,
	nginxValues: `# A header is a text, and an array where it is repeated.
header_text[name] := values[0] if {
	some name, values in input.request.headers
	count(values) == 1
}

header_text[name] := values if {
	some name, values in input.request.headers
	count(values) > 1
}
`,
}

// uses are the helpers that a helper reads.
var uses = map[string][]string{
	"canonical_headers":     {"canonical"},
	"canonical_header_text": {"canonical", "header_text"},
}

// generate writes the generated package, if anything refers to it.
func (s *session) generate() {
	found := s.helpersRead()
	if len(found) == 0 {
		return
	}
	var original string
	if parts := found["original"]; parts != nil {
		original = s.original(parts)
		for name := range helperText {
			if strings.Contains(original, "data."+generatedPackage+"."+name+"\n") {
				found[name] = append(found[name], "")
			}
		}
		if strings.Contains(original, ".header_text\n") {
			found["header_text"] = append(found["header_text"], "")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		for _, other := range uses[name] {
			found[other] = append(found[other], "")
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Members of the input as other policies know them (%s), made of the input of the "+
		"sidecar.\npackage %s\n",
		s.product.title, generatedPackage)
	for _, name := range slices.Sorted(maps.Keys(found)) {
		text := helperText[name]
		switch name {
		case "original":
			text = original
		case "header_text":
			text = s.headerText()
		}
		b.WriteString("\n" + strings.ReplaceAll(text, "data."+generatedPackage+".", ""))
	}
	s.added = append(s.added, File{generatedPackage + ".rego", []byte(b.String())})
}

// helpersRead are the helpers that modules read, with what they read below them.
func (s *session) helpersRead() map[string][]string {
	out := map[string][]string{}
	for _, m := range s.modules {
		visit := func(t *ast.Term) bool {
			ref, ok := t.Value.(ast.Ref)
			if !ok || len(ref) < 3 || !strings.HasPrefix(dotted(ref), "data."+generatedPackage+".") {
				return false
			}
			parts := constants(ref)
			out[parts[1]] = append(out[parts[1]], strings.Join(parts[2:], "."))
			if parts[1] == "original" {
				at := placeOf(m, t.Location)
				s.report.look(at.file, at.row, "the document is read as a whole here: data."+generatedPackage+
					".original has the members that are known", "check that all that is read is among them")
			}
			return false
		}
		ast.WalkTerms(m.ast, visit)
		ast.WalkExprs(m.ast, func(x *ast.Expr) bool {
			if d, ok := x.Terms.(*ast.SomeDecl); ok {
				for _, symbol := range d.Symbols {
					ast.WalkTerms(symbol, visit)
				}
			}
			return false
		})
	}
	return out
}

func (s *session) headerText() string {
	style := s.product.headers
	text, ok := headerTexts[style.values]
	if !ok {
		text = headerTexts[joinedValues]
	}
	if strings.Contains(text, "%q") {
		sep := style.join
		if sep == "" {
			sep = ","
		}
		return fmt.Sprintf(text, sep)
	}
	return text
}

// original is the document of the product as far as it can be made: for reads by a variable, walk and the like.
func (s *session) original(parts []string) string {
	var b strings.Builder
	b.WriteString("# The document as a whole, for rules that take it apart by themselves.\n")
	n := &renamer{session: s, seen: &seen{}, rows: s.product.rowsByPath(s.opts.Map)}
	members := map[string]string{}
	for theirs, r := range n.rows {
		if r.ours == isNothing || r.ours == isToken || r.ours == isPayload {
			continue
		}
		if ours := n.wholeMember(theirs, r); ours != "" {
			members[theirs] = ours
		}
	}
	for name := range s.need.original {
		if !n.hasRowsBelow(name) && members[name] == "" {
			members[name] = "input.context" + brackets(name)
		}
	}
	for _, theirs := range slices.Sorted(maps.Keys(members)) {
		if below(theirs, members) || !slices.ContainsFunc(parts, func(p string) bool {
			return p == "" || p == theirs ||
				strings.HasPrefix(theirs, p+".") || strings.HasPrefix(p, theirs+".")
		}) {
			continue // a part of another, or of nothing that is read
		}
		fmt.Fprintf(&b, "\noriginal%s := %s\n", brackets(strings.Split(theirs, ".")...), members[theirs])
	}
	return b.String()
}

// below reports whether another member holds a path.
func below(path string, members map[string]string) bool {
	for i := range path {
		if path[i] == '.' && members[path[:i]] != "" {
			return true
		}
	}
	return false
}

// wholeMember is the new form of a member, as text.
func (n *renamer) wholeMember(theirs string, r row) string {
	full := ownRef("input")
	for _, part := range strings.Split(theirs, ".") {
		full = append(full, stringTerm(part))
	}
	full[0] = inputTerm()
	to, ok := n.byRow(r, full, len(full)-1, place{}, quiet)
	if !ok {
		return "input.context" + brackets(strings.Split(theirs, ".")...)
	}
	if to.constant != nil {
		return to.constant.String()
	}
	return asInput(to.ref).String()
}

func brackets(parts ...string) string {
	out := ""
	for _, p := range parts {
		if strings.Map(letter, p) == p {
			out += "." + p
		} else {
			out += fmt.Sprintf("[%q]", p)
		}
	}
	return out
}
