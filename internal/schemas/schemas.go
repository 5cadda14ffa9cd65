// Package schemas has the JSON Schemas of everything that users write or read: for editors, and for checks in
// pipelines.
package schemas

import (
	"github.com/authz-sidecar/sidecar/internal/app"
	"github.com/authz-sidecar/sidecar/internal/config"
	"github.com/authz-sidecar/sidecar/internal/input"
	"github.com/authz-sidecar/sidecar/internal/policytest"
)

// Names are the names that Named knows, in the order in which they are listed.
func Names() []string { return []string{"config", "suite", "routes", "input", "openapi"} }

// Named returns the JSON Schema (draft 2020-12) of a name, indented, the same bytes each time, and false for another
// name. Each has its $id. For openapi it returns the OpenAPI description of the HTTP API, whose schemas are its own.
func Named(name string) ([]byte, bool) {
	switch name {
	case "config":
		return config.Schema(), true
	case "suite":
		return policytest.Schema(), true
	case "routes":
		return Routes(), true
	case "input":
		return input.Schema(), true
	case "openapi":
		return app.Description(), true
	}
	return nil, false
}
