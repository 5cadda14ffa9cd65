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

// prepare compiles the pack, with what it knows about the set as data.
func prepare(ctx context.Context, set setFacts) (oparego.PreparedEvalQuery, error) {
	b, err := json.Marshal(map[string]any{"set": set})
	if err != nil {
		return oparego.PreparedEvalQuery{}, fmt.Errorf("describe the set: %w", err)
	}
	options := []func(*oparego.Rego){
		oparego.Query("findings = data.lint.findings"),
		oparego.Store(inmem.NewFromReader(bytes.NewReader(b))),
	}
	names, err := fs.Glob(pack, "rules/*.rego")
	if err != nil {
		return oparego.PreparedEvalQuery{}, err
	}
	for _, name := range names {
		text, err := pack.ReadFile(name)
		if err != nil {
			return oparego.PreparedEvalQuery{}, err
		}
		options = append(options, oparego.Module(name, string(text)))
	}
	return oparego.New(options...).PrepareForEval(ctx)
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
