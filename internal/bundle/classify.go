package bundle

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/authz-sidecar/sidecar/internal/suggest"
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

// classify says what a file is by its name. complaint says why a file must not be called that: a name that is nearly one of
// policy or data would be ignored because of a typo. notice says why a file that belongs to another tool is left out.
func classify(name string) (kind fileKind, complaint, notice string) {
	ext := filepath.Ext(name)
	switch {
	case name == manifestName:
		return manifest, "", ""
	case strings.HasSuffix(name, "_test.rego"):
		return test, "", ""
	case ext == ".rego":
		return module, "", ""
	case strings.HasSuffix(name, "_suite.yaml"), strings.HasSuffix(name, "_suite.yml"):
		return suite, "", ""
	case name == "data.json":
		return dataJSON, "", ""
	case name == "data.yaml", name == "data.yml":
		return dataYAML, "", ""
	}
	return other, nearMiss(name, ext), stray(name, ext)
}

// nearMiss says what a file was probably meant to be called, where the name is nearly one that is read.
func nearMiss(name, ext string) string {
	base, low := strings.TrimSuffix(name, ext), strings.ToLower(ext)
	switch {
	case strings.HasSuffix(name, "~"): // a backup of an editor
		return ""
	case suggest.Within(low, ".rego", 1):
		return "the name ends in " + ext + " and would be ignored: rename it to end in .rego"
	case suggest.Within(strings.ToLower(base), "data", 1) && isDataExt(low):
		return "the name is nearly that of a data file, and the file would be ignored: rename it to data" + low + ", or list it under policies.ignore"
	case strings.EqualFold(base, "data") && (suggest.Within(low, ".json", 1) || suggest.Within(low, ".yaml", 1)):
		return "the name is nearly that of a data file, and the file would be ignored: rename it to data.json or data.yaml, or list it under policies.ignore"
	}
	return ""
}

func isDataExt(low string) bool { return low == ".json" || low == ".yaml" || low == ".yml" }

// stray says why a file that could hold data is left out, or nothing.
func stray(name, ext string) string {
	if low := strings.ToLower(ext); isDataExt(low) {
		return "ignored: only data.json and data.yaml are read as data, and the folder says where it goes (" + strings.TrimSuffix(name, ext) + "/data" + low + ")"
	}
	for _, archive := range []string{".tar.gz", ".tgz"} {
		if strings.HasSuffix(name, archive) {
			return "ignored: archives are not read; unpack it into a folder, and name that under policies.bundles"
		}
	}
	return ""
}

// ignored reports whether one of the patterns of Config.Ignore takes the name of a file or directory that is rel below a
// configured one.
func ignored(patterns, rel []string, name string) bool {
	for _, p := range patterns {
		at := name
		if strings.Contains(strings.TrimSuffix(p, "/"), "/") {
			at = path.Join(path.Join(rel...), name)
		}
		if ok, _ := path.Match(strings.Trim(p, "/"), at); ok {
			return true
		}
	}
	return false
}

// temporary reports whether a file is called as programs call one that they are about to rename to a file that is read:
// rsync's ".authz.rego.Ab3xYz", "authz.rego.part". The swap files of editors, which stay open, are not called like that.
func temporary(name string) bool {
	base, end := strings.TrimPrefix(name, "."), filepath.Ext(name)
	kind, _, _ := classify(strings.TrimSuffix(base, end))
	if kind == other {
		return false
	}
	switch end {
	case ".tmp", ".temp", ".part", ".partial", ".filepart", ".new":
		return true
	}
	return len(end) == 7 // a dot and the six characters of mkstemp(3)
}
