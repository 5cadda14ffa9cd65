package signature

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"path"
	"slices"

	opa "github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/authz-sidecar/sidecar/internal/bundle"
	"github.com/authz-sidecar/sidecar/internal/bundle/archive"
	"github.com/authz-sidecar/sidecar/internal/jsonbound"
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

// errOther is about data that OPA, whose hash is signed, reads otherwise than what is about to decide.
var errOther = errors.New("OPA reads another value in this file: write it as JSON, or without what only YAML has")

// hashOf is the hash that OPA finds in a file: over its bytes, or over the value of data and of the manifest, whose
// layout makes no difference. The value must be the one that this program reads.
func hashOf(f archive.File, algorithm opa.HashingAlgorithm) (string, error) {
	hasher, err := opa.NewSignatureHasher(algorithm)
	if err != nil {
		return "", err
	}
	var value any = f.Raw
	if opa.IsStructuredDoc(f.Name) {
		own, problem := bundle.SourceFile{File: bundle.File{Path: f.Name, Raw: f.Raw}, Kind: f.Kind}.Decode()
		if problem != nil {
			return "", errors.New(problem.Message)
		}
		if err := util.Unmarshal(f.Raw, &value); err != nil || !same(value, own) {
			return "", errOther
		}
	}
	sum, err := hasher.HashFile(value)
	return hex.EncodeToString(sum), err
}

// same reports whether two values of JSON are equal. OPA writes the numbers of YAML in a spelling of its own.
func same(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && maps.EqualFunc(x, y, same)
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, same)
	case json.Number:
		y, ok := b.(json.Number)
		return ok && (x == y || equalNumbers(x, y))
	}
	return a == b
}

func equalNumbers(a, b json.Number) bool {
	if !jsonbound.Number(a.String()) || !jsonbound.Number(b.String()) {
		return false
	}
	x, okX := new(big.Rat).SetString(a.String())
	y, okY := new(big.Rat).SetString(b.String())
	return okX && okY && x.Cmp(y) == 0
}

// hashes are those of all files of a bundle, by name.
func hashes(a *archive.Archive) ([]fileHash, bundle.Problems) {
	var out []fileHash
	var ps bundle.Problems
	for _, f := range a.Files {
		sum, err := hashOf(f, usualHash)
		if err != nil {
			ps.Add(path.Join(a.Name, f.Name), bundle.CodeData, "%s", err)
		}
		out = append(out, fileHash{Name: f.Name, Hash: sum, Algorithm: usualHash.String()})
	}
	return out, ps
}
