package engine

import (
	"strings"

	"github.com/authz-sidecar/sidecar/internal/bundle"
)

func revisions(set *bundle.Set) map[string]string {
	out := make(map[string]string, len(set.Bundles))
	for _, b := range set.Bundles {
		out[b.Name] = b.Revision
	}
	return out
}

// revision joins the revisions that the bundles state. The beginning of the digest is added when a bundle states none,
// so that each change has a name of its own.
func revision(set *bundle.Set) string {
	var parts []string
	unnamed := false
	for _, b := range set.Bundles {
		switch {
		case b.Revision == "":
			unnamed = true
		case len(set.Bundles) == 1:
			parts = append(parts, b.Revision)
		default:
			parts = append(parts, b.Name+"="+b.Revision)
		}
	}
	if unnamed {
		parts = append(parts, strings.TrimPrefix(set.Digest, "sha256:")[:12])
	}
	return strings.Join(parts, ",")
}
