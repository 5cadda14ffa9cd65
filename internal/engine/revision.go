package engine

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authz-sidecar/sidecar/internal/authz"
	"github.com/authz-sidecar/sidecar/internal/bundle"
)

func revisions(set *bundle.Set) map[string]string {
	out := make(map[string]string, len(set.Bundles))
	for _, b := range set.Bundles {
		out[b.Name] = b.Revision
	}
	return out
}

// bundleRefs are the bundles of set by their names, and the JSON of those that have a content digest; nil for none.
func bundleRefs(set *bundle.Set) (all map[string]authz.BundleRef, identified []byte, err error) {
	all = make(map[string]authz.BundleRef, len(set.Bundles))
	some := map[string]authz.BundleRef{}
	for _, b := range set.Bundles {
		all[b.Name] = authz.BundleRef{Revision: b.Revision, Digest: b.Digest, Signers: b.Signed.Signers}
		if b.Digest != "" {
			some[b.Name] = all[b.Name]
		}
	}
	if len(some) > 0 {
		identified, err = json.Marshal(some, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	}
	return all, identified, err
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
