// Package bundle builds policy files into one immutable value, a Set.
//
// A plain directory holds Rego and data that belong together. A bundle has OPA's bundle layout: a .manifest at its top
// names the roots, the parts of the data document that this bundle owns and that no other source may write. Both
// arrive as Contents, files as values: package dir reads them from disk. A Set holds no type of OPA: package engine
// compiles it.
//
// Build returns a Set of all files, or every problem there is with them.
package bundle

import (
	"slices"

	"github.com/authz-sidecar/sidecar/internal/authz"
)

// Set is everything that was read at one moment. It is immutable: it is shared, and neither it nor anything that it
// reaches may be written.
type Set struct {
	// Bundles is in the order of the configuration: first the plain directories, then the bundles.
	Bundles []Bundle
	// Digest is that of the Contents. Equal digests mean equal policies.
	Digest string
	// Ignored are files that look like data and are left out, each with the reason: files of other tools, dangling
	// links. They are no part of Digest.
	Ignored Problems

	readAgain func(path string) ([]byte, error)
}

// Same reports whether two sets hold equal policies that the same keys have signed: signatures are no part of Digest.
func (s *Set) Same(other *Set) bool {
	return s.Digest == other.Digest && slices.EqualFunc(s.Bundles, other.Bundles, func(a, b Bundle) bool {
		return a.Signed.Reviewed == b.Signed.Reviewed && slices.Equal(a.Signed.Signers, b.Signed.Signers)
	})
}

// Bundle is one plain directory or one bundle.
type Bundle struct {
	// Name is the configured path, cleaned and with forward slashes: "bundles/orders". It is unique in a Set. That of
	// the library is a constant.
	Name string
	// Revision is what the manifest says, or the version of the library; empty when the manifest says nothing, and for
	// a plain directory.
	Revision string
	// Digest is the content digest of an archive, or of a folder that was read like one: "sha256:<hex>" over all its
	// files but their signatures. It is empty for other sources.
	Digest string
	// Signed is what was verified of its signatures.
	Signed Signed
	// Embedded is true for the library that the binary carries.
	Embedded bool
	// Roots are the paths under data that the bundle owns, such as "orders/policy", without slashes at the ends.
	// It is nil for a plain directory, which owns whatever it holds, and [""] for a manifest that names none: such a
	// bundle owns everything. An empty list that is not nil owns nothing.
	Roots []string
	// Metadata is that of the manifest, in the types of DataFile.Value; nil when there is none.
	Metadata map[string]any
	// RegoVersion is the version of the language that the modules are written in: 0, 1 or 2; 1 unless the manifest
	// says otherwise.
	RegoVersion int
	// Modules are the *.rego files, sorted by path, without tests.
	Modules []File
	// Tests are the *_test.rego files, sorted by path, where they were asked for.
	Tests []File
	// Data are the data.json, data.yaml and data.yml files, sorted by path. No two of a Set write the same path under
	// data: Set.Document is all of them in one.
	Data []DataFile
}

// File is a file as it was read.
type File struct {
	// Path is what messages show: the name of the source joined with the path below it, with forward slashes, such as
	// "policies/routes/routes.rego".
	Path string
	Raw  []byte
}

// DataFile is one file of data.
type DataFile struct {
	// Path is as in File.
	Path string
	// At is where Value belongs in the data document, which is where the file is below its source:
	// ["routes"] for policies/routes/data.yaml. It is empty for a file at the top, whose value is an object.
	At []string

	value *dataValue
}

// NewDataFile returns a file with a value in the types of DataFile.Value.
func NewDataFile(path string, at []string, value any) DataFile {
	return DataFile{Path: path, At: at, value: newDataValue(Other, value)}
}

// Value has the types of JSON: map[string]any, []any, string, bool, nil and encoding/json.Number. Numbers keep
// their spelling, except those that only YAML can spell. After Set.Settle, getting a large one takes a while.
func (d *DataFile) Value() any { return d.value.get() }

// Slot belongs to the policy engine, which keeps the value there in its own form. Files with the same text may share
// it.
func (d *DataFile) Slot() *authz.Slot { return d.value.slotted() }

// Signed is what the verified signatures of a bundle say; zero when none was verified.
type Signed struct {
	// Signers are those whose signatures hold, first that of the bundle, then the countersignatures.
	Signers []Signer `json:"signers,omitempty"`
	// Reviewed is the digest of the review that a signature names, "sha256:<hex>"; empty when none does.
	Reviewed string `json:"reviewed,omitempty"`
}

// Signer is that of package authz.
type Signer = authz.Signer
