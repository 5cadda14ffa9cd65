// Package bundle reads policy directories and bundle folders into one immutable value, and watches them.
//
// A plain directory holds Rego and data that belong together. A bundle folder has OPA's bundle layout: a .manifest at
// its top names the roots, the parts of the data document that it owns and nobody else may write to. Both are read
// into a Set, which knows nothing of OPA: compiling it is the work of package engine.
//
// Load either returns all of what is on disk, as it was at one moment, or every problem there is with it. A Watcher
// does the same again whenever the directories change.
package bundle

// Set is everything that was loaded, as it was at one moment. It is immutable: whoever holds one may share it, and
// nobody may write to it or to anything that it reaches.
type Set struct {
	// Bundles is in the order of the configuration: first the plain directories, then the bundle folders.
	Bundles []Bundle
	// Digest is "sha256:<hex>" over the bundle name, path and content of each file in Bundles and of each manifest,
	// each part with its length, sorted by name and path. Equal digests mean equal policies.
	Digest string
	// Ignored are files that look like data and are left out, each with the reason: those of other tools, links that lead
	// nowhere. They are no part of Digest.
	Ignored Problems
}

// Bundle is one plain directory or one bundle folder.
type Bundle struct {
	// Name is the configured path, cleaned and with forward slashes: "bundles/orders". It is unique in a Set.
	Name string
	// Dir is the directory as it was configured.
	Dir string
	// Revision is what the manifest says; empty when it says nothing, and for a plain directory.
	Revision string
	// Roots are the paths under data that the bundle owns, such as "orders/policy", without slashes at the ends.
	// It is nil for a plain directory, which owns whatever it holds, and [""] for a manifest that names none: such a
	// bundle owns everything. An empty list that is not nil owns nothing.
	Roots []string
	// Metadata is what the manifest says about itself, in the types of DataFile.Value; nil when it says nothing.
	Metadata map[string]any
	// RegoVersion is the version of the language that the modules are written in: 0, 1 or 2; 1 unless the manifest
	// says otherwise.
	RegoVersion int
	// Modules are the *.rego files, sorted by path, without tests.
	Modules []File
	// Tests are the *_test.rego files, sorted by path. Only LoadWithTests reads them.
	Tests []File
	// Data are the data.json, data.yaml and data.yml files, sorted by path. No two of a Set write the same place:
	// Set.Document is all of them in one.
	Data []DataFile
}

// File is a file of Rego as it is on disk.
type File struct {
	// Path is how people are shown the file: the configured directory joined with the path below it, with forward
	// slashes, such as "policies/routes/routes.rego".
	Path string
	Raw  []byte
}

// DataFile is one file of data.
type DataFile struct {
	// Path is as in File.
	Path string
	// At is where Value belongs in the data document, which is where the file is below its directory:
	// ["routes"] for policies/routes/data.yaml. It is empty for a file at the top, whose value is an object.
	At []string
	// Value has the types of JSON: map[string]any, []any, string, bool, nil and encoding/json.Number. Numbers keep
	// their spelling, except those that only YAML can spell.
	Value any
}
