package bundle

import (
	"path/filepath"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/suggest"
)

// ManifestName is the name of a manifest.
const ManifestName = ".manifest"

// Kind says what a file is, by its name.
type Kind uint8

// The kinds. A file of kind Other or Suite is no part of a Set.
const (
	Other    Kind = iota
	Manifest      // .manifest
	Module        // *.rego
	Test          // *_test.rego
	Suite         // *_suite.yaml, *_suite.yml
	DataJSON      // data.json
	DataYAML      // data.yaml, data.yml
)

// Classify says what a file is by its name. complaint says why a file must not have this name: a name that is nearly
// one of policy or data would be ignored because of a typo. notice says why a file of another tool is left out.
func Classify(name string) (kind Kind, complaint, notice string) {
	ext := filepath.Ext(name)
	switch {
	case name == ManifestName:
		return Manifest, "", ""
	case strings.HasSuffix(name, "_test.rego"):
		return Test, "", ""
	case ext == ".rego":
		return Module, "", ""
	case strings.HasSuffix(name, "_suite.yaml"), strings.HasSuffix(name, "_suite.yml"):
		return Suite, "", ""
	case name == "data.json":
		return DataJSON, "", ""
	case name == "data.yaml", name == "data.yml":
		return DataYAML, "", ""
	}
	return Other, nearMiss(name, ext), leftOut(name, ext)
}

// Misplaced says why a file of a kind must not be where it is in a source of layout l, or nothing.
func (l Layout) Misplaced(kind Kind, dirs []string) string {
	switch {
	case kind != Manifest:
		return ""
	case l == Plain:
		return "this directory is a bundle: name it under bundles, not under paths"
	case len(dirs) > 0:
		return "only the manifest at the top of a bundle is read"
	}
	return ""
}

// nearMiss proposes a name, where the name is nearly one that is read.
func nearMiss(name, ext string) string {
	const nearly = "the name is nearly that of a data file, and the file would be ignored: rename it to "
	base, low := strings.TrimSuffix(name, ext), strings.ToLower(ext)
	switch {
	case strings.HasSuffix(name, "~"): // a backup of an editor
		return ""
	case suggest.Within(low, ".rego", 1):
		return "the name ends in " + ext + " and would be ignored: rename it to end in .rego"
	case suggest.Within(strings.ToLower(base), "data", 1) && isDataExt(low):
		return nearly + "data" + low + ", or list it under policies.ignore"
	case strings.EqualFold(base, "data") && (suggest.Within(low, ".json", 1) || suggest.Within(low, ".yaml", 1)):
		return nearly + "data.json or data.yaml, or list it under policies.ignore"
	}
	return ""
}

func isDataExt(low string) bool { return low == ".json" || low == ".yaml" || low == ".yml" }

// leftOut says why a file that could hold data is left out, or nothing.
func leftOut(name, ext string) string {
	if low := strings.ToLower(ext); isDataExt(low) {
		return "ignored: data are only read from files called data.json or data.yaml, and the folder says where they " +
			"go; policies.ignore keeps this note away"
	}
	if strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz") {
		return "ignored: archives are not read; unpack it into a folder, and name that under policies.bundles"
	}
	return ""
}
