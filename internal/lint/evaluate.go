package lint

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/open-policy-agent/opa/v1/ast"
	oparego "github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

//go:embed rules/*.rego
var pack embed.FS

// compilePack compiles the rules of the pack.
func compilePack() (*ast.Compiler, error) {
	names, err := fs.Glob(pack, "rules/*.rego")
	if err != nil {
		return nil, err
	}
	modules := map[string]*ast.Module{}
	for _, name := range names {
		text, err := pack.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if modules[name], err = ast.ParseModule(name, string(text)); err != nil {
			return nil, fmt.Errorf("parse the lint rules: %w", err)
		}
	}
	compiler := ast.NewCompiler()
	if compiler.Compile(modules); compiler.Failed() {
		return nil, fmt.Errorf("compile the lint rules: %w", compiler.Errors)
	}
	return compiler, nil
}

// prepare gives the pack what it knows about the set as data.
func prepare(ctx context.Context, compiler *ast.Compiler, set setFacts) (oparego.PreparedEvalQuery, error) {
	b, err := json.Marshal(map[string]any{"set": set})
	if err != nil {
		return oparego.PreparedEvalQuery{}, fmt.Errorf("describe the set: %w", err)
	}
	return oparego.New(
		oparego.Query("findings = data.lint.findings"),
		oparego.Compiler(compiler),
		oparego.Store(inmem.NewFromReader(bytes.NewReader(b))),
	).PrepareForEval(ctx)
}

// evaluate returns what the pack finds in one module. failed are the builtins that failed in it: faults of the pack,
// whose expression is then undefined.
func evaluate(
	ctx context.Context, query oparego.PreparedEvalQuery, doc *document,
) (out []Finding, failed []topdown.Error, err error) {
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, nil, fmt.Errorf("describe %q: %w", doc.File, err)
	}
	input, err := ast.ValueFromReader(bytes.NewReader(b))
	if err != nil {
		return nil, nil, fmt.Errorf("describe %q: %w", doc.File, err)
	}
	results, err := query.Eval(ctx, oparego.EvalParsedInput(input), oparego.EvalBuiltinErrorList(&failed))
	if err != nil {
		return nil, nil, fmt.Errorf("evaluate %q: %w", doc.File, err)
	}
	var found []struct {
		Code, Message string
		Row, Col      int
	}
	for _, r := range results {
		b, err := json.Marshal(r.Bindings["findings"])
		if err != nil {
			return nil, nil, err
		}
		if err := json.Unmarshal(b, &found); err != nil {
			return nil, nil, err
		}
	}
	levels := levels()
	for _, f := range found {
		out = append(out, Finding{
			Level:   levels[f.Code],
			Problem: bundle.Problem{File: doc.File, Row: f.Row, Col: f.Col, Code: f.Code, Message: f.Message},
		})
	}
	return out, failed, nil
}
