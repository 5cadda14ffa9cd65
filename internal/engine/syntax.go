package engine

import (
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

// SyntaxTree is the syntax tree of a module as it is written, in the JSON of OPA.
func SyntaxTree(f bundle.File) ([]byte, error) {
	m, err := ast.ParseModuleWithOpts(f.Path, string(f.Raw), ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		return nil, fmt.Errorf("parse %q: %w", f.Path, err)
	}
	return json.Marshal(m)
}
