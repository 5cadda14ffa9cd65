package rego

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// logEventSchema is the name of the schema of an event of the decision log.
var logEventSchema = ast.MustParseRef("schema.log_event")

// typeLogPolicies gives modules of package system.log an event of the decision log as their input.
func typeLogPolicies(modules map[string]*ast.Module) {
	var donor, bare *ast.Module
	for _, m := range modules {
		if !m.Package.Path.Equal(logPackage) {
			continue
		}
		if bare == nil {
			donor = ast.MustParseModuleWithOpts(`# METADATA
# scope: package
# schemas:
# - input: schema.log_event
package system.log`, ParserOptions(nil))
		}
		bare = m
		for _, a := range m.Annotations {
			if a.Scope != "package" {
				continue
			}
			if len(a.Schemas) == 0 {
				a.Schemas = donor.Annotations[0].Schemas
			}
			return
		}
	}
	if bare != nil {
		bare.Annotations = append(bare.Annotations, donor.Annotations[0].Copy(bare.Package))
	}
}

// IsLogPolicy reports whether the input of a rule is an event of the decision log.
func IsLogPolicy(r *ast.Rule) bool {
	return r.Module != nil && strings.HasPrefix(r.Module.Package.Path.String(), "data.system.log")
}
