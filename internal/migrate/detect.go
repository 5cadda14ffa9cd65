package migrate

import (
	"fmt"
	"slices"
	"strings"
)

// otherSubject says what policies are about that are not about requests, or "".
func otherSubject(s *seen, w *world) string {
	for _, path := range []string{"review.object", "review.kind", "review", "resource_changes", "planned_values",
		"kind",
		"apiVersion", "metadata.labels", "spec.containers", "spec.template", "parameters.labels", "Resources",
		"configuration.root_module"} {
		if at, ok := s.below(path); ok && !s.readsRequest() {
			return fmt.Sprintf("input.%s (%s:%d) is of a document that is checked, as by conftest or gatekeeper", path,
				at.file, at.row)
		}
	}
	if len(s.paths) > 0 || len(s.dynamic) > 0 {
		return ""
	}
	for name := range w.rules {
		if strings.HasSuffix(name, ".allow") || strings.HasSuffix(name, ".decision") {
			return ""
		}
	}
	return "nothing of the input is read, and there is no rule allow or decision"
}

// readsRequest reports whether a policy reads what requests have.
func (s *seen) readsRequest() bool {
	for _, path := range []string{"method", "path", "token", "user", "headers", "request", "attributes", "parsed_path",
		"http_request", "auth", "action", "subject"} {
		if _, ok := s.below(path); ok {
			return true
		}
	}
	return false
}

// below finds a use of a path or of what is below it.
func (s *seen) below(path string) (place, bool) {
	if at, ok := s.paths[path]; ok {
		return at, true
	}
	for p, at := range s.paths {
		if strings.HasPrefix(p, path+".") {
			return at, true
		}
	}
	return place{}, false
}

// choose tells the product, by the options or by the marks that were seen.
func (s *session) choose(seen *seen) (*product, error) {
	if from := s.opts.From; from != "" && from != "auto" {
		if p := productNamed(from); p != nil {
			return p, nil
		}
		return nil, fmt.Errorf("%w %q", ErrProduct, from)
	}
	if s.inPackage("data.migrated") {
		return productNamed(ours), nil // it was migrated before
	}
	var best *product
	most := 0
	own := applications[len(applications)-1:]
	for _, from := range [][]*product{slices.Concat(proxies, gateways, plugins), own, applications} {
		for _, p := range from {
			if found := len(seen.marksOf(p)); best == nil && found > 0 || found > most {
				best, most = p, found
			}
		}
		if best != nil {
			break
		}
	}
	if best != nil && (best.name == "apim" && !(seen.has("route") && seen.has("operation")) ||
		best.name == "authzen" && most < 2) {
		best = nil
	}
	if best == nil && hasText(seen, "java_authentication", "ROLE_", "SCOPE_") && seen.has("subject", "action") {
		best = productNamed("spring")
	}
	switch {
	case s.inPackage("data.http") && seen.has("request.method", "request.path", "request.headers") &&
		(best == nil || best.name == "apisix" || best.name == "dapr"):
		best = productNamed("dapr")
	case s.inPackage("data.caddy.authz"):
		best = productNamed("caddy")
	case best == nil && s.hasRule("custom_response"):
		best = productNamed("htnn")
	case best == nil && seen.has("request") && (s.hasRule("status_code", "headers", "reason") || seen.has("consumer")):
		best = productNamed("apisix")
	}
	if best == nil && seen.has("user") && seen.has("action") && (seen.has("type") || seen.has("object")) {
		best = productNamed("opal")
	}
	if best == nil {
		best = productNamed("application")
	}
	return best, nil
}

// marksOf are the marks of a product that are there.
func (s *seen) marksOf(p *product) []string {
	var out []string
	for _, mark := range p.marks {
		if s.has(mark) {
			out = append(out, mark)
		}
	}
	return out
}

func (s *seen) has(paths ...string) bool {
	return slices.ContainsFunc(paths, func(p string) bool {
		_, ok := s.below(p)
		return ok
	})
}

// hasText reports whether a text in the policies begins with one of the words.
func hasText(seen *seen, words ...string) bool {
	for text := range seen.strings {
		if slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(text, w) }) {
			return true
		}
	}
	return false
}

func (s *session) inPackage(path string) bool {
	return slices.ContainsFunc(s.modules, func(m *module) bool { return m.ast.Package.Path.String() == path })
}

// hasRule reports whether a rule has one of the names.
func (s *session) hasRule(names ...string) bool {
	for full := range s.rules {
		if i := strings.LastIndexByte(full, '.'); slices.Contains(names, full[i+1:]) {
			return true
		}
	}
	return false
}
