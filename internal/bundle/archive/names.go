package archive

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

const (
	maxName  = 1024 // bytes of the path of a file
	maxDepth = 64   // directories that a file is in
)

// clean is the name of a file from its path in an archive, and why there cannot be such a file in a bundle. OPA writes
// a slash at the front, tar writes "./".
func clean(stored string) (name, complaint string) {
	name = strings.TrimPrefix(strings.TrimPrefix(stored, "/"), "./")
	elements := strings.Split(name, "/")
	switch {
	case len(name) > maxName:
		return "", "the path is longer than 1024 bytes"
	case !utf8.ValidString(name), strings.ContainsFunc(name, unicode.IsControl):
		return "", "the path is not UTF-8, or holds control characters"
	case strings.Contains(name, `\`):
		return "", "the path holds a backslash, which some systems read as a slash"
	case slices.Contains(elements, ".."):
		return "", "the path leads out of the bundle"
	case slices.Contains(elements, "."), slices.Contains(elements, ""):
		return "", "the path is not in its shortest form: write it without //, /./ and slashes at its ends"
	case len(elements) > maxDepth+1:
		return "", "the file is more than 64 directories deep"
	}
	return name, ""
}

// unread says why a file of a name must not be in a bundle: OPA gives it a meaning that this package does not. A
// signature by OPA would cover another policy than the one that decides.
func unread(name string) string {
	base := path.Base(name)
	hidden := slices.ContainsFunc(strings.Split(name, "/"), func(e string) bool { return strings.HasPrefix(e, ".") })
	switch kind, _, _ := bundle.Classify(base); {
	case base == SignaturesName && name != SignaturesName:
		return "only the signatures at the top of a bundle are read"
	case base == "patch.json":
		return "delta bundles cannot be signed and are not supported: write a whole bundle"
	case path.Ext(base) == ".wasm":
		return "WebAssembly is not supported: build the bundle for the target rego"
	case base == "plan.json", base == "plan.pb":
		return "plans are not supported: build the bundle for the target rego"
	case strings.HasSuffix(base, ".manifest.pb"):
		return "manifests in protobuf are not supported: write .manifest"
	case strings.HasSuffix(base, bundle.ManifestName) && base != bundle.ManifestName:
		return "OPA reads a file whose name ends in .manifest as the manifest: rename it"
	case hidden && kind != bundle.Other && kind != bundle.Manifest:
		return "OPA reads this file and the sidecar leaves hidden ones out: rename it, or take it out of the bundle"
	}
	return ""
}

// collector takes the files of one bundle.
type collector struct {
	*Archive
	names    map[string]bool
	problems bundle.Problems
}

// show is a file as messages name it.
func (c *collector) show(name string) string {
	name = strings.TrimPrefix(name, "/")
	return c.Name + "/" + strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(name[:min(len(name), maxName)], "\uFFFD"))
}

// admit reports whether a file may be in a bundle, by its name.
func (c *collector) admit(stored string) bool {
	name, complaint := clean(stored)
	if complaint != "" {
		c.problems.Add(c.show(stored), bundle.CodeName, "%s", complaint)
		return false
	}
	if c.names[name] {
		c.problems.Add(c.show(name), bundle.CodeArchive, "the file is in the bundle twice")
		return false
	}
	c.names[name] = true
	if why := unread(name); why != "" {
		c.problems.Add(c.show(name), bundle.CodeArchive, "%s", why)
		return false
	}
	base := path.Base(name)
	kind, complaint, notice := bundle.Classify(base)
	if misplaced := bundle.Bundled.Misplaced(kind, dirs(name)); misplaced != "" {
		c.problems.Add(c.show(name), bundle.CodeManifest, "%s", misplaced)
		return false
	}
	if complaint != "" {
		c.problems.Add(c.show(name), bundle.CodeName, "%s", complaint)
		return false
	}
	if notice != "" && name != SignaturesName {
		c.Ignored.Add(c.show(name), bundle.CodeName, "%s", notice)
	}
	return true
}

// add takes a file that was admitted.
func (c *collector) add(stored string, raw []byte) {
	name, _ := clean(stored)
	if name == SignaturesName {
		c.Signatures = raw
		return
	}
	kind, _, _ := bundle.Classify(path.Base(name))
	c.Files = append(c.Files, File{Name: name, Stored: strings.TrimPrefix(stored, "/"), Raw: raw, Kind: kind})
}

func (c *collector) finish() (*Archive, error) {
	if len(c.problems) > 0 {
		return nil, c.problems.Sorted()
	}
	slices.SortFunc(c.Files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	c.Digest = Digest(c.Files)
	return c.Archive, nil
}
