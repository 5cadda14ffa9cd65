package migrate

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// entry is the rule that decides.
type entry struct {
	// name is the path of the rule below data, dotted: "httpapi.authz.allow".
	name  string
	shape shape
	// also are further rules that may be the decision.
	also []string
}

// entryNames are the names of rules that decide, in the order in which they are preferred.
var entryNames = []string{"allow", "allowed", "decision", "result", "authorized", "authz", "main", "response", "auth",
	"permit",
	"is_allowed", "granted", "can_access"}

// sideNames are names of rules that say something about a decision, and are none.
var sideNames = []string{"reason", "reasons", "message", "msg", "headers", "status_code", "status", "http_status",
	"body",
	"custom_response", "response_headers_to_add", "dynamic_metadata", "request_headers_to_remove", "visible", "filter"}

// findEntry chooses the rule that decides. read are the rules that others read.
func (s *session) findEntry(read map[string]string) entry {
	if asked := strings.Trim(strings.ReplaceAll(s.opts.Entrypoint, "/", "."), "."); asked != "" {
		return s.asEntry(s.unpacked(strings.TrimPrefix(asked, "data.")))
	}
	var all, roots []string
	for _, full := range slices.Sorted(maps.Keys(s.rules)) {
		name := strings.TrimPrefix(full, "data.")
		if !s.mayDecide(full) {
			continue
		}
		all = append(all, name)
		if !isRead(full, read) {
			roots = append(roots, name)
		}
	}
	for _, from := range [][]string{roots, all} {
		for _, want := range entryNames {
			named := slices.DeleteFunc(slices.Clone(from), func(n string) bool { return last(n) != want })
			if s.product.entry != "" && want != s.product.entry && len(s.named(from, s.product.entry)) == 1 {
				continue
			}
			switch len(named) {
			case 0:
				continue
			case 1:
				return s.asEntry(s.unpacked(named[0]))
			}
			return s.ambiguous(named)
		}
		if len(from) == 1 && len(roots) > 0 {
			return s.asEntry(s.unpacked(from[0]))
		}
	}
	if denying := s.named(all, "deny"); len(denying) == 1 {
		return s.asEntry(denying[0])
	}
	if denying := s.named(all, "violation"); len(denying) == 1 {
		return s.asEntry(denying[0])
	}
	if len(roots) > 0 {
		return s.ambiguous(roots)
	}
	return entry{}
}

func (s *session) named(from []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(from), func(n string) bool { return last(n) != name })
}

func isRead(full string, read map[string]string) bool {
	by, ok := read[full]
	return ok && !strings.HasPrefix(last(by), "test_")
}

func last(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// mayDecide reports whether a rule can be what callers ask.
func (s *session) mayDecide(full string) bool {
	rules := s.rules[full]
	if len(rules) == 0 || slices.Contains(sideNames, last(full)) || strings.HasPrefix(last(full), "test_") {
		return false
	}
	r := rules[0]
	if len(r.Head.Args) > 0 || r.Module != nil && strings.HasSuffix(r.Location.File, "_test.rego") ||
		strings.HasSuffix(r.Location.File, "_test.rego") || strings.HasPrefix(full, "data.system.log.") {
		return false
	}
	kind := s.shapeOf(full, 0).kind
	return kind != constantShape
}

// ambiguous asks all of several rules, so that none allows what another would not.
func (s *session) ambiguous(names []string) entry {
	out := entry{also: names}
	for _, n := range names {
		s.report.left(s.ruleFile(n), s.ruleRow(n), "data."+n+" may be the rule that decides, and so may others",
			"migrate again with --entrypoint "+strings.ReplaceAll(n, ".", "/")+
				" or another; until then all of them have to hold")
	}
	return out
}

func (s *session) ruleFile(name string) string {
	if rules := s.rules["data."+name]; len(rules) > 0 {
		return rules[0].Location.File
	}
	return ""
}

func (s *session) ruleRow(name string) int {
	if rules := s.rules["data."+name]; len(rules) > 0 {
		return rules[0].Location.Row
	}
	return 1
}

// unpacked follows a rule that is only a package, as main := data.example, to the rule in it.
func (s *session) unpacked(name string) string {
	rules := s.rules["data."+name]
	if len(rules) == 0 { // a package, or a part of a rule
		for _, want := range entryNames {
			if s.rules["data."+name+"."+want] != nil {
				return name + "." + want
			}
		}
		if i := strings.LastIndexByte(name, '.'); i > 0 && s.rules["data."+name[:i]] != nil {
			to := s.unpacked(name[:i])
			if to != name[:i] && last(to) == last(name) {
				return to
			}
			return name[:i]
		}
		return name
	}
	for _, r := range rules {
		if r.Head.Value == nil {
			continue
		}
		ref, ok := r.Head.Value.Value.(ast.Ref)
		if !ok || !ref[0].Equal(ast.DefaultRootDocument) || s.rules[dotted(ref)] != nil {
			continue
		}
		to := s.unpacked(strings.TrimPrefix(dotted(ref), "data."))
		if s.rules["data."+to] != nil {
			s.report.note(r.Location.File, r.Location.Row, "data."+name+" is a whole package: data."+to+" decides", "")
			return to
		}
	}
	return name
}

func (s *session) asEntry(name string) entry {
	return entry{name: name, shape: s.shapeOf("data."+name, 0)}
}
