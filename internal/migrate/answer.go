package migrate

import (
	"fmt"
	"slices"
	"strings"
)

// Names of the members of results, in the order in which they are preferred.
var (
	allowNames = []string{"allow", "allowed", "decision", "authorized", "Authorized", "Allow", "Allowed", "result",
		"ok", "permit", "is_allowed"}
	statusNames  = []string{"http_status", "status_code", "status", "statusCode"}
	headerNames  = []string{"headers", "additional_headers"}
	messageNames = []string{"body", "message", "reason", "Reason", "reasons", "error", "msg", "messages"}
	contextNames = []string{"dynamic_metadata", "context", "metadata"}
	goneNames    = map[string]string{
		"response_headers_to_add":    "headers for the client of an allowed request have no counterpart",
		"query_parameters_to_set":    "parameters of the upstream request have no counterpart",
		"query_parameters_to_remove": "parameters of the upstream request have no counterpart",
	}
)

// adapter is the rule that answers as the sidecar asks, and what it is made of.
type adapter struct {
	// answer is their rule, "data.rooms.decision". Where the package was asked, it is the package.
	answer                                    string
	allow                                     string // an expression
	status, headers, message, context, remove string // references, or ""
}

// answer adds the rule that callers ask: authz/decision, or migrated/decision where they have a package authz.
func (s *session) answer(read map[string]string) {
	if s.product.name == ours && s.opts.Entrypoint == "" {
		return
	}
	s.entry = s.findEntry(read)
	s.dropEntrypoints()
	e := s.entry
	switch {
	case len(e.also) > 0:
		var all []string
		for _, name := range e.also {
			all = append(all, "data."+name+" == true")
		}
		s.adapt(adapter{answer: strings.Join(e.also, ", "), allow: strings.Join(all, "\n\t")})
	case e.name == "":
		s.report.left(s.modules[0].file, 1, "no rule that decides was found", "name it with --entrypoint")
	case e.shape.kind == setShape:
		s.report.look(s.ruleFile(e.name), s.ruleRow(e.name),
			"data."+e.name+" lists what is wrong: all requests are allowed for which it is empty",
			"write rules that allow instead")
		s.adapt(adapter{answer: "data." + e.name, allow: "count(data." + e.name + ") == 0", message: "data." + e.name})
	case e.shape.kind == pairShape:
		s.adapt(adapter{answer: "data." + e.name, allow: "data." + e.name + "[0] == true",
			message: "data." + e.name + "[1]"})
	case e.shape.kind == objectShape:
		s.adaptObject(e)
	default:
		if e.shape.kind == unknownShape {
			s.report.look(s.ruleFile(e.name), s.ruleRow(e.name), "data."+e.name+" is taken for true or false",
				"if it is an object, write the rule decision by hand: until then it never allows")
		}
		a := adapter{answer: "data." + e.name, allow: "data." + e.name + " == true"}
		s.sides(&a, e.name)
		s.adapt(a)
	}
	s.defaultTrue(e)
}

// defaultTrue warns of a decision that allows unless a rule denies.
func (s *session) defaultTrue(e entry) {
	for _, r := range s.rules["data."+e.name] {
		if r.Default && r.Head.Value != nil && r.Head.Value.String() == "true" {
			s.report.look(r.Location.File, r.Location.Row, "default "+last(e.name)+
				" is true: what no rule denies is allowed, also "+
				"where a member is never there in the sidecar", "turn it into rules that allow")
		}
	}
}

// sides are the rules beside a boolean one that the product read too.
func (s *session) sides(a *adapter, name string) {
	pkg := "data." + strings.TrimSuffix(name, "."+last(name))
	find := func(names []string) string {
		for _, n := range names {
			if rules := s.rules[pkg+"."+n]; len(rules) > 0 && len(rules[0].Head.Args) == 0 {
				return pkg + "." + n
			}
		}
		return ""
	}
	switch s.product.name {
	case "apisix", "caddy", "htnn", "envoy", "gloo":
		a.status = find([]string{"status_code", "http_status"})
		a.headers = find([]string{"headers"})
		if custom := find([]string{"custom_response"}); custom != "" {
			a.status, a.headers, a.message = custom+".status_code", custom+".headers", custom+".body"
			sh := s.shapeOf(custom, 0)
			for member, to := range map[string]*string{"status_code": &a.status, "headers": &a.headers,
				"body": &a.message} {
				if !sh.has(member) {
					*to = ""
				}
			}
			return
		}
	}
	a.message = find([]string{"reason", "reasons", "message", "msg", "deny", "violation", "violations"})
}

// adaptObject adapts a rule that answers with an object.
func (s *session) adaptObject(e entry) {
	answer := "data." + e.name
	member := func(names []string) string {
		for _, n := range names {
			if e.shape.has(n) {
				return answer + brackets(n)
			}
		}
		return ""
	}
	allow := member(allowNames)
	if allow == "" {
		s.report.left(s.ruleFile(e.name), s.ruleRow(e.name),
			fmt.Sprintf("%s has the members %s: none is known to allow", answer,
				strings.Join(e.shape.members, ", ")), "write the rule decision by hand")
		allow = "false"
	}
	a := adapter{answer: answer, allow: allow + " == true", status: member(statusNames), headers: member(headerNames),
		message: member(messageNames), context: member(contextNames), remove: member(
			[]string{"request_headers_to_remove"})}
	if s.product.name == "spring" && a.context != "" && a.message == "" {
		a.message = `object.get(` + answer + `, ["context", "reason_user", "en"], "")`
	}
	s.tellResult(e, a)
	s.adapt(a)
}

// tellResult reports members of a result that mean something else here.
func (s *session) tellResult(e entry, a adapter) {
	file, row := s.ruleFile(e.name), s.ruleRow(e.name)
	for name, why := range goneNames {
		if e.shape.has(name) {
			s.report.look(file, row, name+": "+why, "it is left out")
		}
	}
	if a.remove != "" {
		s.report.look(file, row, "request_headers_to_remove: upstream_headers sends these headers empty", "")
	}
	if slices.Contains([]string{"envoy", "skipper", "gloo"}, s.product.name) && e.shape.has("status_code") &&
		!e.shape.has("http_status") {
		s.report.look(file, row, "status_code was never read by the plugin, which reads http_status and else "+
			"answered 403",
			"it is the status now, where it is from 400 to 499")
	}
	if a.status != "" {
		s.report.fact("a status is only that of a deny, from 400 to 499: any other is left out")
	}
}

// decisionPackage is the package of the rule that callers ask.
func (s *session) decisionPackage() string {
	for _, m := range s.modules {
		if path := m.ast.Package.Path.String(); path == "data.authz" || strings.HasPrefix(path, "data.authz.") {
			return "decision"
		}
	}
	return "authz"
}

// adapt writes the rule.
func (s *session) adapt(a adapter) {
	pkg := s.decisionPackage()
	s.report.Entrypoint = pkg + "/decision"
	var b strings.Builder
	fmt.Fprintf(&b, "# What %s answers, as a decision of the sidecar.\npackage %s\n\n", a.answer, pkg)
	plain := a.status == "" && a.headers == "" && a.message == "" && a.context == "" && a.remove == ""
	if plain {
		b.WriteString("# METADATA\n# title: Decision\n# entrypoint: true\ndefault decision := false\n\ndecision if " +
			"{\n\t" + a.allow +
			"\n}\n")
	} else {
		s.writeObject(&b, a)
	}
	name := pkg + "_decision.rego"
	if pkg == "decision" {
		name = "decision.rego"
	}
	s.added = append(s.added, File{name, []byte(b.String())})
}

func (s *session) writeObject(b *strings.Builder, a adapter) {
	var allowed, denied []string
	if a.headers != "" || a.remove != "" {
		allowed = append(allowed, `"upstream_headers": upstream_headers`)
	}
	if a.status != "" {
		denied = append(denied, `"status": status`)
	}
	if a.headers != "" {
		denied = append(denied, `"response_headers": headers`)
	}
	if a.message != "" {
		denied = append(denied, `"reasons": reasons`)
	}
	if a.context != "" {
		allowed, denied = append(allowed, `"context": context`), append(denied, `"context": context`)
	}
	b.WriteString("# METADATA\n# title: Decision\n# entrypoint: true\ndefault decision := {\"allow\": false}\n\n")
	fmt.Fprintf(b, "decision := {%s} if {\n\tallowed\n} else := {%s}\n\n",
		strings.Join(append([]string{`"allow": true`}, allowed...), ", "),
		strings.Join(append([]string{`"allow": false`}, denied...), ", "))
	fmt.Fprintf(b, "default allowed := false\n\nallowed if {\n\t%s\n}\n", a.allow)
	if a.status != "" {
		fmt.Fprintf(b, statusText, a.status)
	}
	if a.headers != "" {
		fmt.Fprintf(b, headersText, a.headers)
	}
	switch {
	case a.headers != "" && a.remove != "":
		fmt.Fprintf(b, "\nupstream_headers := object.union({name: \"\" | some name in %s}, headers)\n", a.remove)
	case a.headers != "":
		b.WriteString("\nupstream_headers := headers\n")
	case a.remove != "":
		fmt.Fprintf(b, "\nupstream_headers := {name: \"\" | some name in %s}\n", a.remove)
	}
	if a.message != "" {
		fmt.Fprintf(b, reasonsText, a.message)
	}
	if a.context != "" {
		fmt.Fprintf(b, "\ndefault context := {}\n\ncontext := %[1]s if is_object(%[1]s)\n", a.context)
	}
}

const statusText = `
default status := 403

status := refusal(%s)

# Any other status is not that of a deny.
refusal(code) := code if {
	is_number(code)
	code >= 400
	code <= 499
}
`

const headersText = `
default headers := {}

headers := as_object(%s)

# Headers may be an object, or a list of them.
as_object(x) := x if is_object(x)

as_object(x) := object.union_n(x) if is_array(x)
`

const reasonsText = `
default reasons := []

reasons := texts(%s)

texts(x) := [x] if {
	is_string(x)
	x != ""
}

texts(x) := [text | some text in x; is_string(text)] if not is_string(x)
`
