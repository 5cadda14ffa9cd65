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

// revision names what was compiled, in the words of the bundles where they have some. The beginning of the digest
// stands for what has no words, so that no change goes unnamed.
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
