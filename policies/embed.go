// Package policies carries the library, data.sidecar, and the policies of the example API inside the binary.
package policies

import (
	"embed"
	"io/fs"
)

// EmbeddedLibraryVersion names the library. It rises with each change of a file of it: a test compares the version
// with a digest of the files.
const EmbeddedLibraryVersion = "1.2.4"

//go:embed sidecar
var library embed.FS

//go:embed authz routes
var example embed.FS

// EmbeddedLibrary returns the files of the library, one folder a package: scopes/scopes.rego. It is of all packages
// below data.sidecar.
func EmbeddedLibrary() fs.FS {
	below, _ := fs.Sub(library, "sidecar") // an error is of names that are not valid
	return below
}

// Example returns the policies of the example API and their data: authz/decision.rego, routes/data.yaml. They use the
// library, and hold no copy of it.
func Example() fs.FS { return example }
