package engine

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/version"
)

// Versions names the version of OPA that evaluates policies, and the version of Rego they are written in.
func Versions() (opa, rego string) { return version.Version, ast.RegoV1.String() }
