package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authz-sidecar/sidecar/internal/schemas"
)

func schemaCommand(std streams) *cobra.Command {
	return &cobra.Command{
		Use:   "schema " + strings.Join(schemas.Names(), "|"),
		Short: "Print a JSON Schema (configuration, suites, routes, input) or the OpenAPI description",
		Long: `Print a JSON Schema (draft 2020-12): of the configuration, of decision suites (*_suite.yaml), of routes
(policies/routes/data.yaml), or of the document that policies read; for openapi, the OpenAPI 3.1 description of the HTTP
API, as it is served at /openapi.json. An editor with a YAML language server checks a file that names its schema in the
first line:

  # yaml-language-server: $schema=.schemas/routes.schema.json

Exit status: 0 printed; 2 another name.`,
		Example:   "  sidecar schema routes > .schemas/routes.schema.json",
		Args:      takes(1, "one name"),
		ValidArgs: schemas.Names(),
		RunE: func(_ *cobra.Command, args []string) error {
			schema, ok := schemaNamed(args[0])
			if !ok {
				return &failure{err: fmt.Errorf("there is no schema %q", args[0]), exit: exitUsage,
					hint: "write one of " + strings.Join(schemas.Names(), ", ")}
			}
			_, err := std.out.Write(schema)
			return err
		},
	}
}

// schemaNamed is what "sidecar schema" prints.
func schemaNamed(name string) ([]byte, bool) { return schemas.Named(name) }
