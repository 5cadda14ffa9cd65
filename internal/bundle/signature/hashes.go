package signature

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"path"
	"slices"

	opa "github.com/open-policy-agent/opa/v1/bundle"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
)

// fileHash is one file of a signature, as OPA writes it.
type fileHash struct {
	Name      string `json:"name"`
	Hash      string `json:"hash"`
	Algorithm string `json:"algorithm"`
}

// usualHash is what OPA signs with.
const usualHash = opa.SHA256

// isStrong reports whether a hash binds its file. OPA also takes MD5 and SHA-1, for which other files with the same
// hash can be made.
func isStrong(h opa.HashingAlgorithm) bool {
	return slices.Contains([]opa.HashingAlgorithm{opa.SHA224, opa.SHA256, opa.SHA384, opa.SHA512, opa.SHA512224,
		opa.SHA512256}, h)
}

// hashOf is the hash of a file: over its bytes, or over the value of data and of the manifest, whose layout makes no
// difference to OPA. The value is the one that this program reads, which is what is about to decide.
func hashOf(f archive.File, algorithm opa.HashingAlgorithm) (string, error) {
	hasher, err := opa.NewSignatureHasher(algorithm)
	if err != nil {
		return "", err
	}
	var value any = f.Raw
	if opa.IsStructuredDoc(f.Name) {
		decoded, problem := bundle.SourceFile{File: bundle.File{Path: f.Name, Raw: f.Raw}, Kind: f.Kind}.Decode()
		if problem != nil {
			return "", fmt.Errorf("%s", problem.Message)
		}
		value = decoded
	}
	sum, err := hasher.HashFile(value)
	return hex.EncodeToString(sum), err
}

// sameForOPA reports whether OPA finds the same hash in a file.
func sameForOPA(f archive.File, h fileHash) error {
	files := map[string]opa.FileInfo{h.Name: opa.NewFile(h.Name, h.Hash, h.Algorithm)}
	return opa.VerifyBundleFile(h.Name, *bytes.NewBuffer(f.Raw), files)
}

// hashes are those of all files of a bundle, by name.
func hashes(a *archive.Archive) ([]fileHash, bundle.Problems) {
	var out []fileHash
	var ps bundle.Problems
	for _, f := range a.Files {
		sum, err := hashOf(f, usualHash)
		h := fileHash{Name: f.Name, Hash: sum, Algorithm: usualHash.String()}
		switch {
		case err != nil:
			ps.Add(path.Join(a.Name, f.Name), bundle.CodeData, "%s", err)
		case sameForOPA(f, h) != nil:
			ps.Add(path.Join(a.Name, f.Name), bundle.CodeData,
				"OPA reads another value in this file: write it as JSON, or without what only YAML has")
		}
		out = append(out, h)
	}
	return out, ps
}
