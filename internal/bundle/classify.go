package bundle

import (
	"path/filepath"
	"strings"
)

const manifestName = ".manifest"

type fileKind uint8

const (
	other fileKind = iota
	manifest
	module
	test
	suite
	dataJSON
	dataYAML
)

// classify says what a file is by its name, or why nobody should call a file that. A name that looks like policy or
// data and is neither is a complaint: a rule that is ignored because of a typo would go unnoticed.
func classify(name string) (fileKind, string) {
	ext := filepath.Ext(name)
	switch {
	case name == manifestName:
		return manifest, ""
	case strings.HasSuffix(name, "_test.rego"):
		return test, ""
	case ext == ".rego":
		return module, ""
	case strings.HasSuffix(name, "_suite.yaml"), strings.HasSuffix(name, "_suite.yml"):
		return suite, ""
	case name == "data.json":
		return dataJSON, ""
	case name == "data.yaml", name == "data.yml":
		return dataYAML, ""
	}
	switch low := strings.ToLower(ext); low {
	case ".rego":
		return other, "the name ends in " + ext + " and would be ignored: rename it to end in .rego"
	case ".json", ".yaml", ".yml":
		base := strings.TrimSuffix(name, ext)
		return other, "only data.json and data.yaml are read as data, and the folder says where it goes: rename it to " +
			base + "/data" + low
	}
	return other, ""
}
