package lint

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/engine/rego"
)

// setFacts is what the rules of the pack know about all modules together and the configuration, as data.set.
type setFacts struct {
	// Rules are the branches of all rules, by their path.
	Rules map[string][]branch `json:"rules"`
	// Annotated is set when an entrypoint is annotated as one; Entrypoints are all of them, with their modules.
	Annotated   bool     `json:"annotated"`
	Entrypoints []string `json:"entrypoints"`
	// Compared are the names of the headers that some expression compares with a member of the token.
	Compared []string `json:"compared"`
	Issuers  []string `json:"issuers"`
	// Builtins are the builtins with a name of one word, which a rule or a variable can shadow.
	Builtins []string `json:"builtins"`
}

// describeAll returns the document of each module, and what they have in common.
func (p *program) describeAll(cfg Config) ([]document, setFacts) {
	s := setFacts{
		Rules: map[string][]branch{}, Entrypoints: []string{}, Issuers: append([]string{}, cfg.Issuers...),
		Builtins: shadowable(),
	}
	for _, path := range cfg.Entrypoints {
		s.Entrypoints = append(s.Entrypoints, rego.RefOf(path).String())
	}
	for _, a := range p.annotations.Flatten() {
		if a.Annotations.Entrypoint {
			s.Annotated = true
			s.Entrypoints = append(s.Entrypoints, a.Path.String())
		}
	}
	slices.Sort(s.Entrypoints)
	s.Entrypoints = slices.Compact(s.Entrypoints)
	effects, reads := effectsOf(p, s.Entrypoints), newReaders(p)
	compared := map[string]bool{}
	var docs []document
	for _, file := range p.files() {
		d := describer{program: p, effects: effects, reads: reads, asked: s.Entrypoints}
		doc := d.document(file)
		for _, b := range doc.Branches {
			s.Rules[b.Path] = append(s.Rules[b.Path], b)
		}
		comparedHeaders(&doc, compared)
		docs = append(docs, doc)
	}
	s.Compared = slices.AppendSeq([]string{}, maps.Keys(compared))
	slices.Sort(s.Compared)
	return docs, s
}

// comparedHeaders takes in the headers that an expression of doc names together with the token: as references, or as
// the argument of sidecar.tenant.own_header.
func comparedHeaders(doc *document, into map[string]bool) {
	token := map[int]bool{}
	for _, ref := range doc.Refs["input.token"] {
		token[ref.Expr] = true
	}
	for _, ref := range doc.Refs["input.request"] {
		if token[ref.Expr] && ref.Expr >= 0 && len(ref.Path) > 3 && ref.Path[2] == "headers" {
			into[ref.Path[3]] = true
		}
	}
	for _, c := range doc.Calls["data.sidecar.tenant.own_header"] {
		for _, arg := range c.Args {
			if arg.Constant {
				into[arg.literal()] = true
			}
		}
	}
}

// shadowable are the builtins with a name of one word that authors call by it.
func shadowable() []string {
	var names []string
	for _, b := range ast.CapabilitiesForThisVersion().Builtins {
		if b.Infix == "" && b.Name != "eq" && !slices.Contains([]rune(b.Name), '.') {
			names = append(names, b.Name)
		}
	}
	return names
}
