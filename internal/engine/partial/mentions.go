package partial

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// Place is a path of requests that policies compare with: its segments, "*" where any one will do.
type Place struct {
	Segments []string
	// Prefix is set when paths that begin with it are meant.
	Prefix bool
}

// Mentions are the methods and paths that the entrypoint, and the rules that it depends on, compare requests with, in
// order. Paths in data count too, as these may be compared with one.
func (p *Program) Mentions() (methods []string, places []Place) {
	m := mentions{methods: map[string]bool{}, places: map[string]Place{}}
	for r := range rego.Dependencies(p.whole, rego.RefOf(p.cfg.Entrypoint)) {
		if r.Ref().HasPrefix(library) {
			continue // it finds routes of any path
		}
		m.bound = map[ast.Var]*ast.Term{}
		ast.WalkExprs(r.Body, func(x *ast.Expr) bool {
			if x.IsEquality() {
				m.bind(x.Operand(0), x.Operand(1))
				m.bind(x.Operand(1), x.Operand(0))
			}
			return false
		})
		ast.WalkExprs(r.Body, func(x *ast.Expr) bool {
			m.expression(x)
			return false
		})
	}
	for _, text := range p.values {
		m.value(text)
		m.value(text + "/") // what is below it, if it is a path
	}
	for _, key := range slices.Sorted(maps.Keys(m.places)) {
		places = append(places, m.places[key])
	}
	return slices.Sorted(maps.Keys(m.methods)), places
}

// ReadsPaths reports whether a rule outside of the library reads the method or the path of a request: the library
// reads them to find the route.
func (p *Program) ReadsPaths() bool {
	found := false
	for r := range p.reachable(nil) {
		if r.Ref().HasPrefix(rego.RefOf("sidecar")) {
			continue
		}
		rego.VisitRefs(r, func(_ *ast.Term, ref ast.Ref, _ *ast.Location) {
			known := ref.GroundPrefix()
			found = found || isFixed(ref) || known.Equal(ast.InputRootRef) || known.Equal(inputRef("request"))
		})
	}
	return found
}

type mentions struct {
	// bound are references by the variables that the compiler has put in their places, in one rule.
	bound   map[ast.Var]*ast.Term
	methods map[string]bool
	places  map[string]Place
}

func (m *mentions) bind(variable, value *ast.Term) {
	v, isVar := variable.Value.(ast.Var)
	if _, isRef := value.Value.(ast.Ref); isVar && isRef {
		m.bound[v] = value
	}
}

// library is the package of the library that is about routes.
var library = rego.RefOf("sidecar/routes")

// standardMethods are those of RFC 9110 and PATCH.
var standardMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

func (m *mentions) value(text string) {
	switch {
	case slices.Contains(standardMethods, text):
		m.methods[text] = true
	case strings.HasPrefix(text, "/") && len(text) < 200 && !strings.ContainsAny(text, " {%?#"):
		m.add(text, strings.HasSuffix(text, "/"))
	}
}

func (m *mentions) add(path string, prefix bool) {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	if strings.Trim(path, "/") == "" {
		segments = nil
	}
	for i, s := range segments {
		if strings.ContainsAny(s, "*") {
			segments[i] = "*"
		}
	}
	m.addPlace(Place{Segments: segments, Prefix: prefix})
}

func (m *mentions) addPlace(p Place) {
	key := "/" + strings.Join(p.Segments, "/")
	if p.Prefix {
		key += "/"
	}
	m.places[key] = p
}

func (m *mentions) expression(x *ast.Expr) {
	terms, ok := x.Terms.([]*ast.Term)
	if !ok || len(terms) < 3 {
		return
	}
	name, a, b := terms[0].String(), terms[1], terms[2]
	for range 2 {
		if v, isVar := a.Value.(ast.Var); isVar && m.bound[v] != nil {
			a = m.bound[v]
		}
		switch ref, _ := a.Value.(ast.Ref); {
		case ref.Equal(inputRef("request", "method")):
			m.texts(b, m.value)
		case ref.Equal(inputRef("request", "path")):
			m.texts(b, func(text string) { m.add(text, name == ast.StartsWith.Name) })
		case ref.Equal(inputRef("request", "segments")):
			m.pattern(b)
		case ref.Equal(inputRef("request", "segments").Append(ast.InternedTerm(0))):
			m.texts(b, func(text string) { m.addPlace(Place{Segments: []string{text}, Prefix: true}) })
		}
		a, b = b, a
	}
}

// texts visits the texts in a constant.
func (m *mentions) texts(t *ast.Term, visit func(string)) {
	ast.WalkTerms(t, func(inner *ast.Term) bool {
		if s, ok := inner.Value.(ast.String); ok {
			visit(string(s))
		}
		_, isRef := inner.Value.(ast.Ref)
		return isRef
	})
}

// pattern reads what segments are compared with: ["orders", id].
func (m *mentions) pattern(t *ast.Term) {
	list, ok := t.Value.(*ast.Array)
	if !ok {
		return
	}
	p := Place{Segments: []string{}}
	constant := false
	list.Foreach(func(e *ast.Term) {
		if s, ok := e.Value.(ast.String); ok {
			constant = true
			p.Segments = append(p.Segments, string(s))
		} else {
			p.Segments = append(p.Segments, "*")
		}
	})
	if constant || list.Len() == 0 {
		m.addPlace(p)
	}
}

// word matches a text that may be a segment of a path.
var word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ArgumentTexts are the texts that functions compare with their arguments, which may be segments of a path, in order.
// The library is left out: it compares with data.
func (p *Program) ArgumentTexts() []string {
	found := map[string]bool{}
	m := mentions{}
	for r := range rego.Dependencies(p.whole, rego.RefOf(p.cfg.Entrypoint)) {
		if len(r.Head.Args) == 0 || r.Ref().HasPrefix(rego.RefOf("sidecar")) {
			continue
		}
		ast.WalkExprs(r.Body, func(x *ast.Expr) bool {
			terms, ok := x.Terms.([]*ast.Term)
			if !ok || len(terms) < 3 {
				return false
			}
			for _, t := range terms[1:] {
				m.texts(t, func(text string) {
					if word.MatchString(text) && !slices.Contains(standardMethods, text) {
						found[text] = true
					}
				})
			}
			return false
		})
	}
	return sortedKeys(found)
}
