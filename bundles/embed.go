// Package bundles carries the bundle of the example API inside the binary.
package bundles

import (
	"embed"
	"io/fs"
)

//go:embed all:example
var files embed.FS

// Example returns the bundle as a folder: .manifest, data.json, maintenance.rego.
func Example() fs.FS {
	below, _ := fs.Sub(files, "example") // an error is of names that are not valid
	return below
}
